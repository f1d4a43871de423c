//! The LLM API: chat completions, models, sign-in and keys.
//!
//! [`routes`] is the table of contents; a file has one endpoint. The crate decides nothing about models or callers: a
//! handler takes a request apart, calls one use-case and turns the result into an answer.

mod acting;
mod admin;
pub mod auth;
mod chat;
mod conversations;
mod models;
mod projects;
mod routes;
mod sharing;
mod users;

use app::{models::Models, sharing::Sharing, turns::Turns};
use http_kit::Service;
use identity::Identity;
use store::Store;

/// What the service needs.
pub struct State {
    /// Answers chats, and keeps conversations.
    pub turns: Turns,
    /// Knows the models.
    pub models: Models,
    /// Shows conversations to everybody who has the link.
    pub sharing: Sharing,
    /// Issues and verifies credentials.
    pub identity: Identity,
    /// The database, for readiness.
    pub store: Store,
}

/// The service, ready to be mounted.
pub fn service(state: State) -> Service {
    let registry = state.turns.chat().registry();
    let store = state.store.clone();
    Service::new("llm-api", "jan_llm_api", routes::router(state))
        .about("Chat with models, see which there are, sign in, manage API keys. Speaks OpenAI's protocol: their SDKs work unmodified.")
        .ready(move || {
            let store = store.clone();
            async move { Ok(store.ping().await?) }
        })
        .limits(routes::LIMITS)
        .classes(routes::CLASSES)
        .metrics(registry)
}
