//! Starting: sockets, the data directory, the database that is not there yet.

use std::net::TcpListener;

use testkit::database::Database;

use crate::support::{Place, wait};

const SERVICES: [&str; 6] = ["gateway", "llm-api", "mcp-tools", "media-api", "response-api", "template-api"];

#[test]
fn every_service_listens_and_says_where() {
    let server = Place::new().serve(&[]);
    assert_eq!(server.ports().keys().collect::<Vec<_>>(), SERVICES);
    for service in SERVICES {
        assert_eq!(server.get(service, "/healthz").0, 200, "{service}");
        assert_eq!(server.get(service, "/readyz").0, 200, "{service}");
    }
    let log = server.log();
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
}

#[test]
fn only_the_services_asked_for_listen() {
    let server = Place::new().serve(&["--only", "template-api,gateway"]);
    assert_eq!(server.ports().keys().collect::<Vec<_>>(), ["gateway", "template-api"]);
    assert_eq!(server.get("gateway", "/template/v1/sample").0, 200);
    assert_eq!(server.get("gateway", "/v1/models").0, 503, "that service does not run");
}

#[test]
fn a_gateway_alone_is_a_door_to_all() {
    let server = Place::new().serve(&["--only", "gateway"]);
    assert_eq!(server.ports().keys().collect::<Vec<_>>(), ["gateway"]);
    assert_eq!(server.get("gateway", "/template/v1/sample").0, 200);
    assert_eq!(server.get("gateway", "/v1/models").0, 401);
}

#[test]
fn a_port_in_use_is_one_line_and_nothing_is_left() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let place = Place::new();
    let ports = [
        "--llm-api-port=0",
        "--response-api-port=0",
        "--media-api-port=0",
        "--mcp-tools-port=0",
        "--template-api-port=0",
    ];
    let done = place.run(&[&["serve", "--log", "error", "--gateway-port", &port], &ports[..]].concat());
    assert_eq!(done.code, 1, "{done:?}");
    assert_eq!(
        done.err,
        format!(
            "jan-server: cannot listen on 127.0.0.1:{port} for gateway: another program listens there; choose another \
             port with `--gateway-port PORT`, or port 0 for a free one\n"
        )
    );
    assert!(!place.path().join("data/jan.db").exists(), "the sockets come before the database");
}

#[test]
fn one_directory_has_one_server() {
    let server = Place::new().serve(&[]);
    let done = server.place().run(&["serve", "--gateway-port=0", "--llm-api-port=0"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.err.contains("another server runs on the data directory data"), "{done:?}");
    assert!(server.place().path().join("data/ports.json").exists(), "the first one's list is untouched");
}

#[test]
fn a_directory_that_cannot_be_is_one_line() {
    let place = Place::new().file("file", "");
    for command in ["serve", "migrate"] {
        let done = place.run(&[command, "--data", "file/data"]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.err.starts_with("jan-server: cannot make the data directory file/data: "), "{done:?}");
        assert_eq!(done.err.lines().count(), 1, "{done:?}");
    }
}

#[test]
fn a_damaged_database_is_named_and_what_mends_it() {
    for content in ["Dear diary, ".repeat(1_000).into_bytes(), [&b"SQLite format 3\0"[..], &[7; 8_000]].concat()] {
        let place = Place::new();
        std::fs::create_dir(place.path().join("data")).unwrap();
        std::fs::write(place.path().join("data/jan.db"), &content).unwrap();
        let done = place.run(&["serve", "--gateway-port=0", "--llm-api-port=0"]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.err.contains("the database data/jan.db: its file is damaged: bring it back"), "{done:?}");
    }
}

#[test]
fn a_database_that_cannot_be_opened_is_named_and_what_mends_it() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().join("data/jan.db")).unwrap();
    std::fs::write(place.path().join("file"), "").unwrap();
    for (path, words) in [
        ("data/jan.db", "it is a directory: name a file, such as jan.db in it"),
        ("file/jan.db", "its directory cannot be made: give this user the right to, or name another file"),
        // Where nobody may make a file, the administrator included.
        ("/proc/jan.db", "its file cannot be opened: give this user the right to read and write it and its directory"),
    ] {
        let url = format!("--database-url=sqlite://{path}");
        for command in
            [&["serve", "--only=llm-api", "--llm-api-port=0", &url][..], &["migrate", &url], &["user", "list", &url]]
        {
            let done = place.run(command);
            assert_eq!(done.code, 1, "{done:?}");
            let last = done.err.lines().last().unwrap_or_default();
            assert!(last.starts_with(&format!("jan-server: the database {path}: {words}")), "{done:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn keys_are_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let server = Place::new().serve(&[]);
    let mode = std::fs::metadata(server.place().path().join("data")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[test]
fn commands_for_shells_and_probes_find_the_server() {
    let server = Place::new().serve(&[]);
    let done = server.place().run(&["healthcheck", "--ready"]);
    assert_eq!((done.code, done.out.as_str()), (0, "ok\n"), "{done:?}");
    let done = server.place().run(&["env"]);
    let address = format!("http://127.0.0.1:{}/v1", server.ports()["gateway"]);
    assert!(done.out.starts_with(&format!("export OPENAI_BASE_URL={address}\nexport OPENAI_API_KEY=sk_")), "{done:?}");
    let head = format!("GET /v1/models HTTP/1.1\r\nAuthorization: Bearer {}", server.key());
    assert_eq!(server.ask("gateway", &head, "").0, 200);
}

#[test]
fn a_key_made_on_the_command_line_is_good() {
    let server = Place::new().serve(&[]);
    let done = server.place().run(&["key", "create", "--name", "cron"]);
    assert_eq!(done.code, 0, "{done:?}");
    let head = format!("GET /v1/models HTTP/1.1\r\nX-API-Key: {}", done.out.trim());
    assert_eq!(server.ask("llm-api", &head, "").0, 200, "{done:?}");
}

#[test]
fn a_person_is_told_what_to_do_next() {
    let server = Place::new().serve(&["--log-format", "console"]);
    let log = wait(|| Some(server.log()).filter(|log| log.contains("Ctrl-C")));
    for words in [
        format!("gateway       http://127.0.0.1:{}", server.ports()["gateway"]),
        "env)\"".to_owned(),
        "curl -N $OPENAI_BASE_URL/chat/completions".to_owned(),
    ] {
        assert!(log.contains(&words), "{words} is not in {log}");
    }
}

#[test]
fn no_secret_is_logged_even_at_the_lowest_level() {
    let server = Place::new()
        .env("JAN_UPSTREAMS", "http://127.0.0.1:1/v1,hunter2-key")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hunter2-header")
        .serve(&["--log", "trace", "--log-format", "console"])
        .ready();
    let key = server.key();
    let head = format!("GET /v1/models HTTP/1.1\r\nAuthorization: Bearer {key}");
    assert_eq!(server.ask("llm-api", &head, "").0, 200);
    let log = wait(|| Some(server.log()).filter(|log| log.contains("/v1/models")));
    assert!(!log.contains("hunter2"), "{log}");
    assert!(!log.contains(&key), "{log}");
    assert!(!log.contains("eyJ"), "no access token either: {log}");
}

/// A database that comes later than the server: its socket's directory appears under its name afterwards.
#[tokio::test]
async fn a_database_that_is_not_there_yet_is_waited_for() {
    let database = Database::postgres().await;
    let (address, directory) = database.url.split_once("?host=").unwrap();
    let place = Place::new();
    let later = place.path().join("later");
    let url = format!("{address}?host={}", later.display());
    let server = place.serve(&["--database-url", &url]);
    assert_eq!(server.get("llm-api", "/healthz").0, 200);
    let (status, body) = server.get("llm-api", "/readyz");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("service_unavailable"), "{body}");

    std::os::unix::fs::symlink(directory, later).unwrap();
    let server = server.ready();
    server.wait_for_log("The database is ready");
    server.key();
}
