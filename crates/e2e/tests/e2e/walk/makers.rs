//! How a user comes to have a thing of each kind that a path can name.
//!
//! A kind is the path up to and with its parameter. A new one has no maker, and the walk fails until it gets one here.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
};

use serde_json::{Value, json};

use crate::server::Server;

/// Kinds that belong to nobody: everybody may name them. The list may only shrink.
pub(super) const EVERYBODYS: [&str; 1] = ["/v1/models/{model_id}"];

/// What a user has, by kind.
pub(super) type Things = BTreeMap<&'static str, String>;

/// Makes a thing of a kind; those of the path before it are there already.
type Make = for<'a> fn(&'a User<'a>) -> Pin<Box<dyn Future<Output = String> + 'a>>;

/// The makers, outer kinds before inner ones.
const MAKERS: &[(&str, Make)] = &[
    ("/auth/api-keys/{id}", |user| Box::pin(user.make("/auth/api-keys", json!({"name": "walk"})))),
    ("/v1/projects/{project_id}", |user| Box::pin(user.make("/v1/projects", json!({"name": "walk"})))),
    ("/v1/users/me/memories/{id}", |user| {
        Box::pin(user.make("/v1/users/me/memories", json!({"content": "Is allergic to nuts"})))
    }),
    ("/v1/conversations/{conv_id}", |user| Box::pin(user.make("/v1/conversations", json!({"title": "walk"})))),
    ("/v1/conversations/{conv_id}/items/{item_id}", |user| {
        Box::pin(async {
            let question = json!([{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]);
            let added = user.in_conversation("/items", json!({"items": question})).await;
            text(&added["data"][1]["id"])
        })
    }),
    ("/v1/conversations/{conv_id}/items/by-call-id/{call_id}", |user| {
        Box::pin(async {
            let call_id = format!("call_{}", user.things["/v1/conversations/{conv_id}"]);
            let call = json!({"type": "function_call", "call_id": call_id, "name": "walk", "arguments": "{}"});
            user.in_conversation("/items", json!({"items": [call]})).await;
            call_id
        })
    }),
    ("/v1/conversations/{conv_id}/branches/{name}", |user| {
        Box::pin(async {
            let name = format!("of-{}", user.things["/v1/conversations/{conv_id}"]);
            text(&user.in_conversation("/branches", json!({"name": name})).await["name"])
        })
    }),
    ("/v1/conversations/{conv_id}/share/{share_id}", |user| Box::pin(user.share())),
    ("/v1/conversations/{conv_id}/shares/{share_id}", |user| Box::pin(user.share())),
    ("/v1/shares/{share_id}", |user| Box::pin(user.share())),
];

/// A guest with one thing of each kind.
pub(super) struct User<'a> {
    server: &'a Server,
    pub(super) token: String,
    pub(super) things: Things,
}

impl<'a> User<'a> {
    /// The kinds are those that the documents name.
    pub(super) async fn with_one_of(kinds: &BTreeSet<&str>, server: &'a Server) -> Self {
        let token = server.guest().await;
        let mut user = Self { server, token, things: Things::new() };
        for (kind, make) in MAKERS.iter().filter(|(kind, _)| kinds.contains(kind)) {
            let id = make(&user).await;
            user.things.insert(kind, id);
        }
        user
    }

    /// Makes a thing; its id.
    async fn make(&self, path: &str, body: Value) -> String {
        text(&self.post(path, body).await["id"])
    }

    async fn share(&self) -> String {
        text(&self.in_conversation("/share", json!({})).await["id"])
    }

    async fn in_conversation(&self, below: &str, body: Value) -> Value {
        let conversation = &self.things["/v1/conversations/{conv_id}"];
        self.post(&format!("/v1/conversations/{conversation}{below}"), body).await
    }

    /// Posts to the LLM API, which must succeed.
    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.server.post("llm-api", path, Some(&self.token), &body).await;
        assert!(answer.status.is_success(), "POST {path}: {}", answer.text());
        answer.json()
    }
}

/// Whether things of a kind can be made, or belong to nobody.
pub(super) fn is_known(kind: &str) -> bool {
    EVERYBODYS.contains(&kind) || MAKERS.iter().any(|(known, _)| *known == kind)
}

/// The kinds that have makers.
pub(super) fn made() -> impl Iterator<Item = &'static str> {
    MAKERS.iter().map(|(kind, _)| *kind)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}
