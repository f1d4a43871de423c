//! G3: heads, addresses and bodies have bounds, and a refusal can be read by who is still sending.

use std::fmt::Write as _;

use super::{Client, hurried, status};
use crate::support::App;

#[tokio::test]
async fn too_large_a_head_is_431() {
    let served = App::new().listen(hurried()).await;
    let long = format!("GET /open HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n", "a".repeat(64 * 1024));
    let answer = Client::exchange(served.address, long).await;
    assert_eq!(status(&answer), 431);
    assert!(answer.contains("headers_too_large") && answer.contains("request_id"), "{answer}");

    let mut many = "GET /open HTTP/1.1\r\nhost: a\r\n".to_owned();
    for n in 0..300 {
        write!(many, "x-{n}: 1\r\n").unwrap();
    }
    let answer = Client::exchange(served.address, many + "\r\n").await;
    assert_eq!(status(&answer), 431);
    assert!(answer.contains("headers_too_large"), "{answer}");
}

#[tokio::test]
async fn a_head_within_bounds_is_served() {
    let served = App::new().listen(hurried()).await;
    let fits =
        format!("GET /open HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-long: {}\r\n\r\n", "a".repeat(16 * 1024));
    assert_eq!(status(&Client::exchange(served.address, fits).await), 200);
}

#[tokio::test]
async fn too_long_an_address_is_414() {
    let served = App::new().listen(hurried()).await;
    let request = format!("GET /{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "a".repeat(9 * 1024));
    let answer = Client::exchange(served.address, request).await;
    assert_eq!(status(&answer), 414);
    assert!(answer.contains("uri_too_long"), "{answer}");
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_sends_everything_first() {
    let served = App::new().listen(hurried()).await;
    // The route takes a mebibyte of a known caller, and neither of these is that.
    for (credentials, expected) in [("", 401), ("x-api-key: user\r\n", 413)] {
        let length = 8 * 1024 * 1024;
        let mut client = Client::connect(served.address).await;
        client
            .send(format!(
                "POST /closed HTTP/1.1\r\nhost: a\r\n{credentials}content-type: application/json\r\n\
                 content-length: {length}\r\n\r\n"
            ))
            .await;
        let piece = vec![b' '; 65_536];
        for _ in 0..length / piece.len() {
            client.send(&piece).await;
        }
        let answer = client.until("request_id").await;
        assert_eq!(status(&answer), expected, "{answer}");
    }
}

#[tokio::test]
async fn a_chunked_body_is_bounded_as_well() {
    let served = App::new().listen(hurried()).await;
    let mut client = Client::connect(served.address).await;
    client
        .send(
            "POST /small HTTP/1.1\r\nhost: a\r\nx-api-key: user\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\n\r\n",
        )
        .await;
    client.send(format!("c8\r\n{}\r\n0\r\n\r\n", " ".repeat(200))).await;
    let answer = client.until("request_id").await;
    assert_eq!(status(&answer), 413, "{answer}");
}
