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

/// Where containers run, nobody has a terminal.
#[test]
fn the_log_for_machines_has_the_link_too() {
    let server = Place::new().serve(&["--log-format", "json"]);
    server.wait_for_log("/auth/setup?token=");
    let log = server.log();
    let line = log.lines().find(|line| line.contains("/auth/setup?token=")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = line.to_string();
    let url = text.split('"').find(|part| part.contains("/auth/setup?token=")).unwrap();
    let page = url.split_once("/auth/").unwrap().1;
    assert_eq!(server.get("llm-api", &format!("/auth/{page}")).0, 200);
}

#[test]
fn a_signing_key_is_replaced_under_a_running_server() {
    let server = Place::new().serve(&[]);
    let head = "POST /auth/guest-login HTTP/1.1\r\nContent-Type: application/json";
    let (_, guest) = server.ask("llm-api", head, "{}");
    let guest: serde_json::Value = serde_json::from_str(&guest).unwrap();
    let me = |token: &serde_json::Value| {
        let head = format!("GET /auth/me HTTP/1.1\r\nAuthorization: Bearer {}", token.as_str().unwrap());
        server.ask("llm-api", &head, "").0
    };
    assert_eq!(me(&guest["access_token"]), 200);
    let list = must(server.place().run(&["signing-key", "list"]));
    assert!(list.lines().count() == 1 && list.contains("active") && list.contains("this directory's"), "{list}");
    must(server.place().run(&["signing-key", "replace"]));
    crate::support::wait(|| (me(&guest["access_token"]) == 401).then_some(()));
    let list = must(server.place().run(&["signing-key", "list"]));
    assert!(list.lines().count() == 2 && list.contains("revoked"), "{list}");

    // The sign-in goes on with a key that the server took up by itself.
    let renewed = crate::support::wait(|| {
        let head = "POST /auth/guest-login HTTP/1.1\r\nContent-Type: application/json";
        let (status, guest) = server.ask("llm-api", head, "{}");
        let guest: serde_json::Value = serde_json::from_str(&guest).unwrap();
        (status == 201 && me(&guest["access_token"]) == 200).then_some(guest)
    });
    assert_eq!(me(&renewed["access_token"]), 200);
    let refresh = format!(r#"{{"refresh_token": {}}}"#, guest["refresh_token"]);
    let head = "POST /auth/refresh-token HTTP/1.1\r\nContent-Type: application/json";
    let (status, tokens) = server.ask("llm-api", head, &refresh);
    assert_eq!(status, 200, "{tokens}");
    let tokens: serde_json::Value = serde_json::from_str(&tokens).unwrap();
    assert_eq!(me(&tokens["access_token"]), 200);
    let unknown = server.place().run(&["signing-key", "replace", "unknown"]);
    assert!(unknown.code == 1 && unknown.err.contains("no such signing key"), "{unknown:?}");
}

#[test]
fn an_address_is_proven_by_a_link_or_a_word() {
    let server = Place::new().serve(&[]);
    let place = server.place();
    must(place.run(&["user", "create", "ada@example.org", "--username", "ada"]));
    let key = must(place.run(&["key", "create", "--user", "ada"])).trim().to_owned();
    let head = format!("GET /v1/users/me HTTP/1.1\r\nX-API-Key: {key}");
    let is_verified = || server.ask("llm-api", &head, "").1.contains("\"email_verified\":true");
    assert!(!is_verified());
    let link = place.run(&["user", "email-link", "ada"]);
    assert!(link.err.contains("Send this to ada@example.org"), "{link:?}");
    let token = must(link).trim().split_once("/auth/verify-email?token=").unwrap().1.to_owned();
    let form = "POST /auth/verify-email HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
    assert_eq!(server.ask("llm-api", form, &format!("token={token}")).0, 200);
    assert!(is_verified());

    must(place.run(&["user", "create", "eve@example.org", "--username", "eve"]));
    let done = place.run(&["user", "verify-email", "eve"]);
    assert!(done.code == 0 && done.err.contains("eve@example.org counts as verified"), "{done:?}");
}

#[test]
fn a_users_keys_are_listed_and_a_new_password_says_what_becomes_of_them() {
    let place = Place::new();
    must(place.run(&["user", "create", "ada@example.org", "--username", "ada"]));
    let key = must(place.run(&["key", "create", "--user", "ada", "--name", "cron"])).trim().to_owned();
    let list = must(place.run(&["key", "list", "ada"]));
    assert!(list.contains("active") && list.contains("cron") && list.contains(&key[key.len() - 4..]), "{list}");
    assert!(!list.contains(&key), "the key itself is not to be had again");
    let kept = place.run(&["user", "reset-password", "ada"]);
    assert!(kept.err.contains("API keys that stay good: 1"), "{kept:?}");
    let gone = place.run(&["user", "reset-password", "ada", "--revoke-keys"]);
    assert!(gone.code == 0 && !gone.err.contains("stay good"), "{gone:?}");
    assert!(must(place.run(&["key", "list", "ada"])).contains("revoked"));
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

    let short = must(place.run(&["key", "create", "--user", "ada", "--scope", "models:read", "--expires", "1h"]));
    let by_short =
        |path: &str| server.ask("llm-api", &format!("GET {path} HTTP/1.1\r\nX-API-Key: {}", short.trim()), "").0;
    assert_eq!((by_short("/v1/models"), by_short("/v1/users/me")), (200, 403), "limited to what it names");
    assert_eq!(place.run(&["key", "create", "--scope", "chat:writer"]).code, 2);
    let forever = place.run(&["key", "create", "--user", "ada", "--expires", "9999d"]);
    assert!(forever.code == 1 && forever.err.contains("at most"), "{forever:?}");

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
    let upgraded: serde_json::Value = serde_json::from_str(&text).unwrap();
    let bearer = format!("Authorization: Bearer {}", upgraded["access_token"].as_str().unwrap());
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
