//! A client that leaves frees the upstream.

use std::time::Duration;

use http::Method;
use serde_json::json;
use testkit::upstream::{Answer, Upstream};

use crate::server::Setup;

#[tokio::test]
async fn leaving_a_stream_reaches_the_upstream_through_both_doors() {
    let upstream = Upstream::start().await;
    let server = Setup::new().arg("--no-embedded-model").arg("--upstream").arg(upstream.url()).start().await;
    let (_, key) = server.key(&server.guest().await).await;
    server.lists(&key, "upstream-chat").await;
    for (left, door) in server.doors().into_iter().enumerate() {
        upstream.next(Answer::stream().word("Hel").stall());
        drop(server.stream(&format!("{door}/chat/completions"), &key, "upstream-chat").await);
        upstream.hung_up(left as u64 + 1).await;
    }
}

#[tokio::test]
async fn leaving_before_the_answer_begins_reaches_the_upstream() {
    let upstream = Upstream::start().await;
    let server = Setup::new().arg("--no-embedded-model").arg("--upstream").arg(upstream.url()).start().await;
    let (_, key) = server.key(&server.guest().await).await;
    server.lists(&key, "upstream-chat").await;
    upstream.next(Answer::says("too late").head_after(Duration::from_hours(1)));
    let body = json!({"model": "upstream-chat", "messages": [{"role": "user", "content": "?"}]});
    let url = server.url("llm-api", "/v1/chat/completions");
    {
        let waiting = server.try_call(Method::POST, &url, Some(&key), Some(&body));
        tokio::select! {
            answer = waiting => panic!("no answer was on its way: {answer:?}"),
            () = upstream.asked(1) => {}
        }
    }
    upstream.hung_up(1).await;
}
