//! Answers inside a JSON schema, and calls of tools.

use inference::{Error, Finish, Format, Request, ToolChoice};
use serde_json::{Value, json};

use crate::support::{answer, engine, greedy};

fn weather() -> Value {
    json!([{"type": "function", "function": {
        "name": "get_weather",
        "description": "The weather at a place.",
        "parameters": {
            "type": "object",
            "properties": {"unit": {"$ref": "#/$defs/unit"}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
            "required": ["unit", "days"],
            "additionalProperties": false,
            "$defs": {"unit": {"enum": ["celsius", "fahrenheit"]}},
        },
    }}])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_kept() {
    let schema = json!({
        "type": "object",
        "properties": {
            "colour": {"enum": ["red", "green", "blue"]},
            "count": {"type": "integer", "minimum": 0, "maximum": 99},
            "name": {"type": "string", "maxLength": 12},
        },
        "required": ["colour", "count", "name"],
        "additionalProperties": false,
    });
    let request = Request { format: Format::JsonSchema(schema), ..greedy("Describe a ball as JSON.", 80) };
    let whole = answer(&engine(), request).await;
    assert_eq!(whole.reason, Some(Finish::Stop), "{}", whole.text);
    let value: Value = serde_json::from_str(&whole.text).unwrap();
    assert!(["red", "green", "blue"].contains(&value["colour"].as_str().unwrap()));
    assert!(value["count"].as_u64().unwrap() <= 99);
    assert!(value["name"].as_str().unwrap().chars().count() <= 12);
    assert_eq!(value.as_object().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_object_begins_as_one() {
    let request = Request { format: Format::JsonObject, ..greedy("Describe a ball as JSON.", 48) };
    let whole = answer(&engine(), request).await;
    assert!(whole.text.starts_with('{'), "{}", whole.text);
    if whole.reason == Some(Finish::Stop) {
        assert!(serde_json::from_str::<Value>(&whole.text).unwrap().is_object());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_schema_is_the_callers_error() {
    let request = Request { format: Format::JsonSchema(json!({"type": "nonsense"})), ..greedy("x", 8) };
    match engine().submit(request).await {
        Err(Error::InvalidRequest { param, .. }) => assert_eq!(param, "response_format"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_schema_neither_hangs_nor_harms() {
    let mut nested = json!({"type": "string"});
    for _ in 0..100 {
        nested = json!({"type": "object", "properties": {"a": nested}, "required": ["a"]});
    }
    let properties = |count: usize| -> serde_json::Map<String, Value> {
        (0..count).map(|n| (format!("p{n}"), json!({"type": "string"}))).collect()
    };
    let nulls = |count: usize| vec![json!({"type": "null"}); count];
    let many: Vec<Value> = (0..20_000).map(|n| json!(format!("value {n}"))).collect();
    let schemas = [
        json!({"type": "string", "pattern": "^((a{1,500}){1,500}){1,500}$"}),
        json!({"type": "string", "pattern": "^(a|b)*a(a|b){200}$"}),
        json!({"$ref": "#"}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
        json!({"$ref": "https://example.com/schema.json"}),
        json!({"enum": many}),
        nested,
        // Each of these is a call deeper for the compiler.
        json!({"type": "object", "properties": properties(5_000)}),
        json!({"type": "object", "properties": properties(1_000)}),
        json!({"type": "object", "properties": properties(1_000), "required": ["p999"], "additionalProperties": false}),
        json!({"type": "array", "prefixItems": nulls(1_000)}),
        json!({"allOf": nulls(1_000)}),
        json!({"anyOf": nulls(1_000)}),
        json!({"oneOf": nulls(1_000)}),
    ];
    let engine = engine();
    for schema in schemas {
        let request = Request { format: Format::JsonSchema(schema.clone()), ..greedy("Answer.", 4) };
        let submitting = tokio::time::timeout(crate::support::PATIENCE, engine.submit(request));
        match submitting.await.expect("the grammar takes for ever") {
            Ok(mut generation) => while generation.next().await.is_some() {},
            Err(Error::InvalidRequest { param, .. }) => assert_eq!(param, "response_format"),
            Err(other) => panic!("{schema}: {other:?}"),
        }
    }
    assert!(!answer(&engine, greedy("Hello!", 8)).await.text.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_call_is_a_call() {
    for choice in [ToolChoice::Required, ToolChoice::Function("get_weather".to_owned())] {
        let request =
            Request { tools: Some(weather()), tool_choice: choice, ..greedy("How is the weather in Oslo?", 80) };
        let whole = answer(&engine(), request).await;
        assert_eq!((whole.reason, whole.text.as_str()), (Some(Finish::ToolCalls), ""));
        let [(0, name, arguments)] = whole.calls.as_slice() else { panic!("{:?}", whole.calls) };
        assert_eq!(name, "get_weather");
        assert!(["celsius", "fahrenheit"].contains(&arguments["unit"].as_str().unwrap()));
        assert!((1..=9).contains(&arguments["days"].as_u64().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_without_its_tool_is_refused() {
    let none = Request { tool_choice: ToolChoice::Required, ..greedy("x", 8) };
    let other =
        Request { tools: Some(weather()), tool_choice: ToolChoice::Function("other".to_owned()), ..greedy("x", 8) };
    for request in [none, other] {
        match engine().submit(request).await {
            Err(Error::InvalidRequest { param, .. }) => assert_eq!(param, "tool_choice"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_that_are_not_wanted_change_nothing() {
    let engine = engine();
    let plain = answer(&engine, greedy("Hello!", 8)).await;
    let request = Request { tools: Some(weather()), tool_choice: ToolChoice::None, ..greedy("Hello!", 8) };
    let whole = answer(&engine, request).await;
    assert_eq!((whole.text, whole.prompt), (plain.text, plain.prompt));
}
