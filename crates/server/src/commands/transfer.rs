//! `jan-server export` and `import`: everything of a user as a file, and back.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use app::transfer::{Exported, Imported, Transfer};
use domain::{Clock, Principal, audit::Act};
use futures_util::TryStreamExt as _;
use identity::Identity;

use crate::{
    cli::{Export, Import},
    commands::{block_on, open, say},
};

/// How often a long command says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

pub(crate) fn export(command: &Export) -> anyhow::Result<()> {
    block_on(async {
        let (store, identity) = open(&command.common).await?;
        let user = Identity::act_as(identity.find_user(&command.user).await?);
        identity.note_ahead(Act::DataExported, &user.user_id).await?;
        let transfer = Transfer::new(store.clone(), Clock::System);
        let counts = match &command.output {
            Some(file) => export_to(&transfer, &user, file).await?,
            None => write(&transfer, &user, &mut io::stdout().lock()).await?,
        };
        store.close().await;
        say(&format!("exported {counts}"));
        Ok(())
    })
}

/// Writes the file beside itself first: what has its name is whole.
async fn export_to(transfer: &Transfer, user: &Principal, file: &Path) -> anyhow::Result<String> {
    if file.exists() {
        bail!("{} is there already", file.display());
    }
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".part");
    let unfinished = PathBuf::from(unfinished);
    let failed = || format!("{} cannot be written", file.display());
    let mut out = OpenOptions::new();
    // Nobody else of the machine is to read it.
    let mut out = out.write(true).create(true).truncate(true).mode(0o600).open(&unfinished).with_context(failed)?;
    let written = write(transfer, user, &mut out).await.and_then(|counts| Ok((out.sync_all()?, counts)));
    match written {
        Ok(((), counts)) => {
            fs::rename(&unfinished, file).with_context(failed)?;
            Ok(counts)
        }
        Err(error) => {
            // What failed is worth more than that this fails, too.
            _ = fs::remove_file(&unfinished);
            Err(error.context(failed()))
        }
    }
}

/// Writes everything; says how much it was.
async fn write(transfer: &Transfer, user: &Principal, out: &mut impl Write) -> anyhow::Result<String> {
    let (mut projects, mut memories, mut conversations, mut progress) = (0_u64, 0_u64, 0_u64, Progress::new());
    let mut parts = Box::pin(transfer.export(user));
    while let Some(part) = parts.try_next().await? {
        match part {
            Exported::Settings(line) => out.write_all(&line)?,
            Exported::Project(line) => {
                projects += 1;
                out.write_all(&line)?;
            }
            Exported::Memory(line) => {
                memories += 1;
                out.write_all(&line)?;
            }
            Exported::Conversation(export) => {
                conversations += 1;
                let mut json = Box::pin(export.json());
                while let Some(piece) = json.try_next().await? {
                    out.write_all(&piece)?;
                }
            }
        }
        progress.tell(|| format!("{conversations} conversations so far"));
    }
    out.flush()?;
    Ok(format!("{conversations} conversations, {projects} projects, {memories} memories"))
}

pub(crate) fn import(command: &Import) -> anyhow::Result<()> {
    let file = File::open(&command.file).with_context(|| format!("{} cannot be read", command.file.display()))?;
    block_on(async {
        let (store, identity) = open(&command.common).await?;
        let user = identity.find_user(&command.user).await?;
        identity.note_ahead(Act::DataImported, &user.id).await?;
        let (mut counts, mut progress) = (Counts::default(), Progress::new());
        let transfer = Transfer::new(store.clone(), Clock::System);
        let tell = |part| {
            counts.add(part);
            progress.tell(|| format!("{} conversations so far", counts.conversations));
        };
        let imported = transfer.import(&user.id, file, tell).await;
        store.close().await;
        say(&counts.summary());
        imported.with_context(|| format!("{} was not imported to its end", command.file.display()))?;
        match counts.refused {
            0 => Ok(()),
            1 => bail!("one part of the file was not imported"),
            refused => bail!("{refused} parts of the file were not imported"),
        }
    })
}

/// What became of a file.
#[derive(Default)]
struct Counts {
    conversations: u64,
    projects: u64,
    memories: u64,
    has_settings: bool,
    known: u64,
    left_out: usize,
    refused: u64,
}

impl Counts {
    fn add(&mut self, part: Imported) {
        match part {
            Imported::Conversation { left_out, .. } => {
                self.conversations += 1;
                self.left_out += left_out;
            }
            Imported::Project => self.projects += 1,
            Imported::Memory => self.memories += 1,
            Imported::Settings => self.has_settings = true,
            Imported::Known => self.known += 1,
            Imported::Refused { number, error } => {
                self.refused += 1;
                let field = error.param_name().map(|field| format!("{field}: ")).unwrap_or_default();
                say(&format!("part {number} of the file: {field}{}", error.message()));
            }
        }
    }

    fn summary(&self) -> String {
        let Self { conversations, projects, memories, .. } = self;
        let mut text = format!("imported {conversations} conversations, {projects} projects, {memories} memories");
        if self.has_settings {
            text.push_str(", the settings");
        }
        if self.known > 0 {
            _ = write!(text, "; {} were there already", self.known);
        }
        if self.left_out > 0 {
            _ = write!(text, "; {} messages between tools and models left out", self.left_out);
        }
        text
    }
}

/// Says now and then how far a command is.
struct Progress(Instant);

impl Progress {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn tell(&mut self, how_far: impl FnOnce() -> String) {
        if self.0.elapsed() >= PROGRESS {
            self.0 = Instant::now();
            say(&how_far());
        }
    }
}
