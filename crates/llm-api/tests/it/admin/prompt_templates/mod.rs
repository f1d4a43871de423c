//! What the tests of prompt templates share.

mod create;
mod delete;
mod get;
mod list;
mod preview;
mod update;
mod versions;

use http::Method;
use serde_json::{Value, json};
use testkit::client::{Answer, Client};

use super::admin;
use crate::support::{App, NOW};

const PATH: &str = "/v1/admin/prompt-templates";
const TIMING: &str = "/v1/admin/prompt-templates/pt_timing000000000000000000";

async fn patch(client: &Client, path: &str, body: Value) -> Answer {
    client.call(Method::PATCH, path, Some(body.to_string().into())).await
}

/// A persona, made.
async fn pirate(client: &Client) -> Value {
    let body = json!({"key": "persona.pirate", "content": "a pirate who says arr"});
    client.post(PATH, &body).await.expect(201).json()
}

fn path(template: &Value) -> String {
    format!("{PATH}/{}", template["id"].as_str().unwrap())
}

fn forbidden() -> (u16, String, Option<String>) {
    (403, "admin_required".to_owned(), None)
}

/// What is noted of templates, sorted: acts of one moment are in no order.
async fn noted(root: &Client) -> Vec<(String, String)> {
    let log = root.get("/v1/admin/audit-log").await.expect(200).json();
    let lines = log["data"].as_array().unwrap().iter();
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let lines = lines.map(|line| (text(line, "action"), text(line, "detail")));
    let mut lines: Vec<_> = lines.filter(|(action, _)| action.starts_with("prompt_template.")).collect();
    lines.sort();
    lines
}
