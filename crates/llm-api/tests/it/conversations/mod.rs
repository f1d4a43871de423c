mod branches;
mod bulk_delete;
mod create;
mod delete;
mod delete_all;
mod export;
mod get;
mod items;
mod list;
mod replace;
mod update;

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use testkit::client::{Answer, Client};

use crate::support::App;

pub(crate) const PATH: &str = "/v1/conversations";
/// Of the right form, and nobody's.
pub(crate) const UNKNOWN: &str = "conv_0000000000000000";

/// Makes a conversation, later than those before it; says its path.
pub(crate) async fn make(app: &App, caller: &Client, body: &Value) -> String {
    app.clock.advance(Duration::from_millis(1));
    let made = caller.post(PATH, body).await.expect(200).json();
    format!("{PATH}/{}", made["id"].as_str().unwrap())
}

pub(crate) async fn patch(caller: &Client, path: &str, body: &Value) -> Answer {
    caller.call(Method::PATCH, path, Some(body.to_string().into())).await
}

pub(crate) async fn put(caller: &Client, path: &str, body: &Value) -> Answer {
    caller.call(Method::PUT, path, Some(body.to_string().into())).await
}

/// Adds messages of the user and the assistant in turn; says their ids.
pub(crate) async fn talk(caller: &Client, path: &str, texts: &[&str]) -> Vec<String> {
    let message =
        |(at, text): (usize, &&str)| json!({"role": if at % 2 == 0 { "user" } else { "assistant" }, "content": text});
    let items: Vec<Value> = texts.iter().enumerate().map(message).collect();
    let added = caller.post(&format!("{path}/items"), &json!({"items": items})).await.expect(200).json();
    added["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// The texts that a branch shows, oldest first.
pub(crate) async fn texts(caller: &Client, path: &str, branch: &str) -> Vec<String> {
    let shown = caller.get(&format!("{path}?branch={branch}")).await.expect(200).json();
    let text = |item: &Value| item["content"][0]["text"].as_str().unwrap_or("?").to_owned();
    shown["items"].as_array().unwrap().iter().map(text).collect()
}
