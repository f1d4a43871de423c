//! G1, G2: nobody waits for ever.

use std::time::Duration;

use http_kit::{EdgeOptions, ListenerOptions};
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout},
};

use super::{Client, hurried, status};
use crate::support::{App, PATIENCE};

const HEAD: &str = "GET /open HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let served = App::new().listen(hurried()).await;
    let mut client = Client::connect(served.address).await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_head_that_drips_is_closed() {
    let served = App::new().listen(hurried()).await;
    let mut client = Client::connect(served.address).await;
    let started = Instant::now();
    client.send("GET /open HTTP/1.1\r\n").await;
    // A header every now and then does not move the deadline.
    let dripping = async {
        while client.0.write_all(b"x-drip: drop\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, dripping).await.expect("the connection is closed in time");
    assert!(started.elapsed() >= Duration::from_millis(900), "and not before its time");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_one_in_use_is_not() {
    // In use for longer than it may be idle, with pauses that are far shorter.
    let served = App::new().listen(ListenerOptions { idle_timeout: 3, ..hurried() }).await;
    let mut client = Client::connect(served.address).await;
    for _ in 0..8 {
        client.send(HEAD).await;
        assert_eq!(status(&client.until("\r\n\r\nopen").await), 200);
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_long_answer_is_not_idle() {
    let served = App::new().listen(hurried()).await;
    // `/slow` takes longer than any of the times.
    let mut client = Client::connect(served.address).await;
    client.send("GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(client.rest().await.ends_with("slow but sure"));
}

#[tokio::test]
async fn a_body_that_drips_is_refused_and_closed() {
    let served = App::with(EdgeOptions { body_grace: 1, ..EdgeOptions::default() }).listen(hurried()).await;
    let mut client = Client::connect(served.address).await;
    client
        .send("POST /open HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{")
        .await;
    let (mut read, mut write) = client.0.into_split();
    let dripping = async {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let mut answer = String::new();
    let reading = async {
        let _reset = tokio::io::AsyncReadExt::read_to_string(&mut read, &mut answer).await;
    };
    timeout(PATIENCE, async { tokio::join!(dripping, reading) }).await.expect("the connection is closed in time");
    assert_eq!(status(&answer), 408);
    assert!(answer.contains("request_timeout"), "{answer}");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_closed() {
    let app = App::new();
    let edge = app.edge.clone();
    let served = app.listen(hurried()).await;
    let mut client = Client::connect(served.address).await;
    client.send("GET /flood HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.until("200 OK").await;
    // Not a byte more is read: once the buffers are full the server stops waiting.
    let gone = async {
        while edge.in_flight() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the request ends in time");
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_its_request() {
    let app = App::new();
    let edge = app.edge.clone();
    let served = app.listen(hurried()).await;
    let mut client = Client::connect(served.address).await;
    client.send("GET /stream/endless HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.until("data: 3").await;
    assert_eq!(edge.in_flight(), 1);
    drop(client);
    let gone = async {
        while edge.in_flight() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the request ends with its client");
}
