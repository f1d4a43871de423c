use http::{Method, Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use testkit::{
    client::Client,
    upstream::{Answer, Upstream},
};

use crate::support::{App, NOW};

const PATH: &str = "/v1/chat/completions";

fn chat(model: &str, patch: &Value) -> Value {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "one two three"}]});
    for (key, value) in patch.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

/// The chunks of a stream that ends well.
async fn chunks(client: &Client, body: &Value) -> Vec<Value> {
    let answer = client.post(PATH, body).await.expect(200);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/event-stream");
    assert_eq!(answer.headers["x-accel-buffering"], "no");
    let events = answer.events();
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(done, "[DONE]");
    chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect()
}

#[tokio::test]
async fn an_answer_has_the_shape_that_validators_want() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let answer = app.guest().await.post(PATH, &chat("upstream-chat", &json!({}))).await.expect(200);
    let request_id = answer.headers["x-request-id"].to_str().unwrap();
    assert!(request_id.starts_with("req_"));
    let mut completion = answer.json();
    assert!(completion["id"].as_str().unwrap().starts_with("chatcmpl-"));
    completion["id"] = Value::Null;
    assert_eq!(
        completion,
        json!({
            "id": null, "object": "chat.completion", "created": NOW.seconds(), "model": "upstream-chat",
            "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null, "message":
                {"role": "assistant", "content": "Hello there", "refusal": null, "annotations": []}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        })
    );
    assert!(completion["choices"][0]["message"].get("tool_calls").is_none());
}

#[tokio::test]
async fn ids_are_unique() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(guest.post(PATH, &chat("upstream-chat", &json!({}))).await.expect(200).json()["id"].to_string());
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn every_field_reaches_the_upstream_and_the_callers_key_does_not() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let tools =
        json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}}]);
    let body = chat(
        "upstream-chat",
        &json!({
            "messages": [
                {"role": "system", "content": "s"}, {"role": "developer", "content": "d", "name": "dev"},
                {"role": "user", "content": [{"type": "text", "text": "t"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}]},
                {"role": "assistant", "content": null, "tool_calls":
                    [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "42", "x_extra": 1},
            ],
            "max_tokens": 5, "max_completion_tokens": 6, "n": 2, "stop": ["a", "b"], "seed": 7, "temperature": 0,
            "top_p": 0.5, "logprobs": true, "top_logprobs": 3, "tools": tools, "parallel_tool_calls": false,
            "tool_choice": {"type": "function", "function": {"name": "f"}}, "metadata": {"a": "b"}, "user": "me",
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
            "logit_bias": {"50256": -100}, "presence_penalty": 0.1, "frequency_penalty": -0.1, "store": false,
            "reasoning_effort": "low", "top_k": 4, "unknown": {"deep": [1, 2.50, null]},
        }),
    );
    let guest = app.guest().await;
    let _answer = guest.post(PATH, &body).await.expect(200);
    let [seen] = &upstream.chats()[..] else { panic!("asked once") };
    assert_eq!(seen.body, body.to_string(), "byte for byte");
    assert_eq!(seen.header("authorization"), None);
    for name in ["x-api-key", "cookie", "x-request-id", "x-forwarded-for"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    // Under another name only the name changes.
    let mut renamed = body.clone();
    renamed["model"] = "upstream/upstream-chat".into();
    let answer = guest.post(PATH, &renamed).await.expect(200);
    assert_eq!(upstream.chats()[1].body, body.to_string());
    assert_eq!(answer.json()["model"], "upstream-chat");
}

#[tokio::test]
async fn a_stream_has_one_stamp_one_role_and_one_end() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    for model in ["upstream-chat", "scripted/echo"] {
        upstream.next(Answer::streams(&["one", " two", " three"]));
        let chunks = chunks(&guest, &chat(model, &json!({"stream": true}))).await;
        let first = &chunks[0];
        assert_eq!((&first["object"], &first["model"]), (&json!("chat.completion.chunk"), &json!(model)));
        assert_eq!(first["choices"][0]["delta"]["role"], "assistant");
        for chunk in &chunks {
            assert_eq!(
                (&chunk["id"], &chunk["created"], &chunk["model"]),
                (&first["id"], &first["created"], &first["model"])
            );
            assert!(chunk.get("usage").is_none());
        }
        let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(text, "one two three");
        let finishes: Vec<&Value> = chunks
            .iter()
            .map(|chunk| &chunk["choices"][0]["finish_reason"])
            .filter(|reason| !reason.is_null())
            .collect();
        assert_eq!(finishes, ["stop"]);
    }
}

#[tokio::test]
async fn the_usage_comes_last_and_only_when_asked_for() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    for model in ["upstream-chat", "scripted/echo"] {
        upstream.next(Answer::streams(&["one", " two", " three"]));
        let asks = json!({"stream": true, "stream_options": {"include_usage": true}});
        let chunks = chunks(&guest, &chat(model, &asks)).await;
        let (last, earlier) = chunks.split_last().unwrap();
        assert_eq!(last["choices"], json!([]));
        let usage = &last["usage"];
        let count = |name: &str| usage[name].as_u64().unwrap();
        assert_eq!(count("prompt_tokens") + count("completion_tokens"), count("total_tokens"));
        assert!(earlier.iter().all(|chunk| chunk.get("usage") == Some(&Value::Null)), "{model} {earlier:?}");
    }
}

#[tokio::test]
async fn calls_come_whole_and_in_pieces() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let patch = json!({"tools": tools, "messages": [{"role": "user", "content": "{\"a\": 1}"}]});
    let answer = guest.post(PATH, &chat("scripted/tool", &patch)).await.expect(200).json();
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    let mut streamed = patch.clone();
    streamed["stream"] = true.into();
    let chunks = chunks(&guest, &chat("scripted/tool", &streamed)).await;
    let pieces: Vec<&Value> = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0])
        .filter(|piece| !piece.is_null())
        .collect();
    assert!(pieces.iter().all(|piece| piece["index"] == 0));
    assert_eq!(pieces.iter().filter(|piece| piece.get("id").is_some()).count(), 1);
    let arguments: String = pieces.iter().filter_map(|piece| piece["function"]["arguments"].as_str()).collect();
    assert_eq!((&pieces[0]["id"], arguments.as_str()), (&call["id"], call["function"]["arguments"].as_str().unwrap()));
}

#[tokio::test]
async fn a_client_who_leaves_frees_the_upstream() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let (guest, login) = app.login().await;
    let request = |streams: bool| {
        Request::builder()
            .method(Method::POST)
            .uri(PATH)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", login["access_token"].as_str().unwrap()))
            .body(chat("upstream-chat", &json!({"stream": streams})).to_string().into())
            .unwrap()
    };
    // In the middle of a stream.
    upstream.next(Answer::stream().word("one").stall());
    let mut answer = guest.open(request(true)).await;
    answer.body_mut().frame().await.unwrap().unwrap();
    drop(answer);
    upstream.hung_up(1).await;
    // Before a whole answer.
    upstream.next(Answer::says("late").head_after(std::time::Duration::from_hours(1)));
    tokio::select! {
        _ = guest.open(request(false)) => panic!("there is no answer"),
        () = upstream.asked(2) => {}
    }
    upstream.hung_up(2).await;
    // The server stays well.
    let _answer = guest.post(PATH, &chat("upstream-chat", &json!({}))).await.expect(200);
}

#[tokio::test]
async fn chats_are_counted() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    let _answer = guest.post(PATH, &chat("upstream-chat", &json!({}))).await.expect(200);
    let _refused = guest.post(PATH, &chat("evil\"} 1", &json!({}))).await.expect(404);
    let metrics = app.metrics().await;
    for line in [
        r#"jan_llm_api_tokens_prompt_total{model="upstream-chat",provider="upstream"} 3"#,
        r#"jan_llm_api_requests_total{method="POST",endpoint="/v1/chat/completions",status="200",model="upstream-chat",stream="false"} 1"#,
        r#"jan_llm_api_provider_health{provider="upstream"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(!metrics.contains("evil"));
}

#[tokio::test]
async fn a_running_count_of_tokens_counts_once() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let chunk = |written: u32, finish: Value| {
        json!({
            "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": "w"}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 7, "completion_tokens": written, "total_tokens": 7 + written},
        })
    };
    let answer = [chunk(1, Value::Null), chunk(2, Value::Null), chunk(3, json!("stop"))]
        .iter()
        .fold(Answer::stream(), |answer, chunk| answer.event(&chunk.to_string()));
    upstream.next(answer.done());
    let asks = json!({"stream": true, "stream_options": {"include_usage": true, "continuous_usage_stats": true}});
    let _chunks = chunks(&app.guest().await, &chat("upstream-chat", &asks)).await;
    let metrics = app.metrics().await;
    for line in [
        r#"jan_llm_api_tokens_prompt_total{model="upstream-chat",provider="upstream"} 7"#,
        r#"jan_llm_api_tokens_completion_total{model="upstream-chat",provider="upstream"} 3"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}
