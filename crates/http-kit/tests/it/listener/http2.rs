//! HTTP/2 on the same port.

use axum::body::Body;
use http::{Request, Version};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::timeout;

use super::{Client, hurried};
use crate::support::{App, PATIENCE, Served};

async fn connect(served: &Served) -> hyper::client::conn::http2::SendRequest<Body> {
    let io = TokioIo::new(served.connect().await);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    served.tasks.spawn(connection);
    sender
}

fn get(path: &str) -> Request<Body> {
    Request::get(format!("http://a{path}")).version(Version::HTTP_2).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn requests_share_a_connection() {
    let served = App::new().listen(hurried()).await;
    let sender = connect(&served).await;
    let answers = (0..50).map(|_| {
        let mut sender = sender.clone();
        async move {
            let response = sender.send_request(get("/open")).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
            assert!(response.headers().contains_key("x-request-id"));
            response.into_body().collect().await.unwrap().to_bytes()
        }
    });
    let answers = timeout(PATIENCE, futures_util::future::join_all(answers)).await.unwrap();
    assert!(answers.iter().all(|answer| answer == "open"));
}

#[tokio::test]
async fn failures_and_streams_are_as_on_http_1() {
    let served = App::new().listen(hurried()).await;
    let mut sender = connect(&served).await;
    let refused = sender.send_request(get("/closed")).await.unwrap();
    assert_eq!(refused.status(), 401);
    let mut body = sender.send_request(get("/stream/endless")).await.unwrap().into_body();
    let first = timeout(PATIENCE, body.frame()).await.unwrap().unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"data: 1"));
    let edge = served.app.edge.clone();
    drop(body);
    let gone = async {
        while edge.in_flight() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("a stream that is reset ends its request");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let served = App::new().listen(hurried()).await;
    let mut sender = connect(&served).await;
    sender.send_request(get("/open")).await.unwrap();
    let closed = async {
        while sender.ready().await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, closed).await.expect("it is closed in time");
}

#[tokio::test]
async fn a_connection_that_stops_after_its_preface_is_closed() {
    let served = App::new().listen(hurried()).await;
    let mut client = Client::connect(served.address).await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.rest().await;
}
