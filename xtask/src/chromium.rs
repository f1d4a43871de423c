//! The browser of the end-to-end tests: Debian's Chromium, installed when it is not there.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};

/// What its program is called, by distribution.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The browser's program.
pub(crate) fn program() -> Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    test_postgres::install(&["chromium"])?;
    find().context("Chromium was installed and is not on the PATH")
}

fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = env::split_paths(&path).collect();
    NAMES.iter().find_map(|name| directories.iter().map(|directory| directory.join(name)).find(|path| path.is_file()))
}
