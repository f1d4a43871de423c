//! The model that is served when nobody asks for another.

use app::embedded::Options;
use providers::ChatProvider;
use serde_json::{Value, json};

use super::{call_of, embedded, model_file};

#[tokio::test(flavor = "multi_thread")]
async fn the_default_model_knows_the_capital_of_france() {
    model_file("jan-small");
    let embedded = embedded(Options { offline: true, ..Options::default() });
    let question = json!([{"role": "user", "content": "What is the capital of France?"}]);
    let whole = embedded.complete(call_of("jan-small", json!({"messages": question}))).await.unwrap();
    let answer: Value = serde_json::from_slice(&whole.body).unwrap();
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("Paris"), "{text}");
}
