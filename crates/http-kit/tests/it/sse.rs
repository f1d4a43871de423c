//! Streams through the whole edge; the frames themselves are tested beside `sse.rs`.

use std::time::Duration;

use http_body_util::BodyExt;

use crate::support::{App, check_envelope, get_of};

fn last_event(text: &str) -> serde_json::Value {
    let event = text.trim_end().rsplit("data: ").next().unwrap();
    serde_json::from_str(event).unwrap()
}

#[tokio::test]
async fn frames_pass_one_by_one() {
    let app = App::new();
    let response = app.open(get_of("/stream/endless")).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let mut body = response.into_body();
    for n in 1..=3 {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame, format!("data: {n}\n\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_has_a_heartbeat() {
    let app = App::new();
    let mut body = app.open(get_of("/stream/silent")).await.into_body();
    for _ in 0..3 {
        let frame = tokio::time::timeout(Duration::from_secs(16), body.frame()).await.unwrap();
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), ": keep-alive\n\n");
    }
}

#[tokio::test]
async fn a_failure_in_mid_stream_is_its_last_event() {
    let answer = App::new().get("/stream/broken").await;
    assert_eq!(answer.status(), 200);
    let event = last_event(&answer.text);
    check_envelope(&event);
    assert_eq!(event["error"]["code"], "upstream_error");
    assert_eq!(event["error"]["request_id"].as_str(), answer.header("x-request-id"));
}

#[tokio::test]
async fn when_the_server_closes_a_stream_ends_with_an_error() {
    let app = App::new();
    let mut body = app.open(get_of("/stream/endless")).await.into_body();
    body.frame().await.unwrap().unwrap();
    app.closing.cancel();
    let rest = body.collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&rest).unwrap();
    let event = last_event(text);
    check_envelope(&event);
    assert_eq!(event["error"]["code"], "service_unavailable");
    assert!(text.ends_with("\n\n"));
}
