//! What can go wrong with model files, each in one line that says what mends it.

use std::io;
use std::path::{Path, PathBuf};

/// An error of a model file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// No model is called so.
    #[error(
        "no model is called `{0}`; known are jan-small, jan-tiny, hf:OWNER/REPO/FILE.gguf[@REVISION], and files in the \
         cache directory"
    )]
    Name(String),
    /// There is no place for files.
    #[error("there is no cache directory: set XDG_CACHE_HOME or HOME, or the option `cache_dir`")]
    NoDirectory,
    /// The file is not there.
    #[error("the model {id} is not there; `jan-server model pull {argument}` fetches it")]
    Absent {
        /// The model.
        id: String,
        /// What to pull.
        argument: String,
    },
    /// A file in the cache that nobody knows a source of.
    #[error("{0} can only be put into the cache directory by hand: its source is not known")]
    NoSource(String),
    /// Nothing gave the file.
    #[error("cannot fetch the model {id}: {}; what has arrived is kept, and the same command goes on from there", attempts.join("; "))]
    Fetch {
        /// The model.
        id: String,
        /// What each source said.
        attempts: Vec<String>,
    },
    /// The file is not what it should be.
    #[error("{} is corrupt: its SHA-256 is {found}, not {wanted}; `jan-server model rm {id}` and `jan-server model pull {id}` replace it", path.display())]
    Checksum {
        /// The model.
        id: String,
        /// The file.
        path: PathBuf,
        /// The checksum it has.
        found: String,
        /// The checksum it must have.
        wanted: String,
    },
    /// Another process fetches it right now.
    #[error("the model {0} is being fetched by another process; try again when that is done")]
    Busy(String),
    /// No room is left.
    #[error("the disk is full: {} needs {needed} more bytes; what has arrived is kept", path.display())]
    DiskFull {
        /// The file being written.
        path: PathBuf,
        /// Bytes still missing.
        needed: u64,
    },
    /// The file system refuses something.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl FileError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }
}
