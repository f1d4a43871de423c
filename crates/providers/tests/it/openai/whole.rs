use domain::Secret;
use providers::{ChatProvider, openai::Options};
use serde_json::{Value, json};
use testkit::upstream::{Answer, Upstream};

use crate::support::{call, class, provider, provider_with};

#[tokio::test]
async fn an_answer_is_stamped_and_its_request_passed_on() {
    let upstream = Upstream::start().await;
    let options = Options { key: Some(Secret::new("sk-upstream")), ..Options::new(upstream.url()) };
    let call = call("vendor/theirs", &json!({"unknown": {"a": [1]}, "seed": 7}));
    let whole = provider_with(&options).complete(call.clone()).await.unwrap();

    let answer: Value = serde_json::from_slice(&whole.body).unwrap();
    assert_eq!(
        answer,
        json!({
            "id": call.stamp.id.as_str(), "object": "chat.completion", "created": 42, "model": "public",
            "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null, "message":
                {"role": "assistant", "content": "Hello there", "refusal": null, "annotations": []}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        })
    );
    assert_eq!(whole.usage.unwrap().total_tokens, 5);

    let [seen] = &upstream.chats()[..] else { panic!("asked once") };
    assert_eq!(seen.target, "POST /v1/chat/completions");
    assert_eq!(seen.header("authorization"), Some("Bearer sk-upstream"));
    let sent = seen.json();
    assert_eq!((&sent["model"], &sent["seed"]), (&json!("vendor/theirs"), &json!(7)));
    assert_eq!(sent["unknown"], json!({"a": [1]}));
    assert!(sent.get("stream_options").is_none());
}

#[tokio::test]
async fn connections_are_used_again() {
    let upstream = Upstream::start().await;
    let provider = provider(&upstream);
    for _ in 0..3 {
        provider.complete(call("m", &json!({}))).await.unwrap();
        upstream.next(Answer::streams(&["a"]));
        let streamed = crate::support::stream(&provider, call("m", &json!({"stream": true}))).await.unwrap();
        assert!(streamed.done);
    }
    let connections: Vec<u64> = upstream.chats().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1; 6]);
}

#[tokio::test]
async fn garbage_is_a_failure() {
    let upstream = Upstream::start().await;
    let provider = provider(&upstream);
    for answer in [
        Answer::text(200, "application/json", "{\"choices\": [{"),
        Answer::text(200, "text/html", "<html><body>It works!</body></html>"),
        Answer::text(200, "application/json", ""),
        Answer::json(200, &json!({"choices": []})),
        Answer::json(200, &json!({"error": {"message": "boo"}})),
        Answer::text(200, "application/json", "{\"choices\"").cut(),
        Answer::text(200, "application/json", vec![b' '; 21 * 1024 * 1024]),
    ] {
        upstream.next(answer);
        assert_eq!(class(provider.complete(call("m", &json!({}))).await), "failed");
    }
}

#[tokio::test]
async fn a_large_answer_comes_through() {
    let upstream = Upstream::start().await;
    let text = "wörd ".repeat(1_000_000);
    upstream.next(Answer::says(&text));
    let whole = provider(&upstream).complete(call("m", &json!({}))).await.unwrap();
    let answer: Value = serde_json::from_slice(&whole.body).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], text);
}

#[tokio::test]
async fn a_caller_who_leaves_frees_the_upstream() {
    let upstream = Upstream::start().await;
    let provider = provider(&upstream);
    upstream.next(Answer::says("late").head_after(std::time::Duration::from_hours(1)));
    let asking = provider.complete(call("m", &json!({})));
    tokio::select! {
        _ = asking => panic!("there is no answer"),
        () = upstream.asked(1) => {}
    }
    upstream.hung_up(1).await;
}

#[tokio::test]
async fn a_whole_answer_has_a_limit() {
    let upstream = Upstream::start().await;
    upstream.next(Answer::stream().stall());
    let provider = provider_with(&Options { total_secs: 1, ..Options::new(upstream.url()) });
    assert_eq!(class(provider.complete(call("m", &json!({}))).await), "timeout");
    upstream.hung_up(1).await;
}
