//! A stop that was asked for lets streams finish, takes nothing new, and ends with 0.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;
use tokio::time::sleep;

use crate::server::{PATIENCE, Setup};

#[tokio::test]
async fn a_stream_that_runs_is_finished_and_the_process_ends_well() {
    let mut server = Setup::new().scripted().start().await;
    let (_, key) = server.key(&server.guest().await).await;
    let words = "one two three four five six seven eight nine ten eleven twelve";
    let body = json!({"model": "scripted/slow", "stream": true, "messages": [{"role": "user", "content": words}]});
    let url = server.url("gateway", "/v1/chat/completions");

    let (answer, ()) = tokio::join!(server.call(Method::POST, &url, Some(&key), Some(&body)), async {
        // Some words are out by then and some are not; if all are, the test is still right, only weaker.
        sleep(Duration::from_millis(300)).await;
        server.signal("TERM");
    });
    let text = answer.expect(200).text();
    assert!(text.contains("twelve") && text.trim_end().ends_with("data: [DONE]"), "{text}");
    let status = server.end().await;
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(!server.data().join("ports.json").exists(), "nobody listens any more");
}

#[tokio::test]
async fn a_stream_without_end_is_cut_at_the_limit() {
    let mut server = Setup::new().scripted().args(&["--drain-timeout", "1"]).start().await;
    let (_, key) = server.key(&server.guest().await).await;
    let body = json!({"model": "scripted/silent", "stream": true, "messages": [{"role": "user", "content": "?"}]});
    let url = server.url("llm-api", "/v1/chat/completions");
    let begun = Instant::now();
    let (answer, ()) = tokio::join!(server.try_call(Method::POST, &url, Some(&key), Some(&body)), async {
        sleep(Duration::from_millis(300)).await;
        server.signal("TERM");
    });
    assert!(answer.is_err_and(|error| !error.contains("in time")), "nothing was said, so the connection is cut");
    assert_eq!(server.end().await.code(), Some(0), "{}", server.log());
    assert!(begun.elapsed() < PATIENCE);
}
