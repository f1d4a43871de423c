//! Users and keys on the command line.

use std::{io::Write, process::Stdio};

use crate::support::{Done, Place};

fn must(done: Done) -> String {
    assert_eq!(done.code, 0, "{done:?}");
    done.out
}

/// The value of a line such as `password  x`.
fn field(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}: {text}"));
    line.trim().to_owned()
}

/// Runs a command that reads standard input.
fn run_with(place: &Place, arguments: &[&str], input: &str) -> Done {
    let mut command = place.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
}

#[test]
fn the_first_administrator_is_made_before_the_first_start() {
    let place = Place::new();
    let made = must(place.run(&["user", "create", "ada@example.org", "--username", "ada", "--admin"]));
    assert_eq!(field(&made, "roles"), "user,admin");
    assert!(field(&made, "password").len() >= 20, "{made}");
    let again = place.run(&["user", "create", "ADA@example.org"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("Another account has this address"), "{again:?}");
    let list = must(place.run(&["user", "list"]));
    assert_eq!(list.lines().count(), 1, "{list}");
    assert!(
        list.contains(&field(&made, "id")) && list.contains("active") && list.contains("ada@example.org"),
        "{list}"
    );
}

#[test]
fn whoever_reads_the_first_start_can_become_the_administrator() {
    let server = Place::new().serve(&["--log-format", "console"]);
    server.wait_for_log("/auth/setup?token=");
    let log = server.log();
    let token = log.split_once("/auth/setup?token=").unwrap().1.split_whitespace().next().unwrap();
    let page = format!("/auth/setup?token={token}");
    assert_eq!(server.get("llm-api", &page).0, 200);
    must(server.place().run(&["user", "create", "ada@example.org", "--admin"]));
    assert_eq!(server.get("llm-api", &page).0, 404, "there is one now");
}

#[test]
fn a_running_server_heeds_what_is_done_to_its_users() {
    let server = Place::new().serve(&[]);
    let place = server.place();
    must(run_with(
        place,
        &["user", "create", "ada@example.org", "--username=ada", "--password-stdin"],
        "correct horse\n",
    ));
    let key = must(place.run(&["key", "create", "--user", "ada"])).trim().to_owned();
    let head = format!("GET /auth/me HTTP/1.1\r\nX-API-Key: {key}");
    let me = || server.ask("llm-api", &head, "");
    let is_admin = || me().1.contains("\"is_admin\":true");
    assert!(me().0 == 200 && !is_admin());

    must(place.run(&["user", "promote", "ADA@example.org"]));
    crate::support::wait(|| is_admin().then_some(()));
    must(place.run(&["user", "promote", "ada", "--undo"]));
    crate::support::wait(|| (!is_admin()).then_some(()));
    must(place.run(&["user", "disable", "ada"]));
    crate::support::wait(|| (me().0 == 401).then_some(()));
    assert!(must(place.run(&["user", "list"])).contains("disabled"));
    must(place.run(&["user", "disable", "ada", "--undo"]));
    crate::support::wait(|| (me().0 == 200).then_some(()));
}

#[test]
fn a_key_is_revoked_by_its_id() {
    let server = Place::new().serve(&[]);
    let post = |path: &str, more: &str, body: &str| -> serde_json::Value {
        let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/json{more}");
        let (status, text) = server.ask("llm-api", &head, body);
        assert_eq!(status, 201, "{text}");
        serde_json::from_str(&text).unwrap()
    };
    let guest = post("/auth/guest-login", "", "{}");
    let token = format!("\r\nAuthorization: Bearer {}", guest["access_token"].as_str().unwrap());
    let key = post("/auth/api-keys", &token, r#"{"name": "k"}"#);
    let head = format!("GET /auth/me HTTP/1.1\r\nX-API-Key: {}", key["key"].as_str().unwrap());
    assert_eq!(server.ask("llm-api", &head, "").0, 200);

    let id = key["id"].as_str().unwrap();
    must(server.place().run(&["key", "revoke", id]));
    crate::support::wait(|| (server.ask("llm-api", &head, "").0 == 401).then_some(()));
    let again = server.place().run(&["key", "revoke", id]);
    assert!(again.code == 1 && again.err.contains("There is no such API key"), "{again:?}");
}

#[test]
fn what_is_done_by_commands_is_in_the_audit_log() {
    let server = Place::new().serve(&[]);
    let (_, guest) = server.ask("llm-api", "POST /auth/guest-login HTTP/1.1\r\nContent-Type: application/json", "{}");
    let guest: serde_json::Value = serde_json::from_str(&guest).unwrap();
    let bearer = format!("Authorization: Bearer {}", guest["access_token"].as_str().unwrap());
    let upgrade = format!("POST /auth/upgrade HTTP/1.1\r\nContent-Type: application/json\r\n{bearer}");
    let (status, text) = server.ask("llm-api", &upgrade, r#"{"email": "ada@example.org", "username": "ada"}"#);
    assert_eq!(status, 200, "{text}");
    let log = format!("GET /v1/admin/audit-log?actor=command_line HTTP/1.1\r\n{bearer}");
    assert_eq!(server.ask("llm-api", &log, "").0, 403);

    must(server.place().run(&["user", "promote", "ada"]));
    let text = crate::support::wait(|| Some(server.ask("llm-api", &log, "")).filter(|(status, _)| *status == 200)).1;
    let log: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(log["data"].as_array().unwrap().len(), 1, "{text}");
    let line = &log["data"][0];
    assert_eq!((&line["action"], &line["detail"]), (&"user.roles_changed".into(), &"user, admin".into()));
    assert_eq!((&line["target"], &line["actor"]["type"]), (&guest["user_id"], &"command_line".into()));
}

#[test]
fn a_password_is_made_anew() {
    let place = Place::new();
    must(place.run(&["user", "create", "ada@example.org", "--username", "ada"]));
    assert!(must(place.run(&["user", "reset-password", "ada"])).trim().len() >= 20);
    assert_eq!(must(run_with(&place, &["user", "reset-password", "ada", "--password-stdin"], "battery staple")), "");
    for (input, words) in [("", "no password"), ("short\n", "at least 8 characters")] {
        let done = run_with(&place, &["user", "reset-password", "ada", "--password-stdin"], input);
        assert!(done.code == 1 && done.err.contains(words), "{done:?}");
    }
    for arguments in [["user", "reset-password", "eve"], ["user", "promote", "eve"], ["user", "disable", "eve"]] {
        let done = place.run(&arguments);
        assert!(done.code == 1 && done.err.contains("There is no such user"), "{done:?}");
    }
}
