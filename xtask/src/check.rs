//! `cargo xtask check`: what can be said of the tree without running it.

use anyhow::Result;

use crate::{generate, process, tidy};

pub(crate) fn run() -> Result<()> {
    step("formatting", || process::run(&mut process::cargo(&["fmt", "--all", "--check"])?))?;
    step("lints", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
        process::run(&mut process::cargo(&arguments)?)
    })?;
    step("the rules of the house", tidy::run)?;
    step("generated files", || generate::check(&generate::build()?))
}

fn step(name: &str, check: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    check()
}
