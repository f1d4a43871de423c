//! A stop that was asked for lets streams finish, takes nothing new, and ends with 0.

use std::time::{Duration, Instant};

use http::Method;
use http_body_util::BodyExt;
use serde_json::json;
use testkit::upstream::{Answer, Upstream};
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
async fn what_has_no_answer_at_the_limit_is_told_so() {
    let mut server = Setup::new().scripted().args(&["--drain-timeout", "1"]).start().await;
    let (_, key) = server.key(&server.guest().await).await;
    let body = json!({"model": "scripted/silent", "stream": true, "messages": [{"role": "user", "content": "?"}]});
    let url = server.url("llm-api", "/v1/chat/completions");
    let begun = Instant::now();
    let (answer, ()) = tokio::join!(server.try_call(Method::POST, &url, Some(&key), Some(&body)), async {
        sleep(Duration::from_millis(300)).await;
        server.signal("TERM");
    });
    let answer = answer.unwrap().expect(503);
    assert_eq!(answer.json()["error"]["code"], "service_unavailable", "{}", answer.text());
    assert!(answer.headers.contains_key("retry-after"), "{:?}", answer.headers);
    assert_eq!(answer.headers["connection"], "close");
    assert_eq!(server.end().await.code(), Some(0), "{}", server.log());
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn a_stream_without_end_ends_with_an_error_at_the_limit() {
    let upstream = Upstream::start().await;
    upstream.always(Answer::stream().word("Hel").word("lo").stall());
    let arguments = ["--no-embedded-model", "--drain-timeout", "1", "--upstream", &upstream.url()];
    let mut server = Setup::new().args(&arguments).start().await;
    let (_, key) = server.key(&server.guest().await).await;
    server.lists(&key, "upstream-chat").await;
    let stream = server.stream(&server.url("gateway", "/v1/chat/completions"), &key, "upstream-chat").await;
    server.signal("TERM");
    let rest = stream.collect().await.expect("the body is whole").to_bytes();
    let rest = String::from_utf8_lossy(&rest);
    let last = rest.trim_end().rsplit("\n\n").next().unwrap().strip_prefix("data: ").unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["error"]["code"], "service_unavailable", "{rest}");
    assert!(!rest.contains("[DONE]"), "{rest}");
    upstream.hung_up(1).await;
    assert_eq!(server.end().await.code(), Some(0), "{}", server.log());
}
