use std::time::Duration;

use providers::{ChatProvider, openai::Options};
use serde_json::json;
use testkit::upstream::{Answer, Upstream};
use tokio::net::TcpListener;

use crate::support::{call, class, provider, provider_with};

#[tokio::test]
async fn statuses_keep_their_class_whether_streamed_or_not() {
    let upstream = Upstream::start().await;
    let provider = provider(&upstream);
    for (status, expected) in [
        (400, "refused"),
        (401, "failed"),
        (403, "failed"),
        (404, "no_such_model"),
        (413, "too_large"),
        (422, "refused"),
        (429, "busy"),
        (500, "failed"),
        (503, "unavailable"),
        (504, "timeout"),
    ] {
        for streams in [false, true] {
            upstream.always(Answer::error(status, "words"));
            let call = call("m", &json!({"stream": streams}));
            let class = if streams { class(provider.stream(call).await) } else { class(provider.complete(call).await) };
            assert_eq!(class, expected, "{status} {streams}");
        }
    }
}

#[tokio::test]
async fn a_pause_is_kept_and_bounded() {
    let upstream = Upstream::start().await;
    let provider = provider(&upstream);
    for (value, expected) in [("7", 7), ("4000", 120)] {
        upstream.next(Answer::error(429, "slow down").header("retry-after", value));
        match provider.complete(call("m", &json!({}))).await {
            Err(providers::Error::Busy { retry_after }) => assert_eq!(retry_after, Some(Duration::from_secs(expected))),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_nothing_else() {
    let upstream = Upstream::start().await;
    let provider = provider(&upstream);
    upstream.next(Answer::error(500, "hiccup"));
    upstream.next(Answer::error(502, "hiccup"));
    provider.complete(call("m", &json!({}))).await.unwrap();
    assert_eq!(upstream.chats().len(), 3);
    assert!(upstream.chats().windows(2).all(|pair| pair[0].body == pair[1].body));

    upstream.always(Answer::error(503, "down"));
    assert_eq!(class(provider.complete(call("m", &json!({}))).await), "unavailable");
    assert_eq!(upstream.chats().len(), 6);

    for status in [400, 401, 404, 429] {
        let before = upstream.chats().len();
        upstream.next(Answer::error(status, "no"));
        assert_ne!(class(provider.complete(call("m", &json!({}))).await), "none");
        assert_eq!(upstream.chats().len(), before + 1, "{status}");
    }
    // A server that names its pause is not pressed, and one that began to answer is not asked twice.
    let before = upstream.chats().len();
    upstream.next(Answer::error(503, "down").header("retry-after", "9"));
    assert_eq!(class(provider.complete(call("m", &json!({}))).await), "unavailable");
    upstream.next(Answer::stream().raw("{").cut());
    assert_eq!(class(provider.complete(call("m", &json!({}))).await), "failed");
    assert_eq!(upstream.chats().len(), before + 2);
}

#[tokio::test]
async fn a_dead_server_is_a_failure_and_its_address_stays_here() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let provider = provider_with(&Options::new(format!("http://{address}/v1")));
    let error = provider.complete(call("m", &json!({}))).await.unwrap_err();
    assert_eq!(error.class(), "failed");
    let error = domain::Error::from(error);
    assert_eq!(error.code(), "upstream_error");
    assert!(!error.message().contains("127.0.0.1"));
    assert!(!error.causes().is_empty());
    assert_eq!(class(provider.stream(call("m", &json!({"stream": true}))).await), "failed");
    assert_eq!(class(provider.models().await), "failed");
}

#[tokio::test]
async fn a_refusal_tells_why_without_telling_where() {
    let upstream = Upstream::start().await;
    upstream.next(Answer::error(400, "bad seed, see http://10.0.0.1/docs"));
    let error = provider(&upstream).complete(call("m", &json!({}))).await.unwrap_err();
    assert_eq!(domain::Error::from(error).message(), "The model's provider refuses the request: bad seed, see …");
    upstream.next(Answer::text(401, "application/json", r#"{"error":{"message":"Incorrect API key sk-abc"}}"#));
    let error = domain::Error::from(provider(&upstream).complete(call("m", &json!({}))).await.unwrap_err());
    assert!(!error.message().contains("sk-abc") && !error.causes().contains("sk-abc"));
    assert!(error.causes().contains("key"), "{}", error.causes());
}
