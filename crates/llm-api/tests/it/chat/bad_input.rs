//! Every bad request is refused by name, before anybody is asked.

use http::header;
use serde_json::{Value, json};
use testkit::upstream::Upstream;

use crate::support::App;

const PATH: &str = "/v1/chat/completions";

fn chat(patch: &Value) -> Value {
    let mut body = json!({"model": "upstream-chat", "messages": [{"role": "user", "content": "hi"}]});
    for (key, value) in patch.as_object().unwrap() {
        match value {
            Value::String(text) if text == "ABSENT" => drop(body.as_object_mut().unwrap().remove(key)),
            value => body[key] = value.clone(),
        }
    }
    body
}

#[tokio::test]
async fn fields_are_named() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    let parts = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    let image = |url: &str| parts(json!({"type": "image_url", "image_url": {"url": url}}));
    for (patch, status, code, param) in [
        (json!({"model": "ABSENT"}), 400, "missing_parameter", "model"),
        (json!({"model": null}), 400, "invalid_parameter", "model"),
        (json!({"model": 7}), 400, "invalid_parameter", "model"),
        (json!({"model": ""}), 400, "invalid_parameter", "model"),
        (json!({"model": "no/such-model"}), 404, "model_not_found", "model"),
        (json!({"messages": "ABSENT"}), 400, "missing_parameter", "messages"),
        (json!({"messages": []}), 400, "invalid_parameter", "messages"),
        (json!({"messages": "hi"}), 400, "invalid_parameter", "messages"),
        (json!({"messages": {}}), 400, "invalid_parameter", "messages"),
        (json!({"messages": ["hi"]}), 400, "invalid_parameter", "messages[0]"),
        (json!({"messages": [["user", "hi"]]}), 400, "invalid_parameter", "messages[0]"),
        (parts(json!(["text", "hi"])), 400, "invalid_parameter", "messages[0].content[0]"),
        (json!({"messages": [{"content": "hi"}]}), 400, "missing_parameter", "messages[0].role"),
        (json!({"messages": [{"role": "wizard", "content": "hi"}]}), 400, "invalid_parameter", "messages[0].role"),
        (json!({"messages": [{"role": "user"}]}), 400, "missing_parameter", "messages[0].content"),
        (json!({"messages": [{"role": "user", "content": 7}]}), 400, "invalid_parameter", "messages[0].content"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), 400, "missing_parameter", "messages[0].tool_call_id"),
        (parts(json!({"text": "x"})), 400, "missing_parameter", "messages[0].content[0].type"),
        (parts(json!({"type": "text"})), 400, "missing_parameter", "messages[0].content[0].text"),
        (parts(json!({"type": "image_url"})), 400, "missing_parameter", "messages[0].content[0].image_url"),
        (image("data:image/png;base64,###"), 400, "invalid_parameter", "messages[0].content[0].image_url.url"),
        (image("file:///etc/passwd"), 400, "invalid_parameter", "messages[0].content[0].image_url.url"),
        (json!({"temperature": "hot"}), 400, "invalid_parameter", "temperature"),
        (json!({"temperature": 2.5}), 400, "invalid_parameter", "temperature"),
        (json!({"temperature": -0.1}), 400, "invalid_parameter", "temperature"),
        (json!({"top_p": 1.1}), 400, "invalid_parameter", "top_p"),
        (json!({"n": 0}), 400, "invalid_parameter", "n"),
        (json!({"n": -1}), 400, "invalid_parameter", "n"),
        (json!({"n": 1_000_000}), 400, "invalid_parameter", "n"),
        (json!({"max_tokens": 0}), 400, "invalid_parameter", "max_tokens"),
        (json!({"max_tokens": -5}), 400, "invalid_parameter", "max_tokens"),
        (json!({"max_tokens": 1.5}), 400, "invalid_parameter", "max_tokens"),
        (json!({"max_completion_tokens": 0}), 400, "invalid_parameter", "max_completion_tokens"),
        (json!({"stream": "yes"}), 400, "invalid_parameter", "stream"),
        (json!({"stop": [""]}), 400, "invalid_parameter", "stop[0]"),
        (json!({"tools": [{"type": "function"}]}), 400, "missing_parameter", "tools[0].function"),
        (json!({"tool_choice": "required"}), 400, "invalid_parameter", "tool_choice"),
        (json!({"response_format": {"type": "xml"}}), 400, "invalid_parameter", "response_format.type"),
        (json!({"logit_bias": {"1": 1000}}), 400, "invalid_parameter", "logit_bias.1"),
    ] {
        for streams in [false, true] {
            let mut body = chat(&patch);
            if body["stream"].is_null() {
                body["stream"] = streams.into();
            }
            let answer = guest.post(PATH, &body).await;
            assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json", "{patch}");
            assert_eq!(answer.error(), (status, code.to_owned(), Some(param.to_owned())), "{patch}");
        }
    }
    assert!(upstream.chats().is_empty(), "nobody is asked for what is refused");
}

#[tokio::test]
async fn bodies_that_are_no_requests() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    let deep = format!(r#"{{"model":"m","x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for (body, code) in [
        (&b""[..], "invalid_json"),
        (b"{", "invalid_json"),
        (b"nope", "invalid_json"),
        (b"{\"model\":\"m\",}", "invalid_json"),
        (b"{\"model\":\"\xff\xfe\"}", "invalid_json"),
        (b"{\"model\":\"\\ud800\",\"messages\":[]}", "invalid_json"),
        (deep.as_bytes(), "invalid_json"),
        (b"[]", "invalid_request"),
        (b"3", "invalid_request"),
        (b"null", "invalid_request"),
    ] {
        let answer = guest.post_bytes(PATH, body.to_vec()).await;
        assert_eq!(
            answer.error(),
            (400, code.to_owned(), None),
            "{}",
            String::from_utf8_lossy(&body[..body.len().min(60)])
        );
    }
    let huge = chat(&json!({"messages": [{"role": "user", "content": "x".repeat(9 * 1024 * 1024)}]}));
    assert_eq!(guest.post(PATH, &huge).await.error(), (413, "payload_too_large".to_owned(), None));
    let text = guest.header(header::CONTENT_TYPE, "text/plain");
    assert_eq!(text.post(PATH, &chat(&json!({}))).await.error().1, "unsupported_media_type");
    assert_eq!(guest.get(PATH).await.error(), (405, "method_not_allowed".to_owned(), None));
    assert_eq!(
        app.anonymous().post(PATH, &chat(&json!({}))).await.error(),
        (401, "missing_credentials".to_owned(), None)
    );
    assert_eq!(guest.bearer("nonsense").post(PATH, &json!({})).await.error().1, "invalid_token");
    assert!(upstream.chats().is_empty());
}

#[tokio::test]
async fn a_large_body_within_the_limit_is_served() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let text = "x".repeat(7 * 1024 * 1024);
    let body = chat(&json!({"messages": [{"role": "user", "content": text}]}));
    let _answer = app.guest().await.post(PATH, &body).await.expect(200);
    assert_eq!(upstream.chats()[0].json()["messages"][0]["content"], text);
}
