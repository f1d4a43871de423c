//! Where things are built: outside the clone, so that a fresh clone starts warm.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::tree;

/// `$XDG_CACHE_HOME/jan-server`, or `~/.cache/jan-server`: the product's own cache.
pub(crate) fn directory() -> Result<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("jan-server"))
}

/// Where Cargo builds: `CARGO_TARGET_DIR`, or in the cache.
pub(crate) fn target() -> Result<PathBuf> {
    match env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty()) {
        Some(target) => Ok(target.into()),
        None => Ok(directory()?.join("target")),
    }
}

/// Empties the build's place in the cache when it has grown beyond `most` bytes: every clone leaves its own crates
/// there, and Cargo removes nothing by itself. A place that the person chose is left alone.
pub(crate) fn trim(most: u64) -> Result<()> {
    let target = directory()?.join("target");
    if target.is_dir() && target == self::target()? && size(&target) > most {
        fs::remove_dir_all(&target).with_context(|| format!("{} cannot be removed", target.display()))?;
    }
    Ok(())
}

/// The bytes of all files below a directory; what vanishes meanwhile counts nothing.
fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// A directory in the cache that is made by `fill` once, and anew when one of `inputs` changes. A directory that was
/// not finished is begun again.
pub(crate) fn keyed(name: &str, inputs: &[&Path], fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let mut texts = Vec::new();
    for input in inputs {
        texts.push(tree::read(input)?);
    }
    let directory = directory()?.join("sdk").join(format!("{name}-{:016x}", digest(&texts)));
    let finished = directory.join(".finished");
    if !finished.exists() {
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        fill(&directory)?;
        fs::write(finished, "")?;
    }
    Ok(directory)
}

/// FNV-1a. It tells versions of our own files apart; it guards nothing.
fn digest(texts: &[String]) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_added_up() {
        let directory = tempfile::tempdir().unwrap();
        tree::write(&directory.path().join("a/b"), "12345").unwrap();
        tree::write(&directory.path().join("c"), "123").unwrap();
        assert_eq!(size(directory.path()), 8);
    }

    #[test]
    fn a_change_in_any_text_changes_the_key() {
        let key = |texts: &[&str]| digest(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
        assert_ne!(key(&["a", "b"]), key(&["a", "c"]));
        assert_ne!(key(&["ab", ""]), key(&["a", "b"]));
    }
}
