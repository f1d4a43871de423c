use std::time::Duration;

use futures_util::StreamExt;
use providers::{ChatProvider, openai::Options};
use serde_json::json;
use testkit::upstream::{Answer, Upstream};

use crate::support::{Streamed, call, class, provider, provider_with, stream};

#[tokio::test]
async fn a_stream_is_stamped_throughout() {
    let upstream = Upstream::start().await;
    upstream.next(Answer::streams(&["one", " two", " three"]));
    let call = call("theirs", &json!({"stream": true}));
    let id = call.stamp.id.clone();
    let streamed = stream(&provider(&upstream), call).await.unwrap();
    assert!(streamed.done && streamed.error.is_none());
    assert_eq!(streamed.text(), "one two three");
    assert_eq!(streamed.events.len(), 4, "{streamed:?}");
    for event in &streamed.events {
        assert_eq!(event["id"], id.as_str());
        assert_eq!((&event["created"], &event["model"]), (&json!(42), &json!("public")));
        assert!(event.get("usage").is_none());
    }
    assert_eq!(streamed.events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(streamed.events[3]["choices"][0]["finish_reason"], "stop");
    assert_eq!(streamed.usage.unwrap().total_tokens, 5);
    assert_eq!(upstream.chats()[0].json()["stream_options"], json!({"include_usage": true}));
}

#[tokio::test]
async fn the_usage_is_told_to_those_who_ask() {
    let upstream = Upstream::start().await;
    upstream.next(Answer::streams(&["one"]));
    let asks = json!({"stream": true, "stream_options": {"include_usage": true}});
    let streamed = stream(&provider(&upstream), call("m", &asks)).await.unwrap();
    assert_eq!(streamed.events.len(), 3);
    assert_eq!(streamed.events[0].get("usage"), Some(&json!(null)));
    let last = &streamed.events[2];
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(5)));

    upstream.next(Answer::streams(&["one"]));
    let options = Options { include_usage: false, ..Options::new(upstream.url()) };
    let streamed = stream(&provider_with(&options), call("m", &json!({"stream": true}))).await.unwrap();
    assert!(streamed.done);
    assert!(upstream.chats()[1].json().get("stream_options").is_none());
}

#[tokio::test]
async fn chunks_come_when_they_are_made() {
    let upstream = Upstream::start().await;
    upstream.next(Answer::stream().word("one").stall());
    let provider = provider_with(&Options::new(upstream.url()));
    let mut frames = provider.stream(call("m", &json!({"stream": true}))).await.unwrap();
    let first = frames.next().await.unwrap().unwrap();
    assert!(first.bytes.starts_with(b"data: {\"id\":\"chatcmpl-"));
    drop(frames);
    upstream.hung_up(1).await;
}

#[tokio::test]
async fn events_cut_anywhere_are_the_same() {
    let upstream = Upstream::start().await;
    let whole =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ä\"},\"finish_reason\":null}]}\r\n\r\n: hi\n\n\
                 data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
            .as_bytes();
    for size in [1, 2, 7, 64] {
        upstream.next(whole.chunks(size).fold(Answer::stream(), Answer::raw));
        let streamed = stream(&provider(&upstream), call("m", &json!({"stream": true}))).await.unwrap();
        assert!(streamed.done);
        assert_eq!((streamed.text().as_str(), streamed.events.len()), ("ä", 2));
    }
}

#[tokio::test]
async fn an_end_needs_a_reason_or_a_mark() {
    let upstream = Upstream::start().await;
    let provider = provider(&upstream);
    let stop = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
    for (answer, whole) in [
        (Answer::stream().word("a").chunk(&stop), true),
        (Answer::stream().word("a").chunk(&stop).raw("data: [DONE]\n"), true),
        (Answer::stream().word("a").done(), true),
        (Answer::stream().word("a"), false),
        (Answer::stream().word("a").raw("data: {\"choices\":[{\"index\":0,"), false),
        (Answer::stream().word("a").chunk(&stop).raw("data: {\"choices\":[{\"index\":0,"), false),
        (Answer::stream().word("a").cut(), false),
        (Answer::stream().word("a").chunk(&stop).cut(), false),
        (Answer::stream().word("a").raw("data: {\"cho").cut(), false),
        (Answer::stream().word("a").event("{nonsense}"), false),
        (Answer::stream().word("a").event(r#"{"error":{"message":"boo","code":500}}"#).done(), false),
    ] {
        upstream.next(answer.clone());
        let streamed = stream(&provider, call("m", &json!({"stream": true}))).await.unwrap();
        assert_eq!(streamed.text(), "a", "{answer:?}");
        assert_eq!(streamed.done, whole, "{answer:?}");
        assert_eq!(
            streamed.error.map_or("none", |error| error.class()),
            if whole { "none" } else { "failed" },
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_failure_at_once_comes_before_the_stream() {
    let upstream = Upstream::start().await;
    let provider = provider(&upstream);
    for (answer, expected) in [
        (Answer::stream().event(r#"{"error":{"message":"slow down","code":429}}"#), "busy"),
        (Answer::stream().event(r#"{"error":"boo"}"#), "failed"),
        (Answer::stream().event("garbage"), "failed"),
        (Answer::stream(), "failed"),
        (Answer::stream().cut(), "failed"),
        (Answer::text(200, "text/html", "<html></html>"), "failed"),
        (Answer::json(200, &json!({"error": {"message": "slow down", "code": "429"}})), "busy"),
        (Answer::says("no stream"), "failed"),
    ] {
        upstream.next(answer.clone());
        let result = provider.stream(call("m", &json!({"stream": true}))).await;
        assert_eq!(class(result), expected, "{answer:?}");
    }
}

#[tokio::test]
async fn silence_has_limits() {
    let upstream = Upstream::start().await;
    let patient = |first: u64, idle: u64, total: u64| {
        provider_with(&Options {
            first_byte_secs: first,
            idle_secs: idle,
            total_secs: total,
            ..Options::new(upstream.url())
        })
    };
    let asks = || call("m", &json!({"stream": true}));
    // No head.
    upstream.next(Answer::stream().head_after(Duration::from_hours(1)));
    assert_eq!(class(patient(1, 60, 60).stream(asks()).await), "timeout");
    // A head, and no event.
    upstream.next(Answer::stream().stall());
    assert_eq!(class(patient(1, 60, 60).stream(asks()).await), "timeout");
    // A head that promises no stream, and nothing of its body.
    upstream.next(Answer::text(200, "application/json", "").stall());
    assert_eq!(class(patient(1, 60, 60).stream(asks()).await), "timeout");
    // An event, and no further one.
    upstream.next(Answer::stream().word("a").stall());
    let streamed = stream(&patient(60, 1, 60), asks()).await.unwrap();
    assert_eq!((streamed.text().as_str(), streamed.error.unwrap().class()), ("a", "timeout"));
    // Events without end.
    let slowly = (0..50).fold(Answer::stream(), |answer, _| answer.word("a").wait(Duration::from_millis(100)));
    upstream.next(slowly);
    let streamed = stream(&patient(60, 60, 1), asks()).await.unwrap();
    assert_eq!((streamed.done, streamed.error.unwrap().class()), (false, "timeout"));
    upstream.hung_up(5).await;
}

#[tokio::test]
async fn a_server_that_thinks_begins_without_its_first_event() {
    let upstream = Upstream::start().await;
    upstream.next(Answer::stream().wait(Duration::from_millis(3_500)).word("a").done());
    let provider = provider_with(&Options::new(upstream.url()));
    let frames = provider.stream(call("m", &json!({"stream": true}))).await.unwrap();
    let streamed = Streamed::read(frames).await;
    assert_eq!((streamed.text().as_str(), streamed.done), ("a", true));
}

#[tokio::test]
async fn nothing_is_waited_for_behind_the_end_mark() {
    let upstream = Upstream::start().await;
    upstream.next(Answer::streams(&["a"]).stall());
    upstream.next(Answer::streams(&["a"]).word("more").done());
    for _ in 0..2 {
        let streamed = stream(&provider(&upstream), call("m", &json!({"stream": true}))).await.unwrap();
        assert!(streamed.done && streamed.error.is_none());
        assert_eq!(streamed.text(), "a");
    }
    upstream.hung_up(1).await;
}
