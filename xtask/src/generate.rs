//! `cargo xtask generate`: the files that the binary knows better than we do.
//!
//! They are committed, so that a change to the contract is a line in the diff, and compared by `cargo xtask check` and
//! by `cargo xtask test`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{cache, process, tree};

/// Files that one command of the binary prints, whole.
const PAGES: [(&str, &str); 5] = [
    ("access", "docs/reference/access.md"),
    ("config", "docs/reference/config.md"),
    ("cli", "docs/reference/cli.md"),
    ("default-config", "config/default.toml"),
    ("config-schema", "config/schema.json"),
];

/// Writes the files.
pub(crate) fn run() -> Result<()> {
    for (path, text) in generated(&build()?)? {
        let file = tree::root().join(&path);
        if tree::read(&file).is_ok_and(|present| present == text) {
            println!("{} is up to date", path.display());
        } else {
            tree::write(&file, &text)?;
            println!("{} written", path.display());
        }
    }
    Ok(())
}

/// Builds the server; says where it is.
pub(crate) fn build() -> Result<PathBuf> {
    process::run(&mut process::cargo(&["build", "--quiet", "--package", "server"])?)?;
    Ok(cache::target()?.join("debug/jan-server"))
}

/// Compares the files with what `server` would have written.
pub(crate) fn check(server: &Path) -> Result<()> {
    let root = tree::root();
    let mut wrong: Vec<String> = Vec::new();
    let generated = generated(server)?;
    for (path, text) in &generated {
        match tree::read(&root.join(path)) {
            Ok(present) if present == *text => {}
            Ok(_) => wrong.push(format!("{} is out of date", path.display())),
            Err(_) => wrong.push(format!("{} is missing", path.display())),
        }
    }
    for file in tree::files(&root.join("openapi")).unwrap_or_default() {
        let path = PathBuf::from("openapi").join(file);
        if !generated.contains_key(&path) {
            wrong.push(format!("{} is of no service", path.display()));
        }
    }
    if !wrong.is_empty() {
        bail!("{}; `cargo xtask generate` mends that", wrong.join(", "));
    }
    Ok(())
}

/// The generated files, by path from the root.
fn generated(server: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let mut files = BTreeMap::new();
    for (page, path) in PAGES {
        files.insert(path.into(), ending_once(&print(server, &["docs", page])?));
    }
    let documents: Value = serde_json::from_str(&print(server, &["openapi"])?)?;
    for (service, document) in documents.as_object().context("`openapi` prints no object")? {
        let path = PathBuf::from("openapi").join(format!("{service}.json"));
        files.insert(path, ending_once(&serde_json::to_string_pretty(document)?));
    }
    Ok(files)
}

fn print(server: &Path, arguments: &[&str]) -> Result<String> {
    process::output(Command::new(server).args(arguments))
}

/// The text with exactly one line end at its end.
fn ending_once(text: &str) -> String {
    text.trim_end().to_owned() + "\n"
}
