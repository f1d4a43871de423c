//! `cargo xtask test`: everything, in this order, with what it needs. What cannot run fails.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use test_postgres::Cluster;

use crate::{cache, debian, generate, node, process, python};

/// Models that tests run: the tiny one for everything, the default one for an answer that must be right, the encoder.
const MODELS: [&str; 4] = ["jan-tiny", "jan-small", "all-minilm-l6-v2", "all-minilm-l6-v2-tokenizer"];

/// The arguments that say which packages are built. They are the same for every call of Cargo: other packages would
/// mean other features of what they share, and all of that built again.
const PACKAGES: [&str; 3] = ["test", "--workspace", "--no-fail-fast"];

/// How much may be built before the cache is emptied: a few clones' worth.
const MOST_BUILT: u64 = 25 << 30;

/// What all tests of a run share, made step by step.
struct Run {
    /// What tests learn from their environment.
    environment: Vec<(&'static str, PathBuf)>,
    server: PathBuf,
    postgres: Cluster,
    counts: Counts,
    steps: Vec<(&'static str, Duration, bool)>,
}

/// What Cargo's result lines say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

pub(crate) fn run() -> Result<()> {
    let begun = Instant::now();
    cache::trim(MOST_BUILT)?;
    let mut steps = Vec::new();
    let environment = prepare("the SDKs for Python and Node, a browser and curl", &mut steps, sdks)?;
    let postgres = prepare("PostgreSQL", &mut steps, postgres)?;
    let (_aside, server) = prepare("building everything", &mut steps, build)?;
    prepare("the models", &mut steps, || models(&server))?;

    let mut run = Run { environment, server, postgres, counts: Counts::default(), steps };
    let url = run.postgres.url();
    run.environment.push(("JAN_TEST_POSTGRES_URL", url.into()));
    run.environment.push(("JAN_TEST_SERVER", run.server.clone()));

    // The rules of the house are a test of this crate.
    let server = run.server.clone();
    run.check("generated files", || generate::check(&server));
    run.tests("unit and integration tests", &["--lib", "--bins", "--test", "it"])?;
    run.tests("examples in the documentation", &["--doc"])?;
    run.tests("end-to-end tests", &["--test", "e2e"])?;
    run.conclude(begun)
}

impl Run {
    /// A check that either holds or says what is wrong; the run goes on and fails at its end.
    fn check(&mut self, name: &'static str, check: impl FnOnce() -> Result<()>) {
        let begun = announce(name);
        let result = check();
        if let Err(error) = &result {
            eprintln!("error: {error:#}");
        }
        self.steps.push((name, begun.elapsed(), result.is_ok()));
    }

    fn tests(&mut self, name: &'static str, which: &[&str]) -> Result<()> {
        let begun = announce(name);
        let mut command = process::cargo(&[&PACKAGES[..], which].concat())?;
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let before = self.counts.passed;
        let succeeded = process::watch(&mut command, |line| self.counts.add(line))?;
        // Documentation need not have examples; the other kinds of test are there.
        let ran = self.counts.passed > before || which == ["--doc"];
        self.steps.push((name, begun.elapsed(), succeeded && ran));
        Ok(())
    }

    /// The summary; its last line is the count, as CI reads it.
    fn conclude(self, begun: Instant) -> Result<()> {
        println!("\nWhat was done, with its time:");
        for (name, time, succeeded) in &self.steps {
            let verdict = if *succeeded { "ok" } else { "FAILED" };
            println!("  {:>7.1} s  {name}: {verdict}", time.as_secs_f64());
        }
        println!("  {:>7.1} s  in all", begun.elapsed().as_secs_f64());
        let Counts { passed, failed, ignored } = self.counts;
        println!("{passed} passed, {failed} failed");
        ensure!(ignored == 0, "{ignored} tests were ignored: a test runs or is not there");
        ensure!(self.steps.iter().all(|(_, _, succeeded)| *succeeded), "not everything passed");
        Ok(())
    }
}

impl Counts {
    /// Adds what a line such as `test result: ok. 3 passed; 0 failed; 0 ignored; …` says.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let number = |what: &str| -> u64 {
            let words = result.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect::<Vec<_>>();
            let at = words.iter().position(|word| *word == what);
            at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok()).unwrap_or(0)
        };
        self.passed += number("passed");
        self.failed += number("failed");
        self.ignored += number("ignored");
    }
}

fn announce(name: &str) -> Instant {
    println!("\n== {name}");
    Instant::now()
}

/// A step without which no other makes sense.
fn prepare<T>(
    name: &'static str,
    steps: &mut Vec<(&'static str, Duration, bool)>,
    step: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let begun = announce(name);
    let made = step().with_context(|| format!("no tests without {name}"))?;
    steps.push((name, begun.elapsed(), true));
    Ok(made)
}

fn sdks() -> Result<Vec<(&'static str, PathBuf)>> {
    let python = python::environment()?;
    let packages = node::packages()?;
    let node = node::program(&packages)?;
    let (chromium, curl) = (debian::chromium()?, debian::curl()?);
    Ok(vec![
        ("JAN_TEST_PYTHON", python),
        ("JAN_TEST_NODE", node),
        ("JAN_TEST_NODE_PATH", packages.join("node_modules")),
        ("JAN_TEST_CHROMIUM", chromium),
        ("JAN_TEST_CURL", curl),
    ])
}

fn postgres() -> Result<Cluster> {
    if test_postgres::binaries().is_none() {
        test_postgres::install(&["postgresql"])?;
    }
    Cluster::start()
}

/// Builds every test and the server, and sets the server aside: Cargo puts every clone's at the same place.
fn build() -> Result<(TempDir, PathBuf)> {
    let mut command =
        process::cargo(&[&PACKAGES[..], &["--no-run", "--message-format", "json-render-diagnostics"]].concat())?;
    let messages = process::output(&mut command)?;
    // The server is built for its own integration tests, with the features that the tests gave its dependencies.
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let server = artifacts
        .filter(|artifact| artifact["target"]["name"] == "jan-server" && artifact["profile"]["test"] == false)
        .find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
    let aside = TempDir::with_prefix_in("jan-server-", cache::target()?)?;
    let path = aside.path().join("jan-server");
    fs::copy(server.context("Cargo built no jan-server")?, &path)?;
    Ok((aside, path))
}

/// Fetches the models that are missing, as a person would.
fn models(server: &Path) -> Result<()> {
    for model in MODELS {
        let mut command = Command::new(server);
        process::run(command.args(["model", "pull", model]).current_dir(env::temp_dir()))?;
    }
    // Tests of the engine look where the product puts them.
    ensure!(cache::directory()?.join("models").is_dir(), "the models are not in the cache");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_added_up() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s",
            "test result: FAILED. 10 passed; 2 failed; 1 ignored; 0 measured; 4 filtered out; finished in 1.20s",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, Counts { passed: 13, failed: 2, ignored: 1 });
    }
}
