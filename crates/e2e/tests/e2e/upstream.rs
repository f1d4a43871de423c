//! Upstreams that misbehave: the caller gets a failure that is one, in the envelope, and never their address or key.

use http::Method;
use serde_json::json;
use testkit::upstream::{Answer, Upstream};

use crate::server::{Server, Setup};

const KEY: &str = "sk-upstream-secret";

async fn before(upstream: &Upstream) -> (Server, String) {
    let address = format!("{},{KEY}", upstream.url());
    let server = Setup::new().arg("--no-embedded-model").arg("--upstream").arg(address).start().await;
    let (_, key) = server.key(&server.guest().await).await;
    server.lists(&key, "upstream-chat").await;
    (server, key)
}

async fn stream(server: &Server, key: &str) -> crate::server::Answer {
    let body = json!({"model": "upstream-chat", "stream": true, "messages": [{"role": "user", "content": "?"}]});
    server.call(Method::POST, &server.url("gateway", "/v1/chat/completions"), Some(key), Some(&body)).await
}

#[tokio::test]
async fn failures_keep_their_class_and_give_nothing_away() {
    let upstream = Upstream::start().await;
    let (server, key) = before(&upstream).await;
    for (answer, status) in [
        (Answer::error(400, "no such field"), 400),
        (Answer::error(401, "bad key sk-upstream-secret"), 502),
        (Answer::error(403, "not yours"), 502),
        (Answer::error(429, "slow down").header("retry-after", "7"), 429),
        (Answer::text(200, "text/html", "<h1>It works!</h1>"), 502),
        (Answer::text(200, "application/json", "{\"choices\": "), 502),
    ] {
        for streamed in [false, true] {
            upstream.next(answer.clone());
            let failure =
                if streamed { stream(&server, &key).await } else { server.chat(&key, "upstream-chat", "?").await };
            let failure = failure.expect(status);
            let text = failure.text();
            assert!(failure.json()["error"]["message"].is_string(), "{text}");
            for secret in [KEY, "127.0.0.1", &upstream.address().port().to_string()] {
                assert!(!text.contains(secret), "{text}");
            }
            if status == 429 {
                assert_eq!(failure.headers["retry-after"], "7");
            }
        }
    }
    assert!(!server.log().contains(KEY), "a key is in the log");
    assert!(upstream.chats()[0].header("authorization").is_some_and(|header| header.ends_with(KEY)));
    assert!(
        !upstream.chats()[0].headers.iter().any(|(_, value)| value.contains(&key)),
        "the caller's key went upstream"
    );
}

#[tokio::test]
async fn a_stream_that_breaks_off_does_not_end_like_a_whole_one() {
    let upstream = Upstream::start().await;
    let (server, key) = before(&upstream).await;
    upstream.next(Answer::stream().word("Hel").word("lo").cut());
    let text = stream(&server, &key).await.expect(200).text();
    assert!(text.contains("Hel") && text.contains("lo"), "{text}");
    assert!(text.contains("\"error\""), "{text}");
    assert!(!text.contains("[DONE]") && !text.contains("\"finish_reason\":\"stop\""), "{text}");
}

#[tokio::test]
async fn a_dead_upstream_does_not_stop_the_start() {
    let upstream = Upstream::start().await;
    let dead = upstream.url();
    drop(upstream);
    let server = Setup::new().scripted().arg("--upstream").arg(dead).start().await;
    let (_, key) = server.key(&server.guest().await).await;
    server.chat(&key, "scripted/echo", "well").await.expect(200);
}
