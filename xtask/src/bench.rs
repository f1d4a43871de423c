//! `cargo xtask bench`: the benchmarks, which build the server themselves.

use anyhow::Result;

use crate::process;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut command = process::cargo(&["run", "--release", "--package", "benches", "--"])?;
    process::run(command.args(arguments))
}
