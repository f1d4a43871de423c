//! One line for each request, by whatever end it comes to (`docs/reference/request-log.md`).

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use serde_json::Value;

use crate::support::{App, get_of, post_of, sent_by};

/// What was logged on this thread since it was made.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn requests(&self) -> Vec<Value> {
        self.of("request")
    }

    fn of(&self, target: &str) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["target"] == target).map(|line| line["fields"].clone()).collect()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn record() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn a_request_leaves_one_line() {
    let (lines, _guard) = record();
    let app = App::new();
    let request = Request::get("/closed?secret=query")
        .header("authorization", "Bearer user")
        .header("x-request-id", "id-1")
        .body(Body::empty())
        .unwrap();
    app.call(sent_by(request, "203.0.113.7:9")).await;
    let requests = lines.requests();
    let [line] = &requests[..] else { panic!("{requests:?}") };
    for (field, value) in [
        ("service", "test-api"),
        ("method", "GET"),
        ("route", "/closed"),
        ("request_id", "id-1"),
        ("caller", "user_0123456789abcdef"),
        ("auth", "jwt"),
        ("client", "203.0.113.7"),
    ] {
        assert_eq!(line[field], value, "{line}");
    }
    assert_eq!(line["status"], 200);
    assert_eq!(line["complete"], true);
    assert_eq!(line["bytes"], "user_0123456789abcdef".len());
    assert!(line["duration_ms"].as_f64().unwrap() >= line["head_ms"].as_f64().unwrap());
    for secret in ["secret=query", "Bearer", "mail@", "subject-of"] {
        assert!(!lines.text().contains(secret), "{}", lines.text());
    }
}

#[tokio::test]
async fn failures_leave_one_line_too() {
    let (lines, _guard) = record();
    let app = App::new();
    let panics = Request::get("/panics").header("x-api-key", "user").body(Body::empty()).unwrap();
    let wrong_verb = Request::delete("/open").body(Body::empty()).unwrap();
    for request in
        [get_of("/nowhere/42"), get_of("/a%2fb"), get_of("/closed"), wrong_verb, post_of("/small", "{"), panics]
    {
        app.call(request).await;
    }
    let seen: Vec<_> = lines
        .requests()
        .iter()
        .map(|line| (line["route"].as_str().unwrap().to_owned(), line["status"].as_u64().unwrap()))
        .collect();
    let expected =
        [("unmatched", 404), ("unmatched", 400), ("/closed", 401), ("/open", 405), ("/small", 400), ("/panics", 500)];
    assert_eq!(seen, expected.map(|(route, status)| (route.to_owned(), status)));
    assert!(lines.requests().iter().all(|line| line["complete"] == true), "{}", lines.text());
    // What only the operator may know is in a line of its own.
    assert!(lines.text().contains("secret words of a panic"));
}

#[tokio::test]
async fn a_failure_in_mid_stream_is_logged_as_what_it_is() {
    let (lines, _guard) = record();
    App::new().get("/stream/broken").await;
    let failure = lines.of("http_kit::error");
    assert_eq!((&failure[0]["status"], &failure[0]["code"]), (&502.into(), &"upstream_error".into()), "{failure:?}");
}

#[tokio::test]
async fn a_client_that_leaves_shows_as_incomplete() {
    let (lines, _guard) = record();
    let app = App::new();
    // After some events; before the first event; before the head.
    let mut body = app.open(get_of("/stream/endless")).await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    drop(app.open(get_of("/stream/silent")).await);
    let mut waiting = Box::pin(app.open(get_of("/slow")));
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    drop(waiting);

    let seen: Vec<_> = lines
        .requests()
        .iter()
        .map(|line| {
            (line["status"].as_u64().unwrap(), line["complete"].as_bool().unwrap(), line["bytes"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(seen, [(200, false, 9), (200, false, 0), (499, false, 0)]);
    assert_eq!(lines.requests()[0]["model"], "model-1");
    assert_eq!(lines.requests()[0]["stream"], true);
}

#[tokio::test]
async fn answers_without_a_body_are_complete() {
    let (lines, _guard) = record();
    let app = App::new();
    app.open(Request::head("/open").body(Body::empty()).unwrap()).await;
    app.open(Request::options("/open").body(Body::empty()).unwrap()).await;
    assert!(lines.requests().iter().all(|line| line["complete"] == true), "{}", lines.text());
    assert_eq!(lines.requests().len(), 2);
}
