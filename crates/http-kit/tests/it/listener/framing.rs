//! G4: what could be read in two ways is refused, and the connection ends.

use super::{Client, hurried, status};
use crate::support::App;

/// A second request that nobody must see, where a body was to hide it.
const SMUGGLED: &str = "GET /open HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn ambiguous_requests_are_400_and_the_connection_ends() {
    let served = App::new().listen(hurried()).await;
    for (name, request) in [
        (
            "length and chunks",
            format!(
                "POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"
            ),
        ),
        (
            "chunks and length",
            format!(
                "POST /open HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{SMUGGLED}"
            ),
        ),
        (
            "two lengths",
            format!("POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 4\r\n\r\n{SMUGGLED}"),
        ),
        ("no number", format!("POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: +4\r\n\r\n{SMUGGLED}")),
        ("two hosts", format!("GET /open HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n{SMUGGLED}")),
        ("no name of a host", format!("GET /open HTTP/1.1\r\nhost: a b@c/d\r\n\r\n{SMUGGLED}")),
        (
            "two codings",
            "POST /open HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(),
        ),
        (
            "a coding twice",
            "POST /open HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n\
             0\r\n\r\n"
                .to_owned(),
        ),
        ("bare line feeds", "GET /open HTTP/1.1\nhost: a\n\n".to_owned()),
        ("one bare line feed", "GET /open HTTP/1.1\r\nhost: a\nx: b\r\n\r\n".to_owned()),
        ("no host", format!("GET /open HTTP/1.1\r\nx: a\r\n\r\n{SMUGGLED}")),
        ("NUL in a header", format!("GET /open HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n{SMUGGLED}")),
        ("space before the colon", format!("GET /open HTTP/1.1\r\nhost: a\r\ncontent-length : 4\r\n\r\n{SMUGGLED}")),
        ("folded header", format!("GET /open HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n{SMUGGLED}")),
        ("no HTTP at all", "nonsense\r\n\r\n".to_owned()),
        ("another coding", format!("POST /open HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n{SMUGGLED}")),
    ] {
        let answer = Client::exchange(served.address, &request).await;
        assert_eq!(status(&answer), 400, "{name}: {answer}");
        assert!(answer.contains("invalid_request") && answer.contains("\"request_id\":\"req_"), "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{name}: a second answer: {answer}");
    }
}

#[tokio::test]
async fn an_ambiguous_request_is_refused_behind_another_one() {
    let served = App::new().listen(hurried()).await;
    let ambiguous =
        "POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    // Both in one packet, and each in its own.
    let answer = Client::exchange(served.address, format!("{SMUGGLED}{ambiguous}")).await;
    assert!(answer.contains("200 OK") && answer.contains("never both"), "{answer}");
    let mut client = Client::connect(served.address).await;
    client.send(SMUGGLED).await;
    client.until("open").await;
    client.send(ambiguous).await;
    assert!(client.rest().await.contains("never both"));
    // Its head cut in two, the first part in the packet of the other request.
    let mut client = Client::connect(served.address).await;
    let (first, second) = ambiguous.split_at(ambiguous.find("transfer").unwrap());
    client.send(format!("{SMUGGLED}{first}")).await;
    client.until("open").await;
    client.send(second).await;
    assert!(client.rest().await.contains("never both"));
    // Behind a body that holds what ends a head.
    for body in ["transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "content-length: 4\r\n\r\n\r\n\r\n"] {
        let first = format!("POST /open HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{body}");
        let answer = Client::exchange(served.address, format!("{first}{ambiguous}")).await;
        assert!(answer.contains("never both"), "{body}: {answer}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_body_is_no_head() {
    let served = App::new().listen(hurried()).await;
    let mut client = Client::connect(served.address).await;
    // Refused by its head, and the body comes behind: with lines as people write them, and a length among them.
    client.send("POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\n").await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    client.send("\n\n\n\n").await;
    let answer = client.until("request_id").await;
    assert_eq!(status(&answer), 404, "{answer}");
    client.send("GET /open HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let answer = client.rest().await;
    assert!(answer.is_empty() || status(&answer) == 200, "{answer}");
}

#[tokio::test]
async fn chunks_alone_are_served_however_the_head_is_cut() {
    let served = App::new().listen(hurried()).await;
    let mut client = Client::connect(served.address).await;
    let body = "{\"name\":\"\",\n\"content-length:\": 4\n}";
    let chunked = format!(
        "POST /open HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    for cut in [1, 30, 60, 90, chunked.len() - 1] {
        client.send(&chunked[..cut]).await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        client.send(&chunked[cut..]).await;
        assert_eq!(status(&client.until("\"parts\"").await), 200);
    }
}

#[tokio::test]
async fn odd_chunks_are_400_and_the_connection_ends() {
    let served = App::new().listen(hurried()).await;
    for (name, chunks) in [
        ("bare line feed", "4\nabcd\n0\n\n"),
        ("no number", "x\r\nabcd\r\n0\r\n\r\n"),
        ("too large a number", "fffffffffffffffff\r\nabcd\r\n0\r\n\r\n"),
        ("longer than it says", "2\r\nabcd\r\n0\r\n\r\n"),
    ] {
        let request = format!(
            "POST /open HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
             {chunks}{SMUGGLED}"
        );
        let answer = Client::exchange(served.address, &request).await;
        assert_eq!(status(&answer), 400, "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{name}: a second answer: {answer}");
    }
}

#[tokio::test]
async fn http_1_0_needs_no_host() {
    let served = App::new().listen(hurried()).await;
    assert_eq!(status(&Client::exchange(served.address, "GET /open HTTP/1.0\r\n\r\n").await), 200);
}

#[tokio::test]
async fn no_tunnel_and_no_upgrade() {
    let served = App::new().listen(hurried()).await;
    let connect = "CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n";
    assert!(status(&Client::exchange(served.address, connect).await) >= 400);
    let upgrade = "GET /open HTTP/1.1\r\nhost: a\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(status(&Client::exchange(served.address, upgrade).await), 200);
}
