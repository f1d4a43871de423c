//! G6: stopping lets requests finish, within a limit.

use std::time::Duration;

use tokio::{net::TcpStream, time::timeout};

use super::{Client, status};
use crate::support::{App, PATIENCE};

#[tokio::test]
async fn requests_finish_and_idle_connections_end_at_once() {
    let served = App::new().listen(http_kit::ListenerOptions::default()).await;
    let mut idle = Client::connect(served.address).await;
    idle.send("GET /open HTTP/1.1\r\nhost: a\r\n\r\n").await;
    idle.until("open").await;
    let mut silent = Client::connect(served.address).await;
    let mut busy = Client::connect(served.address).await;
    busy.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    while served.app.edge.in_flight() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    served.app.draining.cancel();
    served.tasks.close();
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    let answer = busy.rest().await;
    assert_eq!(status(&answer), 200);
    assert!(answer.ends_with("slow but sure"), "{answer}");
    timeout(PATIENCE, served.tasks.wait()).await.expect("everything ends");
    assert!(TcpStream::connect(served.address).await.is_err(), "nothing more is accepted");
}

#[tokio::test]
async fn streams_go_on_until_the_limit_and_end_with_an_error() {
    let served = App::new().listen(http_kit::ListenerOptions::default()).await;
    let mut client = Client::connect(served.address).await;
    client.send("GET /stream/endless HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.until("data: 3").await;
    served.app.draining.cancel();
    served.tasks.close();
    assert!(timeout(Duration::from_millis(200), served.tasks.wait()).await.is_err(), "the stream is left alone");

    served.app.closing.cancel();
    let rest = client.rest().await;
    assert!(rest.contains("data: {\"error\":") && rest.contains("service_unavailable"), "{rest}");
    assert!(rest.ends_with("0\r\n\r\n"), "the body is whole, so that the last event is not lost: {rest:?}");
    timeout(PATIENCE, served.tasks.wait()).await.expect("everything ends");
}

#[tokio::test]
async fn what_does_not_end_by_itself_is_cut() {
    let served = App::new().listen(http_kit::ListenerOptions::default()).await;
    let mut client = Client::connect(served.address).await;
    client.send("GET /flood HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.until("200 OK").await;
    served.app.draining.cancel();
    served.app.closing.cancel();
    served.tasks.close();
    timeout(PATIENCE, served.tasks.wait()).await.expect("everything ends");
}

#[tokio::test]
async fn what_has_no_answer_yet_gets_one_at_the_limit() {
    let served = App::new().listen(http_kit::ListenerOptions::default()).await;
    let mut client = Client::connect(served.address).await;
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut typing = Client::connect(served.address).await;
    typing
        .send("POST /open HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{")
        .await;
    while served.app.edge.in_flight() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    served.app.draining.cancel();
    served.tasks.close();
    assert!(timeout(Duration::from_millis(200), served.tasks.wait()).await.is_err(), "the request is left alone");

    served.app.closing.cancel();
    for mut waiting in [client, typing] {
        let answer = waiting.rest().await;
        assert_eq!(status(&answer), 503, "{answer}");
        let answer = answer.to_ascii_lowercase();
        for part in ["service_unavailable", "\"request_id\":\"req_", "retry-after: ", "connection: close"] {
            assert!(answer.contains(part), "{part}: {answer}");
        }
    }
    timeout(PATIENCE, served.tasks.wait()).await.expect("everything ends");
}
