//! The files of the repository.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// Directories that hold nothing of ours.
const FOREIGN: [&str; 6] = [".git", "target", "node_modules", "data", "__pycache__", ".venv"];

/// The repository's root: the directory above this crate's. Cargo says where that is now; where it was built may be another
/// clone, with which this one shares its build output.
pub(crate) fn root() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().map(Path::to_path_buf).unwrap_or(here)
}

/// Every file below `directory`, as paths relative to it, sorted.
pub(crate) fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("{} cannot be read", next.display()))? {
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            if kind.is_file() {
                found.push(entry.path().strip_prefix(directory)?.to_path_buf());
            } else if kind.is_dir() && !FOREIGN.iter().any(|foreign| name == *foreign) {
                open.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A file's text; an error names the file.
pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Writes a file and the directories above it.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
