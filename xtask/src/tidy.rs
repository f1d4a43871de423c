//! `cargo xtask tidy`: the rules of the house that neither compiler nor linter knows.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

use crate::{floors, tree};

/// Checks the tree; the error lists every breach.
pub(crate) fn run() -> Result<()> {
    let breaches = breaches()?;
    if breaches.is_empty() {
        return Ok(());
    }
    bail!("the rules of the house are broken:\n  {}", breaches.join("\n  "))
}

fn breaches() -> Result<Vec<String>> {
    let root = tree::root();
    let files = tree::files(&root)?;
    let mut found = floors::breaches()?;
    found.extend(migrations(&files));
    found.extend(endpoints(&root, &files)?);
    found.extend(dependencies("Cargo.toml", &tree::read(&root.join("Cargo.toml"))?));
    found.extend(unused(&root, &files)?);
    for file in &files {
        // A file that is no text (there is none today) has no lines to judge.
        if let Ok(text) = tree::read(&root.join(file)) {
            found.extend(lines(file, &text));
        }
    }
    Ok(found)
}

/// Both databases have the same migrations.
fn migrations(files: &[PathBuf]) -> Vec<String> {
    let names = |database: &str| -> BTreeSet<&std::ffi::OsStr> {
        let directory = Path::new("crates/store/migrations").join(database);
        files.iter().filter_map(|file| file.strip_prefix(&directory).ok()).map(Path::as_os_str).collect()
    };
    let (sqlite, postgres) = (names("sqlite"), names("postgres"));
    sqlite
        .symmetric_difference(&postgres)
        .map(|name| format!("the migration {} is there for one database only", name.display()))
        .collect()
}

/// Every endpoint's file has a test's file by the same path.
fn endpoints(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in files {
        let mut parts = file.iter().map(|part| part.to_string_lossy());
        let (Some(crates), Some(service), Some(src)) = (parts.next(), parts.next(), parts.next()) else { continue };
        if crates != "crates" || src != "src" || !floors::is_service(&service) {
            continue;
        }
        let below: PathBuf = parts.map(std::borrow::Cow::into_owned).collect();
        let test = Path::new("crates").join(&*service).join("tests/it").join(&below);
        if tree::read(&root.join(file))?.contains("#[utoipa::path(") && !files.contains(&test) {
            found.push(format!("the endpoint {} has no test {}", file.display(), test.display()));
        }
    }
    Ok(found)
}

/// Every dependency of the workspace says what it is for.
fn dependencies(name: &str, manifest: &str) -> Vec<String> {
    let section = manifest.split("\n[").find(|section| section.starts_with("workspace.dependencies]"));
    let lines = section.unwrap_or_default().lines().skip(1);
    lines
        .filter(|line| line.contains('=') && !line.starts_with('#') && !line.contains("path = "))
        .filter(|line| !line.contains(" # "))
        .map(|line| format!("{name}: no word on what this is for: {line}"))
        .collect()
}

/// Every dependency of a crate is named in its sources, or by its tests if it is theirs.
fn unused(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for manifest in files.iter().filter(|file| file.ends_with("Cargo.toml")) {
        let home = manifest.parent().unwrap_or(Path::new(""));
        let (mut sources, mut tests) = (String::new(), String::new());
        for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs")) {
            let Ok(below) = file.strip_prefix(home) else { continue };
            let kind = if below.starts_with("src") { &mut sources } else { &mut tests };
            kind.push_str(&tree::read(&root.join(file))?);
        }
        let text = tree::read(&root.join(manifest))?;
        for section in text.split("\n[") {
            let (named_by, is_named): (_, &dyn Fn(&str) -> bool) = match section.lines().next() {
                Some("dependencies]") => ("sources", &|name| names(&sources, name)),
                Some("dev-dependencies]") => ("tests", &|name| names(&sources, name) || names(&tests, name)),
                _ => continue,
            };
            for line in section.lines().skip(1).filter(|line| !line.starts_with('#')) {
                let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
                if !name.is_empty() && !is_named(&name.replace('-', "_")) {
                    found.push(format!("{}: the {named_by} do not name {name}", manifest.display()));
                }
            }
        }
    }
    Ok(found)
}

/// Whether `text` has a path that begins with the crate `name`.
fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = &text[at + name.len()..];
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            && ["::", ";", " as "].iter().any(|sign| after.starts_with(sign))
    })
}

/// What must stand in no file: each text with the reason. The texts are put together here so that this file itself
/// does not hold them.
fn forbidden() -> [(String, &'static str); 9] {
    let join = |parts: &[&str]| parts.concat();
    [
        (join(&["#[", "ignore"]), "a test runs or is not there"),
        (join(&["#[", "allow("]), "use `expect` with a reason"),
        (join(&["to", "do!("]), "finish it"),
        (join(&["/wo", "rk/"]), "a path of one machine"),
        (join(&["/ro", "ot/"]), "a path of one machine"),
        (join(&["/ho", "me/"]), "a path of one machine"),
        (join(&["registry.", "npmjs"]), "a registry's host: the machine's own configuration names it"),
        (join(&["py", "pi.org"]), "a registry's host: the machine's own configuration names it"),
        (join(&["static.", "crates.io"]), "a registry's host: the machine's own configuration names it"),
    ]
}

/// Macros that others expand may silence what they cannot know; the reason stands there.
const MAY_ALLOW: &str = "crates/testkit/src/database.rs";

fn lines(file: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let forbidden = forbidden();
    for (at, line) in text.lines().enumerate() {
        for (what, reason) in &forbidden {
            let excused = what.contains("allow") && file == Path::new(MAY_ALLOW);
            if line.contains(what.as_str()) && !excused {
                found.push(format!("{}:{}: {what}: {reason}", file.display(), at + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn migrations_come_in_pairs() {
        let sqlite = "crates/store/migrations/sqlite/0001_a.sql";
        assert_eq!(migrations(&paths(&[sqlite])).len(), 1);
        assert_eq!(migrations(&paths(&[sqlite, "crates/store/migrations/postgres/0001_a.sql"])).len(), 0);
    }

    #[test]
    fn dependencies_explain_themselves() {
        let manifest = "[workspace]\n[workspace.dependencies]\n# ours\na = { path = \"a\" }\nb = \"1\" # reads b\nc = \"1\"\n\n[x]\nd = 1\n";
        let found = dependencies("Cargo.toml", manifest);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("c = \"1\""));
    }

    #[test]
    fn a_dependency_that_nobody_names_is_found() {
        let root = tempfile::tempdir().unwrap();
        let manifest = "[package]\nname = \"a\"\n\n[dependencies]\nb.workspace = true\nc-d = { version = \"1\" }\n# why\ne = \"1\"\n\n[dev-dependencies]\nf.workspace = true\ng.workspace = true\n";
        let source = "use b::B;\n#[derive(c_d::C)]\nstruct S { e: x::e::E }\n";
        for (path, text) in [("a/Cargo.toml", manifest), ("a/src/lib.rs", source), ("a/tests/it/main.rs", "f::f();")] {
            tree::write(&root.path().join(path), text).unwrap();
        }
        let found = unused(root.path(), &tree::files(root.path()).unwrap()).unwrap();
        assert_eq!(found, ["a/Cargo.toml: the sources do not name e", "a/Cargo.toml: the tests do not name g"]);
    }

    #[test]
    fn forbidden_texts_are_found_with_their_line() {
        for (what, _) in forbidden() {
            let found = lines(Path::new("a.rs"), &format!("fine\n  {what}\n"));
            assert_eq!(found.len(), 1, "{what}");
            assert!(found[0].starts_with("a.rs:2:"), "{found:?}");
        }
    }

    #[test]
    fn an_endpoint_without_a_test_is_named() {
        let root = tempfile::tempdir().unwrap();
        let endpoint = "crates/x-api/src/things/get.rs";
        tree::write(&root.path().join(endpoint), "#[utoipa::path(get)]").unwrap();
        let found = endpoints(root.path(), &paths(&[endpoint])).unwrap();
        assert!(found[0].ends_with("has no test crates/x-api/tests/it/things/get.rs"), "{found:?}");
        let with_test = paths(&[endpoint, "crates/x-api/tests/it/things/get.rs"]);
        assert_eq!(endpoints(root.path(), &with_test).unwrap(), [] as [&str; 0]);
    }

    #[test]
    fn this_tree_is_tidy() {
        assert_eq!(breaches().unwrap(), [] as [&str; 0]);
    }
}
