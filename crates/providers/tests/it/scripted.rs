use providers::{ChatProvider, Scripted};
use serde_json::{Value, json};

use crate::support::{call, class, stream};

async fn whole(model: &str, patch: Value) -> Value {
    let whole = Scripted.complete(call(model, &patch)).await.unwrap();
    serde_json::from_slice(&whole.body).unwrap()
}

#[tokio::test]
async fn it_says_the_same_streamed_and_whole() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for (model, patch) in [
        ("scripted/echo", json!({})),
        ("scripted/echo", json!({"max_tokens": 2})),
        ("scripted/echo", json!({"messages": [{"role": "user", "content": ""}]})),
        ("scripted/lorem-17", json!({"n": 1})),
        ("scripted/slow", json!({})),
        ("scripted/tool", json!({})),
        ("scripted/tool", json!({"tools": tools, "messages": [{"role": "user", "content": "{\"a\":1}"}]})),
    ] {
        let answer = whole(model, patch.clone()).await;
        let choice = &answer["choices"][0];
        let mut streams = patch.clone();
        streams["stream"] = true.into();
        streams["stream_options"] = json!({"include_usage": true});
        let streamed = stream(&Scripted, call(model, &streams)).await.unwrap();
        assert!(streamed.done && streamed.error.is_none());
        assert_eq!(streamed.text(), choice["message"]["content"].as_str().unwrap_or_default(), "{model} {patch}");
        let finishes = streamed.events.iter().filter_map(|event| event["choices"][0]["finish_reason"].as_str());
        assert_eq!(finishes.collect::<Vec<_>>(), [choice["finish_reason"].as_str().unwrap()]);
        assert_eq!(streamed.events.last().unwrap()["usage"], answer["usage"]);
        assert_eq!(streamed.events[0]["choices"][0]["delta"]["role"], "assistant");
    }
}

#[tokio::test]
async fn it_counts_cuts_and_repeats() {
    let answer = whole("scripted/echo", json!({"n": 3, "max_tokens": 2})).await;
    assert_eq!(answer["choices"].as_array().unwrap().len(), 3);
    assert_eq!(answer["choices"][2]["index"], 2);
    assert_eq!(answer["choices"][2]["message"]["content"], "one two");
    assert_eq!(answer["choices"][2]["finish_reason"], "length");
    assert_eq!((&answer["usage"]["prompt_tokens"], &answer["usage"]["completion_tokens"]), (&json!(3), &json!(6)));
    let streamed = stream(&Scripted, call("scripted/echo", &json!({"n": 2, "stream": true}))).await.unwrap();
    assert_eq!(streamed.events.len(), 8);
    assert_eq!(streamed.usage.unwrap().completion_tokens, 6);
    assert!(streamed.events.iter().all(|event| event.get("usage").is_none()));
}

#[tokio::test]
async fn it_calls_functions_and_says_their_results() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let answer =
        whole("scripted/tool", json!({"tools": tools, "messages": [{"role": "user", "content": "{\"a\":1}"}]})).await;
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!((&call["function"]["name"], &call["function"]["arguments"]), (&json!("f"), &json!("{\"a\":1}")));
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    let messages = json!([
        {"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "42 is it"}
    ]);
    let answer = whole("scripted/tool", json!({"tools": tools, "messages": messages})).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "42 is it");
    assert!(answer["choices"][0]["message"].get("tool_calls").is_none());
    let none = json!({"tools": tools, "tool_choice": "none"});
    assert_eq!(whole("scripted/tool", none).await["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn it_fails_as_told() {
    for (model, expected) in [
        ("scripted/error-400", "refused"),
        ("scripted/error-404", "no_such_model"),
        ("scripted/error-413", "too_large"),
        ("scripted/error-429", "busy"),
        ("scripted/error-500", "failed"),
        ("scripted/error-503", "unavailable"),
        ("scripted/error-504", "timeout"),
        ("scripted/cut", "failed"),
        ("scripted/lorem-0", "no_such_model"),
        ("scripted/lorem-x", "no_such_model"),
        ("scripted/what", "no_such_model"),
        ("echo", "no_such_model"),
    ] {
        assert_eq!(class(Scripted.complete(call(model, &json!({}))).await), expected, "{model}");
    }
    let streamed = stream(&Scripted, call("scripted/cut", &json!({"stream": true}))).await.unwrap();
    assert_eq!((streamed.events.len(), streamed.done), (2, false));
    assert_eq!(streamed.error.unwrap().class(), "failed");
}

#[tokio::test]
async fn what_it_lists_it_has() {
    for offer in Scripted.models().await.unwrap() {
        assert!(Scripted::has(&offer.id), "{}", offer.id);
    }
    assert!(Scripted::has("scripted/lorem-5") && !Scripted::has("scripted/lorem-100001") && !Scripted::has("x"));
}
