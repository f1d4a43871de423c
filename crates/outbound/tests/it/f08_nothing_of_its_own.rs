//! F8: a request carries nothing that nobody asked for, and goes where it says.

use crate::support::{Names, Server, allowing, client, document, fetch};

#[tokio::test]
async fn f8_requests_are_plain() {
    let answer = document("x").replace("connection:", "set-cookie: a=b\r\nconnection:");
    let server = Server::at("127.0.0.2", answer).await;
    let client = client(&allowing("127.0.0.2", &[&server]), &Names::default());
    for _ in 0..2 {
        fetch(&client, &server.url("/x?y=z#fragment")).await.unwrap();
    }
    for head in server.heads() {
        let mut lines: Vec<_> = head.trim_end().lines().collect();
        lines[1..].sort_unstable();
        let agent = format!("user-agent: jan-server/{}", env!("CARGO_PKG_VERSION"));
        let host = format!("host: {}", server.address);
        assert_eq!(lines, ["GET /x?y=z HTTP/1.1", "accept-encoding: identity", "accept: */*", &host, &agent]);
    }
}

#[test]
fn f8_proxies_of_the_environment_are_not_used() {
    // The variables are read at start, if at all: so the test above is run again by a process that has them.
    let nowhere = "http://127.0.0.1:9";
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "f08_nothing_of_its_own::f8_requests_are_plain"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        again.env(name, nowhere);
    }
    let output = again.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
