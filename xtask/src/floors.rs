//! Which crate may import which: the table of `ARCHITECTURE.md`, compared with what Cargo says.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// A floor: its crates, and the imports among themselves that are allowed.
struct Floor {
    crates: &'static [&'static str],
    among: &'static [(&'static str, &'static str)],
}

/// From the lowest. A crate may import those of lower floors, and of its own what the floor allows.
const FLOORS: [Floor; 5] = [
    Floor { crates: &["domain", "wire"], among: &[("wire", "domain")] },
    Floor {
        crates: &["outbound", "store", "identity", "providers", "inference"],
        among: &[("identity", "store"), ("identity", "outbound"), ("providers", "outbound")],
    },
    Floor { crates: &["app"], among: &[] },
    Floor {
        crates: &["http-kit", "gateway"],
        // A service is on this floor by its name; it may import `http-kit` and never another service.
        among: &[("gateway", "http-kit")],
    },
    Floor { crates: &["server"], among: &[] },
];

/// The floor of services.
const SERVICES: usize = 3;

/// Crates beside the floors: they may import anything, and only tests may import them.
const BESIDE: [&str; 5] = ["testkit", "test-postgres", "e2e", "benches", "xtask"];

/// Dependencies that stand for what a floor must not know, and the crates that must not have them.
const FORBIDDEN: [(&str, &[&str]); 3] = [
    ("axum", &["domain", "wire", "outbound", "store", "identity", "providers", "inference", "app"]),
    (
        "sqlx",
        &["domain", "wire", "outbound", "identity", "providers", "inference", "app", "http-kit", "gateway", "server"],
    ),
    ("tokio", &["domain", "wire"]),
];

/// What breaks the table, one sentence each.
pub(crate) fn breaches() -> Result<Vec<String>> {
    let mut command = process::cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"])?;
    let metadata: Value = serde_json::from_str(&process::output(&mut command)?)?;
    let mut imports = Vec::new();
    for package in metadata["packages"].as_array().context("`cargo metadata` names no packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // Tests may import what they like.
            if dependency["kind"].is_null() {
                imports.push((name, dependency["name"].as_str().unwrap_or_default()));
            }
        }
    }
    let ours: Vec<&str> =
        metadata["packages"].as_array().into_iter().flatten().filter_map(|package| package["name"].as_str()).collect();
    Ok(judge(&ours, &imports))
}

fn judge(ours: &[&str], imports: &[(&str, &str)]) -> Vec<String> {
    let mut breaches = Vec::new();
    for name in ours {
        if floor(name).is_none() && !BESIDE.contains(name) {
            breaches.push(format!("{name} is on no floor: add it to xtask/src/floors.rs and ARCHITECTURE.md"));
        }
    }
    for &(from, to) in imports {
        let forbidden = FORBIDDEN.iter().any(|(what, whom)| *what == to && whom.contains(&from));
        let allowed = BESIDE.contains(&from)
            || !ours.contains(&to)
            || match (floor(from), floor(to)) {
                (Some(upper), Some(lower)) if upper == lower => {
                    FLOORS[upper].among.contains(&(from, to)) || is_service(from) && to == "http-kit"
                }
                (Some(upper), Some(lower)) => upper > lower,
                _ => false,
            };
        if forbidden || !allowed {
            breaches.push(format!("{from} must not import {to} (see the floors in ARCHITECTURE.md)"));
        }
    }
    breaches
}

fn floor(name: &str) -> Option<usize> {
    let listed = FLOORS.iter().position(|floor| floor.crates.contains(&name));
    listed.or_else(|| is_service(name).then_some(SERVICES))
}

pub(crate) fn is_service(name: &str) -> bool {
    name.ends_with("-api") || name == "mcp-tools"
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [&str; 9] =
        ["domain", "wire", "store", "identity", "app", "http-kit", "llm-api", "media-api", "testkit"];

    #[test]
    fn imports_go_down() {
        let fine = [
            ("wire", "domain"),
            ("identity", "store"),
            ("app", "store"),
            ("llm-api", "app"),
            ("llm-api", "http-kit"),
            ("llm-api", "axum"),
            ("store", "sqlx"),
            ("testkit", "llm-api"),
        ];
        assert_eq!(judge(&OURS, &fine), [] as [&str; 0]);
    }

    #[test]
    fn every_other_import_is_named() {
        for import in [
            ("domain", "wire"),
            ("store", "identity"),
            ("store", "app"),
            ("app", "http-kit"),
            ("llm-api", "media-api"),
            ("store", "testkit"),
            ("app", "axum"),
            ("identity", "sqlx"),
            ("domain", "tokio"),
        ] {
            let found = judge(&OURS, &[import]);
            assert_eq!(found.len(), 1, "{import:?}");
            assert!(found[0].contains(import.0) && found[0].contains(import.1), "{found:?}");
        }
    }

    #[test]
    fn a_crate_must_have_a_floor() {
        assert!(judge(&["mystery"], &[])[0].contains("mystery is on no floor"));
    }

    #[test]
    fn this_tree_keeps_the_table() {
        assert_eq!(breaches().unwrap(), [] as [&str; 0]);
    }
}
