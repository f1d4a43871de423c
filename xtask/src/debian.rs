//! Debian's programs that the end-to-end tests call, installed when they are not there.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};

/// A headless browser.
pub(crate) fn chromium() -> Result<PathBuf> {
    program(&["chromium", "chromium-browser", "google-chrome"], "chromium")
}

/// The client of the contract's examples.
pub(crate) fn curl() -> Result<PathBuf> {
    program(&["curl"], "curl")
}

/// The program, by its names in distributions, of a package of Debian's.
fn program(names: &[&str], package: &str) -> Result<PathBuf> {
    if let Some(found) = find(names) {
        return Ok(found);
    }
    test_postgres::install(&[package])?;
    find(names).with_context(|| format!("`{package}` was installed and is not on the PATH"))
}

fn find(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = env::split_paths(&path).collect();
    names.iter().find_map(|name| directories.iter().map(|directory| directory.join(name)).find(|path| path.is_file()))
}
