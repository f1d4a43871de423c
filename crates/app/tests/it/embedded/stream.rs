//! Streamed answers.

use futures_util::StreamExt;
use providers::ChatProvider;
use serde_json::{Value, json};

use super::{CREATED, call, chunks, complete, tiny};

fn text_of(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_complete_and_says_what_the_whole_answer_says() {
    let embedded = tiny();
    let chunks = chunks(&embedded, json!({"stream": true})).await;
    for chunk in &chunks {
        assert_eq!((&chunk["id"], &chunk["created"]), (&chunks[0]["id"], &json!(CREATED)));
        assert_eq!((&chunk["object"], &chunk["model"]), (&json!("chat.completion.chunk"), &json!("public-id")));
        assert_eq!(chunk["choices"].as_array().unwrap().len(), 1);
        assert!(!chunk.as_object().unwrap().contains_key("usage"));
    }
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    let (last, before) = chunks.split_last().unwrap();
    assert!(before.iter().all(|chunk| chunk["choices"][0]["finish_reason"].is_null()));
    assert_eq!(last["choices"][0]["delta"], json!({}));
    let whole = complete(&embedded, json!({})).await;
    assert_eq!(whole["choices"][0]["message"]["content"], text_of(&chunks));
    assert_eq!(whole["choices"][0]["finish_reason"], last["choices"][0]["finish_reason"]);
    assert!(chunks.len() > 4, "it came at once: {chunks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usage_comes_last_and_only_when_asked_for() {
    let embedded = tiny();
    let options = json!({"stream": true, "stream_options": {"include_usage": true}});
    let chunks = chunks(&embedded, options).await;
    let (last, before) = chunks.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["total_tokens"].as_u64().unwrap(), {
        let count = |field: &str| last["usage"][field].as_u64().unwrap();
        count("prompt_tokens") + count("completion_tokens")
    });
    assert!(before.iter().all(|chunk| chunk.as_object().unwrap().contains_key("usage") && chunk["usage"].is_null()));
    // The server learns it in any case.
    let frames = embedded.stream(call(json!({"stream": true}))).await.unwrap();
    let usages: Vec<_> = frames.map(|frame| frame.unwrap().usage).collect().await;
    assert_eq!(usages.iter().flatten().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_answers_begins_and_ends_once() {
    let chunks = chunks(&tiny(), json!({"stream": true, "n": 2, "seed": 1, "temperature": 1})).await;
    for index in [0, 1] {
        let own: Vec<_> = chunks.iter().map(|c| &c["choices"][0]).filter(|choice| choice["index"] == index).collect();
        assert_eq!(own.iter().filter(|choice| choice["delta"]["role"] == "assistant").count(), 1);
        assert_eq!(own.iter().filter(|choice| !choice["finish_reason"].is_null()).count(), 1);
        assert!(!own.last().unwrap()["finish_reason"].is_null());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_told_with_its_index_and_id() {
    let chunks = chunks(&tiny(), super::chat::forced()).await;
    let calls: Vec<_> =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array()).flatten().collect();
    let [call] = calls.as_slice() else { panic!("{chunks:?}") };
    assert_eq!((&call["index"], &call["type"]), (&json!(0), &json!("function")));
    assert!(call["id"].as_str().unwrap().starts_with("call_"));
    assert!(serde_json::from_str::<Value>(call["function"]["arguments"].as_str().unwrap()).unwrap().is_object());
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
}
