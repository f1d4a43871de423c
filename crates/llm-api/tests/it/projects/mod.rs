mod conversations;
mod create;
mod delete;
mod get;
mod list;
mod update;

use domain::{conversation::Conversation, ids::ConversationId, ids::ProjectId, ids::UserId};
use serde_json::{Value, json};
use testkit::client::Client;

use crate::support::App;

const PATH: &str = "/v1/projects";

/// A new project of the caller's.
async fn make(app: &App, caller: &Client, name: &str) -> Value {
    app.clock.advance(std::time::Duration::from_millis(1));
    caller.post(PATH, &json!({"name": name})).await.expect(201).json()
}

fn path(project: &Value) -> String {
    format!("{PATH}/{}", project["id"].as_str().unwrap())
}

async fn patch(caller: &Client, project: &Value, change: Value) -> testkit::client::Answer {
    caller.call(http::Method::PATCH, &path(project), Some(change.to_string().into())).await
}

/// A conversation of the user's in the project.
async fn converse(app: &App, user: &Value, project: &Value) -> ConversationId {
    let (id, owner) = (ConversationId::new(&app.clock), UserId::parse(user.as_str().unwrap()).unwrap());
    let mut conversation = Conversation::new(id.clone(), owner, app.clock.now());
    conversation.project_id = Some(ProjectId::parse(project["id"].as_str().unwrap()).unwrap());
    let mut tx = app.store.write().await.unwrap();
    tx.insert_conversation(&conversation, Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
    id
}
