//! A start that cannot succeed says in one line what, why, and the command that mends it.

use std::{net::TcpListener, process::Command};

use testkit::database::Database;

use crate::server::Setup;

/// Runs a command that must fail; its status and its last words.
fn fail(command: &mut Command) -> (i32, String) {
    let done = command.output().unwrap();
    let words = String::from_utf8(done.stderr).unwrap() + &String::from_utf8(done.stdout).unwrap();
    assert!(!done.status.success(), "it should have failed:\n{words}");
    assert!(!words.contains("panicked"), "{words}");
    (done.status.code().expect("an exit, no signal"), words)
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let setup = Setup::new().scripted().args(&["--llm-api-port", &port]);
    let (status, words) = fail(&mut setup.command());
    assert_eq!(status, 1, "{words}");
    let line = words.lines().find(|line| line.contains(&port)).unwrap_or_else(|| panic!("{words}"));
    assert!(line.contains("--llm-api-port"), "the line names the flag that mends it: {line}");
}

#[test]
fn a_wrong_setting_is_named() {
    let setup = Setup::new().scripted().args(&["--bind", "nowhere"]);
    let (status, words) = fail(&mut setup.command());
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("--bind"), "{words}");
}

#[test]
fn an_unknown_field_in_the_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jan.toml");
    std::fs::write(&file, "[server]\nbindd = \"127.0.0.1\"\n").unwrap();
    let (status, words) = fail(crate::server::command(&["config", "check", "--config"]).arg(&file));
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("bindd"), "{words}");
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let database = Database::sqlite();
    let setup = || Setup::new().scripted().args(&["--database-url", &database.url]);
    drop(setup().start().await);
    database.execute("INSERT INTO schema_migrations (version, name, applied_at) VALUES (9999, 'x', 0)").await;
    let (status, words) = fail(&mut setup().command());
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("9999") && words.contains("newer"), "{words}");
}
