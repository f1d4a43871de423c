//! The data directory: `jan.db`, `keys/`, `ports.json`, `lock`.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde_json::json;

const PORTS: &str = "ports.json";

/// A data directory that is this process's own until it ends, however it ends.
///
/// Two servers on one directory would overwrite each other's ports, and on SQLite one would not learn of the keys that
/// the other revokes. So a second one is refused. Servers that share a PostgreSQL have a directory each.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory when absent, and takes it.
    pub(crate) fn take(path: &Path) -> anyhow::Result<Self> {
        make(path)?;
        let lock = path.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock)
            .with_context(|| format!("cannot write to the data directory {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another server runs on the data directory {}: stop it, or give this one a directory of its own with \
                 --data DIR",
                path.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", lock.display()));
            }
        }
        let data = Self { path: path.to_owned(), _lock: file };
        data.forget_ports();
        Ok(data)
    }

    /// Writes which service listens where: whole or not at all, since others wait for it.
    pub(crate) fn write_ports(&self, ports: &[(&str, u16)]) -> anyhow::Result<()> {
        let map: BTreeMap<&str, u16> = ports.iter().copied().collect();
        let target = self.path.join(PORTS);
        let draft = self.path.join(".ports.json.new");
        fs::write(&draft, format!("{}\n", json!(map)))
            .and_then(|()| fs::rename(&draft, &target))
            .with_context(|| format!("cannot write {}", target.display()))
    }

    /// Takes the list away: nobody listens any more.
    pub(crate) fn forget_ports(&self) {
        // Gone already, or the next start overwrites it.
        _ = fs::remove_file(self.path.join(PORTS));
    }
}

/// Where the signing keys of a data directory are.
pub(crate) fn keys(data: &Path) -> PathBuf {
    data.join("keys")
}

/// Makes a directory for this user alone: it holds keys.
pub(crate) fn make(path: &Path) -> anyhow::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).with_context(|| format!("cannot make the data directory {}", path.display()))
}

/// The ports of the server that runs on a data directory.
pub(crate) fn read_ports(data: &Path) -> anyhow::Result<BTreeMap<String, u16>> {
    let path = data.join(PORTS);
    let text = fs::read_to_string(&path)
        .map_err(|_| anyhow::anyhow!("no server runs on the data directory {}: start one with `jan-server serve`, or name it with --data DIR or --url URL", data.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_server_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/data");
        let first = DataDir::take(&path).unwrap();
        let error = DataDir::take(&path).unwrap_err().to_string();
        assert!(error.contains("--data"), "{error}");
        drop(first);
        DataDir::take(&path).unwrap();
    }

    #[test]
    fn ports_are_written_and_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::take(directory.path()).unwrap();
        assert!(read_ports(directory.path()).is_err());
        data.write_ports(&[("gateway", 8000), ("llm-api", 1)]).unwrap();
        let ports = read_ports(directory.path()).unwrap();
        assert_eq!((ports["gateway"], ports["llm-api"]), (8000, 1));
        data.forget_ports();
        assert!(read_ports(directory.path()).is_err());
    }
}
