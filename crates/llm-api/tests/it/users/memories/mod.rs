//! What the tests of memories share.

mod create;
mod delete;
mod delete_all;
mod get;
mod list;
mod update;

use serde_json::{Value, json};
use testkit::client::Client;

use crate::support::{App, NOW};

const PATH: &str = "/v1/users/me/memories";

/// Remembers a text.
async fn keep(client: &Client, content: &str) -> Value {
    client.post(PATH, &json!({"content": content})).await.expect(201).json()
}

fn path(memory: &Value) -> String {
    format!("{PATH}/{}", memory["id"].as_str().unwrap())
}

/// The texts of all memories, newest first.
async fn texts(client: &Client) -> Vec<String> {
    let list = client.get(PATH).await.expect(200).json();
    list["data"].as_array().unwrap().iter().map(|memory| memory["content"].as_str().unwrap().to_owned()).collect()
}
