//! Whose word counts about where a request comes from, and the limits that go by it.

use crate::support::{Place, Server};

/// Asks to come in as a guest; the status.
fn guest(server: &Server, header: &str) -> u16 {
    server.ask("gateway", &format!("POST /auth/guest-login HTTP/1.1\r\n{header}"), "").0
}

#[test]
fn behind_a_listed_proxy_each_client_has_its_own_limits() {
    let server = Place::new()
        .env("JAN_EDGE__TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8")
        .env("JAN_IDENTITY__GUEST_LOGINS_PER_HOUR", "1")
        .serve(&[]);
    assert_eq!(guest(&server, "X-Forwarded-For: 203.0.113.7"), 201);
    assert_eq!(guest(&server, "X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.0.0.1"), 429);
    assert_eq!(guest(&server, "X-Forwarded-For: 198.51.100.1"), 201);
    assert_eq!(guest(&server, "X-Forwarded-For: 2001:db8::1"), 201);
    assert_eq!(guest(&server, "X-Forwarded-For: [2001:db8::2]:4711"), 429, "a network is one customer");
    server.wait_for_log("\"client\":\"203.0.113.7\"");
}

#[test]
fn what_others_say_is_not_listened_to() {
    let server = Place::new().env("JAN_RATE_LIMITS__AUTH", "2").serve(&[]);
    for status in [201, 201, 429, 429] {
        let invented = format!("X-Forwarded-For: 203.0.113.{status}\r\nForwarded: for=203.0.113.{status}");
        assert_eq!(guest(&server, &invented), status);
    }
    server.wait_for_log("\"client\":\"127.0.0.1\"");
    assert!(!server.log().contains("203.0.113"), "{}", server.log());
}

#[test]
fn the_other_header_can_be_chosen() {
    let server = Place::new()
        .file("jan.toml", "[edge]\ntrusted_proxies = [\"127.0.0.1\"]\nforwarded_header = \"forwarded\"\n")
        .env("JAN_IDENTITY__GUEST_LOGINS_PER_HOUR", "1")
        .serve(&[]);
    let header = |client: &str| format!("X-Forwarded-For: 198.51.100.1\r\nForwarded: for={client};proto=https");
    assert_eq!(guest(&server, &header("203.0.113.7")), 201);
    assert_eq!(guest(&server, &header("203.0.113.7")), 429);
    assert_eq!(guest(&server, &header("203.0.113.8")), 201);
}
