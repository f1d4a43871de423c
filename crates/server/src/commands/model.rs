//! `jan-server model`: the files of models that run in this process.

use crate::cli::Model;

#[cfg(not(feature = "embedded"))]
pub(crate) fn run(_: &Model) -> anyhow::Result<()> {
    anyhow::bail!("this build runs no models itself: it was made without the feature `embedded`")
}

#[cfg(feature = "embedded")]
pub(crate) fn run(command: &Model) -> anyhow::Result<()> {
    match command {
        Model::Pull { name, common } => files::pull(name.as_deref(), common),
        Model::List { common } => files::list(common),
        Model::Rm { name, common } => files::remove(name, common),
    }
}

#[cfg(feature = "embedded")]
mod files {
    use std::{fmt::Write, io::IsTerminal};

    use anyhow::{Context, ensure};
    use app::embedded::{Entry, Files, Reference};

    use crate::{
        cli::Common,
        commands::{block_on, print},
        config::{self, Config},
        progress::{self, Reporter, Show},
        telemetry::LogWriter,
    };

    pub(super) fn pull(name: Option<&str>, common: &Common) -> anyhow::Result<()> {
        let config = config::load(common.sources(Vec::new()))?.config;
        let name = name.or(config.embedded.models.first().map(String::as_str));
        let model = Reference::parse(name.context("name a model: `jan-server model list` shows those there are")?)?;
        ensure!(!config.embedded.offline, "nothing is fetched: the setting embedded.offline is on");
        let writer = LogWriter::start()?;
        let show =
            if std::io::stderr().is_terminal() { Show::Status(writer.clone()) } else { Show::Lines(writer.clone()) };
        let reporter = Reporter::new(show);
        let files = files(&config)?;
        let path = block_on(async {
            let mut report = |at: app::embedded::Progress| reporter.report(model.id(), at.bytes, at.total);
            Ok(files.pull(&model, &mut report).await?)
        });
        reporter.end();
        writer.flush();
        print(&format!("{}\n", path?.display()))
    }

    pub(super) fn list(common: &Common) -> anyhow::Result<()> {
        let config = config::load(common.sources(Vec::new()))?.config;
        let files = files(&config)?;
        let mut text = format!("Models in {}\n\n", files.directory().display());
        for entry in files.list()? {
            _ = writeln!(text, "{:<24} {:<24} {}", entry.id, state(&entry), about(&entry));
        }
        print(&text)
    }

    fn state(entry: &Entry) -> String {
        match (entry.bytes, entry.arrived) {
            (Some(bytes), _) => format!("here, {}", progress::size(bytes)),
            (None, Some(arrived)) => format!("begun, {}", progress::size(arrived)),
            (None, None) => "not here".to_owned(),
        }
    }

    fn about(entry: &Entry) -> String {
        let Some(known) = entry.known else { return String::new() };
        format!("{}, {}, {}", known.title, known.licence, progress::size(known.bytes))
    }

    pub(super) fn remove(name: &str, common: &Common) -> anyhow::Result<()> {
        let config = config::load(common.sources(Vec::new()))?.config;
        let model = Reference::parse(name)?;
        let freed = files(&config)?.remove(&model)?;
        print(&format!("Removed {}: {} are free again.\n", model.id(), progress::size(freed)))
    }

    fn files(config: &Config) -> anyhow::Result<Files> {
        let client = outbound::Client::new(&config.outbound)?;
        Ok(Files::new(&config.embedded, client)?)
    }
}
