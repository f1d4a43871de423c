//! The embedded model as a provider. The tiny model's file must be there; a missing one fails the tests.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod chat;
mod default_model;
mod encoder;
mod files;
mod hub;
mod states;
mod stream;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use app::embedded::files::default_directory;
use app::embedded::{CATALOGUE, Embedded, Options};
use bytes::Bytes;
use domain::Clock;
use domain::ids::{ChatCompletionId, UserId};
use futures_util::StreamExt;
use providers::{Call, ChatProvider, Error, Frames, Stamp};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use wire::openai::chat::request::ChatRequest;

/// Far longer than anything here takes; a test that hangs must end.
const PATIENCE: Duration = Duration::from_mins(4);

const CREATED: i64 = 1_700_000_000;

/// Where the product keeps the file of a model, which must be there.
fn model_file(id: &str) -> PathBuf {
    let known = CATALOGUE.iter().find(|known| known.id == id).expect("a model of the catalogue");
    let path = default_directory().expect("a cache directory").join(known.file);
    assert!(path.is_file(), "{} is missing: `jan-server model pull {id}` fetches it", path.display());
    path
}

fn options(models: &[&str]) -> Options {
    Options { models: models.iter().map(ToString::to_string).collect(), offline: true, ..Options::default() }
}

fn embedded(options: Options) -> Embedded {
    let client = outbound::Client::new(&outbound::Options::default()).unwrap();
    Embedded::new(options, client, Clock::System, TaskTracker::new()).unwrap()
}

/// The tiny model with its file from the product's cache.
fn tiny() -> Embedded {
    tiny_with(options(&["jan-tiny"]))
}

fn tiny_with(options: Options) -> Embedded {
    model_file("jan-tiny");
    embedded(options)
}

/// A directory in which the tiny model's file is as `content` says.
fn cache_with(content: &[u8]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(tiny_in(directory.path()), content).unwrap();
    directory
}

fn tiny_in(directory: &Path) -> PathBuf {
    directory.join("SmolLM2-135M-Instruct.Q4_1.gguf")
}

/// A greedy question with a short answer, changed by `fields`.
fn call(fields: Value) -> Call {
    call_of("jan-tiny", fields)
}

fn call_of(model: &str, fields: Value) -> Call {
    let mut body = json!({
        "model": model,
        "messages": [{"role": "user", "content": "Name three colours."}],
        "temperature": 0,
        "max_tokens": 24,
    });
    let Value::Object(fields) = fields else { panic!("{fields}") };
    body.as_object_mut().unwrap().extend(fields);
    let body = Bytes::from(body.to_string());
    let request: ChatRequest = wire::json::parse(&body).unwrap();
    request.check().unwrap();
    let stamp = Stamp { id: ChatCompletionId::new(&Clock::System), created: CREATED, model: "public-id".into() };
    let caller = UserId::new(&Clock::System);
    Call { caller, request: Arc::new(request), body, model: model.into(), stamp }
}

/// A request whose answer goes on until somebody ends it.
fn endless() -> Value {
    // The only tokens that end an answer of the tiny model.
    json!({"max_tokens": 6000, "logit_bias": {"0": -100, "2": -100}})
}

async fn complete(embedded: &Embedded, fields: Value) -> Value {
    let answering = embedded.complete(call(fields));
    let whole = tokio::time::timeout(PATIENCE, answering).await.expect("the answer did not end").unwrap();
    let answer: Value = serde_json::from_slice(&whole.body).unwrap();
    assert_eq!(json!(whole.usage), answer["usage"]);
    answer
}

async fn refusal(embedded: &Embedded, fields: Value) -> Error {
    let answering = embedded.complete(call(fields));
    tokio::time::timeout(PATIENCE, answering).await.expect("no answer").expect_err("a refusal was expected")
}

/// The data of a stream's events; the last one is the end mark.
async fn events(frames: Frames) -> Vec<String> {
    let reading = frames
        .fold(String::new(), |text, frame| async move { text + std::str::from_utf8(&frame.unwrap().bytes).unwrap() });
    let text = tokio::time::timeout(PATIENCE, reading).await.expect("the stream did not end");
    assert!(text.ends_with("\n\n"));
    text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap().to_owned()).collect()
}

async fn chunks(embedded: &Embedded, fields: Value) -> Vec<Value> {
    let frames = embedded.stream(call(fields)).await.unwrap();
    let mut events = events(frames).await;
    assert_eq!(events.pop().as_deref(), Some("[DONE]"));
    events.iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}
