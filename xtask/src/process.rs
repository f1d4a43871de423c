//! Running other programs.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::{cache, tree};

/// Cargo, in this repository, building in the cache.
pub(crate) fn cargo(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(tree::root()).env("CARGO_TARGET_DIR", cache::target()?);
    Ok(command)
}

/// Runs a command whose output goes to ours.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = describe(command);
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("`{name}` does not start"))?;
    ensure!(status.success(), "`{name}` failed");
    Ok(())
}

/// Runs a command and takes its output; its errors go to ours.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = describe(command);
    let done = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{name}` does not start"))?;
    ensure!(done.status.success(), "`{name}` failed");
    String::from_utf8(done.stdout).with_context(|| format!("`{name}` printed no text"))
}

/// Runs a command, shows each line of its output as it comes and gives it to `see`; says whether it succeeded.
pub(crate) fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> Result<bool> {
    let name = describe(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{name}` does not start"))?;
    if let Some(lines) = child.stdout.take() {
        for line in BufReader::new(lines).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            see(&line);
        }
    }
    Ok(child.wait()?.success())
}

/// Whether `program` is there and `arguments` make it succeed.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    let quiet =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
