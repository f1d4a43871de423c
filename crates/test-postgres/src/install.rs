//! Where PostgreSQL's programs are, and how they get there.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::user::is_root;

/// Where Debian puts the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The directory of the newest server's programs, if one is installed.
pub fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(VERSIONS)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    let path = env::var_os("PATH").unwrap_or_default();
    versions
        .into_iter()
        .rev()
        .map(|(_, directory)| directory)
        .chain(env::split_paths(&path))
        .find(|directory| directory.join("postgres").is_file() && directory.join("initdb").is_file())
}

/// Installs Debian's packages; their output goes to ours.
///
/// # Errors
/// When we are not root, or the installation fails: the message names the command to run.
pub fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    ensure!(is_root(), "`{list}` is missing: run `apt-get install {list}` as root");
    let apt = |arguments: &[&str]| -> Result<()> {
        let status = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("`{list}` is missing and there is no apt-get to install it with"))?;
        ensure!(status.success(), "`apt-get {}` failed; `{list}` is needed", arguments.join(" "));
        Ok(())
    };
    apt(&["update", "--quiet"])?;
    apt(&[&["install", "--yes", "--quiet", "--no-install-recommends"], packages].concat())
}
