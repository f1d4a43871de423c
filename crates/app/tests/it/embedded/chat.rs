//! Whole answers.

use domain::Kind;
use futures_util::StreamExt;
use futures_util::future::join_all;
use providers::{ChatProvider, Error};
use serde_json::{Value, json};

use super::{CREATED, call, call_of, complete, endless, options, refusal, tiny, tiny_with};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_every_field() {
    let answer = complete(&tiny(), json!({})).await;
    assert!(answer["id"].as_str().unwrap().starts_with("chatcmpl"));
    assert_eq!((&answer["object"], &answer["created"]), (&json!("chat.completion"), &json!(CREATED)));
    assert_eq!(answer["model"], "public-id");
    let [choice] = answer["choices"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!(choice["index"], 0);
    assert!(!choice["message"]["content"].as_str().unwrap().is_empty());
    let message = choice["message"].as_object().unwrap();
    assert_eq!((&message["role"], &message["refusal"]), (&json!("assistant"), &Value::Null));
    assert_eq!(message["annotations"], json!([]));
    assert!(!message.contains_key("tool_calls"));
    assert!(choice.as_object().unwrap().contains_key("logprobs") && choice["logprobs"].is_null());
    assert!(["stop", "length"].contains(&choice["finish_reason"].as_str().unwrap()));
    let usage = |field: &str| answer["usage"][field].as_u64().unwrap();
    assert!(usage("prompt_tokens") > 0 && (1..=24).contains(&usage("completion_tokens")));
    assert_eq!(usage("total_tokens"), usage("prompt_tokens") + usage("completion_tokens"));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_stop_texts_end_answers() {
    let embedded = tiny();
    let mut long = endless();
    long["max_tokens"] = json!(16);
    let free = complete(&embedded, long.clone()).await;
    assert_eq!(free["choices"][0]["finish_reason"], "length");
    assert_eq!(free["usage"]["completion_tokens"], 16);
    let text = free["choices"][0]["message"]["content"].as_str().unwrap();
    let stop: String = text.chars().skip(text.chars().count() / 2).take(4).collect();
    long["stop"] = json!([stop]);
    let stopped = complete(&embedded, long).await;
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
    assert_eq!(stopped["choices"][0]["message"]["content"], text[..text.find(&stop).unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_decides_every_one_of_several_answers() {
    let embedded = tiny();
    let request = json!({"n": 3, "seed": 7, "temperature": 1.5, "top_p": 1, "max_tokens": 12});
    let texts = |answer: &Value| {
        let choices = answer["choices"].as_array().unwrap();
        assert!(choices.iter().enumerate().all(|(n, choice)| choice["index"] == n));
        choices.iter().map(|choice| choice["message"]["content"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = complete(&embedded, request.clone()).await;
    let found = texts(&first);
    assert_eq!(found.len(), 3);
    assert!(found[0] != found[1] && found[1] != found[2]);
    assert_eq!(texts(&complete(&embedded, request).await), found);
    // The prompt counts once, the answers together.
    assert!(first["usage"]["completion_tokens"].as_u64().unwrap() > 12);
    assert!(first["usage"]["prompt_tokens"].as_u64().unwrap() < 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_kept() {
    let schema = json!({
        "type": "object",
        "properties": {"colour": {"enum": ["red", "green"]}, "count": {"type": "integer", "minimum": 0, "maximum": 99}},
        "required": ["colour", "count"],
        "additionalProperties": false,
    });
    let format = json!({"type": "json_schema", "json_schema": {"name": "ball", "schema": schema, "strict": true}});
    let answer = complete(&tiny(), json!({"response_format": format, "max_tokens": 60})).await;
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    assert!(["red", "green"].contains(&value["colour"].as_str().unwrap()));
    assert!(value["count"].as_u64().unwrap() <= 99);
    assert_eq!(value.as_object().unwrap().len(), 2);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
}

pub(super) fn weather() -> Value {
    json!([
        {"type": "web_search"},
        {"type": "function", "function": {
            "name": "get_weather",
            "description": "The weather at a place.",
            "parameters": {
                "type": "object",
                "properties": {"unit": {"enum": ["celsius", "fahrenheit"]}},
                "required": ["unit"],
                "additionalProperties": false,
            },
        }},
    ])
}

pub(super) fn forced() -> Value {
    let choice = json!({"type": "function", "function": {"name": "get_weather"}});
    json!({"tools": weather(), "tool_choice": choice, "max_tokens": 60})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_call_is_one_with_valid_arguments() {
    let answer = complete(&tiny(), forced()).await;
    let choice = &answer["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
    let [call] = choice["message"]["tool_calls"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert!(call["id"].as_str().unwrap().starts_with("call_"));
    assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("get_weather")));
    let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    assert!(["celsius", "fahrenheit"].contains(&arguments["unit"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_calls_and_their_results_are_read() {
    let messages = json!([
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "How is"}, {"type": "text", "text": "the weather?"}]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"unit\": \"celsius\"}"}},
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "21 degrees"},
    ]);
    let answer = complete(&tiny(), json!({"messages": messages, "tools": weather()})).await;
    assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() > 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn probabilities_are_told_when_asked_for() {
    let request = json!({"logprobs": true, "top_logprobs": 2, "max_tokens": 5, "logit_bias": {"0": -100, "2": -100}});
    let answer = complete(&tiny(), request).await;
    let tokens = answer["choices"][0]["logprobs"]["content"].as_array().unwrap();
    assert_eq!(tokens.len(), 5);
    let text: String = tokens.iter().map(|token| token["token"].as_str().unwrap()).collect();
    assert_eq!(answer["choices"][0]["message"]["content"], text);
    for token in tokens {
        assert!(token["logprob"].as_f64().unwrap() <= 0.0 && token["bytes"].is_array());
        assert_eq!(token["top_logprobs"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_model_cannot_do_names_the_field() {
    let embedded = tiny();
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}});
    let sound = json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}});
    let with = |part: Value| json!([{"role": "user", "content": [{"type": "text", "text": "What is this?"}, part]}]);
    let named = |schema: Value| json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    let cases = [
        ("messages[0].content[1]", json!({"messages": with(image)})),
        ("messages[0].content[1]", json!({"messages": with(sound)})),
        ("n", json!({"n": 100})),
        ("response_format.type", json!({"response_format": {"type": "grammar"}})),
        ("response_format.json_schema.schema", json!({"response_format": named(json!(false))})),
        ("response_format", json!({"response_format": named(json!({"type": "nonsense"}))})),
        ("logit_bias", json!({"logit_bias": {"4000000000": 1}})),
    ];
    for (param, fields) in cases {
        match refusal(&embedded, fields).await {
            Error::Refused { param: Some(found), message } => assert_eq!(found, param, "{message}"),
            other => panic!("{param}: {other:?}"),
        }
    }
    let long = json!({"messages": [{"role": "user", "content": "word ".repeat(20_000)}]});
    let error = refusal(&embedded, long).await;
    assert!(matches!(&error, Error::TooLong { .. }), "{error:?}");
    let error = domain::Error::from(error);
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "context_length_exceeded"));
    let error = embedded.complete(call_of("jan-other", json!({}))).await.unwrap_err();
    assert!(matches!(error, Error::NoSuchModel));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_answers_at_a_time_are_the_same_as_alone() {
    let embedded = tiny();
    let questions = ["What is rain?", "Name a fish.", "Say hello.", "Count to five.", "What is a lighthouse?", "Why?"];
    let ask = |question: &str| json!({"messages": [{"role": "user", "content": question}], "max_tokens": 10});
    let together = join_all(questions.iter().map(|question| complete(&embedded, ask(question)))).await;
    for (question, answer) in questions.iter().zip(together) {
        let alone = complete(&embedded, ask(question)).await;
        assert_eq!(answer["choices"], alone["choices"], "{question}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_says_when_to_come_back_and_a_client_that_leaves_makes_room() {
    let mut options = options(&["jan-tiny"]);
    (options.parallel, options.queue) = (1, 0);
    let embedded = tiny_with(options);
    let mut frames = embedded.stream(call(endless())).await.unwrap();
    frames.next().await.unwrap().unwrap();
    match refusal(&embedded, json!({})).await {
        Error::Busy { retry_after: Some(pause) } => assert!((1..=120).contains(&pause.as_secs())),
        other => panic!("{other:?}"),
    }
    // The answer under way would take minutes: only cancelling it makes room.
    drop(frames);
    let trying = async {
        loop {
            match embedded.complete(call(json!({"max_tokens": 2}))).await {
                Ok(whole) => return whole,
                Err(Error::Busy { .. }) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
                Err(other) => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(super::PATIENCE, trying).await.expect("no place became free");
}
