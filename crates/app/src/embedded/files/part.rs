//! A file as it arrives: kept under another name, resumable, and in its place only when it is whole and right.
//!
//! What touches the disk runs on a blocking thread with a clone of the part, which holds the lock: an operation that
//! outlives its cancelled caller still keeps others out until it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;

use super::FileError;

/// How often a process looks whether the one that fetches the same file is done.
const LOCK_INTERVAL: Duration = Duration::from_millis(250);

/// An incomplete file, locked against other processes. Clones are the same file.
#[derive(Clone, Debug)]
pub(super) struct Part {
    path: PathBuf,
    wanted: u64,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    file: File,
    length: u64,
    /// Released with it, also when the process dies.
    _lock: File,
}

impl Part {
    /// Opens what has arrived of `target`, of which `wanted` bytes must come. Waits while another process fetches the
    /// same file; `waiting` is called meanwhile with the bytes that it has.
    pub(super) async fn open(
        target: &Path,
        wanted: u64,
        waiting: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Self, FileError> {
        let (lock_path, path) = (beside(target, "lock"), beside(target, "part"));
        let open = |path: &Path| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let lock = open(&lock_path).map_err(FileError::io(&lock_path))?;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    waiting(std::fs::metadata(&path).map_or(0, |metadata| metadata.len()));
                    tokio::time::sleep(LOCK_INTERVAL).await;
                }
                Err(TryLockError::Error(error)) => return Err(FileError::Io { path: lock_path, error }),
            }
        }
        let mut file = open(&path).map_err(FileError::io(&path))?;
        let length = file.seek(SeekFrom::End(0)).map_err(FileError::io(&path))?;
        let state = Arc::new(Mutex::new(State { file, length, _lock: lock }));
        let part = Self { path, wanted, state };
        if length > wanted {
            part.restart()?;
        }
        Ok(part)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it lies.
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Bytes that have arrived.
    pub(super) fn length(&self) -> u64 {
        self.state().length
    }

    pub(super) fn is_whole(&self) -> bool {
        self.length() == self.wanted
    }

    /// Forgets what has arrived.
    pub(super) fn restart(&self) -> Result<(), FileError> {
        let mut state = self.state();
        state.length = 0;
        state.file.set_len(0).and_then(|()| state.file.rewind()).map_err(FileError::io(&self.path))
    }

    /// Adds what came next. More than is wanted is an error.
    pub(super) fn append(&self, bytes: &[u8]) -> Result<(), FileError> {
        let mut state = self.state();
        if state.length + bytes.len() as u64 > self.wanted {
            let error = io::Error::new(io::ErrorKind::InvalidData, "more bytes came than the file has");
            return Err(FileError::Io { path: self.path.clone(), error });
        }
        let needed = self.wanted - state.length;
        state.file.write_all(bytes).map_err(|error| self.full_or(error, needed))?;
        state.length += bytes.len() as u64;
        Ok(())
    }

    /// [`Self::append`] on a blocking thread; gives the emptied buffer back.
    pub(super) async fn append_later(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>, FileError> {
        let part = self.clone();
        blocking(move || {
            part.append(&bytes)?;
            bytes.clear();
            Ok(bytes)
        })
        .await
    }

    /// Puts the whole file in its place if its checksum is right; on the disk for good when this returns. Otherwise
    /// forgets what has arrived and gives the checksum that it had.
    pub(super) async fn finish(&self, target: PathBuf, sha256: String) -> Result<Option<String>, FileError> {
        let part = self.clone();
        blocking(move || {
            let mut state = part.state();
            state.file.sync_all().map_err(|error| part.full_or(error, 0))?;
            let found = state.file.rewind().and_then(|()| hash(&mut state.file));
            let found = found.map_err(FileError::io(&part.path))?;
            drop(state);
            if found != sha256 {
                part.restart()?;
                return Ok(Some(found));
            }
            std::fs::rename(&part.path, &target).map_err(FileError::io(&target))?;
            sync_directory(&target).map_err(FileError::io(&target))?;
            Ok(None)
        })
        .await
    }

    fn full_or(&self, error: io::Error, needed: u64) -> FileError {
        let path = self.path.clone();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                FileError::DiskFull { path, needed }
            }
            _ => FileError::Io { path, error },
        }
    }
}

/// Runs work that waits for the disk.
pub(super) async fn blocking<T: Send + 'static, E: Send + 'static + From<FileError>>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(FileError::Io { path: PathBuf::new(), error: io::Error::other(error) }.into()),
    }
}

/// `x.gguf` with something appended to its name.
pub(super) fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// The SHA-256 of what is left of a file, in hexadecimal.
pub(super) fn hash(file: &mut File) -> io::Result<String> {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(domain::secret::hex(context.finish().as_ref())),
            Ok(count) => context.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes a new name in the file's directory survive a power cut.
fn sync_directory(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(directory) if cfg!(unix) => File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}
