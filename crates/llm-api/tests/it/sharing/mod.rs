mod create;
mod create_for_item;
mod image;
mod list;
mod open;
mod revoke;
mod show;

use domain::{
    conversation::Conversation,
    ids::{ConversationId, ItemId, UserId},
    item::{Head, Making, NewItem},
};
use serde_json::{Value, json};
use testkit::{client::Client, database::Database, on_both_databases};

use crate::support::App;

/// The first bytes of a PNG, and some more.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot really";
const PNG_URL: &str = "data:image/png;base64,iVBORw0KGgpub3QgcmVhbGx5";

/// A guest with a conversation.
struct World {
    app: App,
    guest: Client,
    owner: UserId,
    conversation: ConversationId,
}

impl World {
    /// With one question and one answer, and much that is private around them.
    async fn new(database: Database) -> Self {
        let world = Self::empty(database).await;
        world.say("system", "SECRET system").await;
        world.say("user", "Why is the sky blue?").await;
        world.add("reasoning", None, &json!({"summary": [{"type": "summary_text", "text": "SECRET thought"}]})).await;
        world.say("assistant", "It **scatters** light.").await;
        world
    }

    async fn empty(database: Database) -> Self {
        Self::on(App::on(database).await).await
    }

    async fn on(app: App) -> Self {
        let (guest, login) = app.login().await;
        let owner = UserId::parse(login["user_id"].as_str().unwrap()).unwrap();
        let mut conversation = Conversation::new(ConversationId::new(&app.clock), owner.clone(), app.clock.now());
        conversation.metadata.insert("note".to_owned(), "SECRET metadata".to_owned());
        conversation.referrer = Some("SECRET referrer".to_owned());
        let id = conversation.id.clone();
        let mut tx = app.store.write().await.unwrap();
        tx.insert_conversation(&conversation, Vec::new()).await.unwrap();
        tx.commit().await.unwrap();
        Self { app, guest, owner, conversation: id }
    }

    async fn say(&self, role: &str, text: &str) -> ItemId {
        self.add("message", Some(role), &json!({"content": [{"type": "text", "text": text}]})).await
    }

    async fn add(&self, kind: &str, role: Option<&str>, body: &Value) -> ItemId {
        self.add_in("completed", kind, role, body).await
    }

    async fn add_in(&self, status: &str, kind: &str, role: Option<&str>, body: &Value) -> ItemId {
        let item = self.item(status, kind, role, body);
        let id = item.id.clone();
        self.append(vec![item]).await;
        id
    }

    async fn append(&self, items: Vec<NewItem>) {
        let now = self.app.clock.now();
        let mut tx = self.app.store.write().await.unwrap();
        tx.append_items(&self.owner, &self.conversation, None, items, false, now).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn item(&self, status: &str, kind: &str, role: Option<&str>, body: &Value) -> NewItem {
        NewItem {
            id: ItemId::new(&self.app.clock),
            head: Head {
                kind: kind.to_owned(),
                role: role.map(str::to_owned),
                status: Some(status.to_owned()),
                call_id: None,
            },
            body: body.to_string(),
            text: None,
            making: Making { model: Some("vendor/model-1".to_owned()), ..Making::default() },
            created_at: self.app.clock.now(),
            ended_at: None,
        }
    }

    fn path(&self) -> String {
        format!("/v1/conversations/{}/share", self.conversation)
    }

    /// Shares the conversation.
    async fn share(&self, wish: Value) -> Value {
        self.app.clock.advance(std::time::Duration::from_millis(1));
        self.guest.post(&self.path(), &wish).await.expect(201).json()
    }

    async fn open(&self, share: &Value) -> testkit::client::Answer {
        self.app.anonymous().get(&link(share)).await
    }

    /// What a browser gets.
    async fn page(&self, path: &str) -> testkit::client::Answer {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        self.app.anonymous().header(http::header::ACCEPT, browser).get(path).await
    }
}

/// Where a share is read.
fn link(share: &Value) -> String {
    format!("/v1/share/{}", share["slug"].as_str().unwrap())
}
