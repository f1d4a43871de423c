//! The use-cases: one named function for each thing the product does.
//!
//! | use-case | what it does |
//! |---|---|
//! | [`chat::Chat::complete`] | answers a chat, whole or as a stream |
//! | [`conversations::Conversations`] | what was said, in every course that it took |
//! | [`turns::Turns::answer`] | answers a chat that belongs to a conversation, and keeps it |
//! | [`models::Models::list`], [`models::Models::resolve`] | which models there are, and who serves each |
//! | [`prompt::Prompt::compose`] | what is put before the messages of a chat |
//! | [`prompt_templates::PromptTemplates`] | the texts that prompts are made of |
//! | [`memories::Memories`] | what is remembered for users |
//! | [`settings::UserSettings::get`], [`settings::UserSettings::change`] | what a user wants to be different |
//! | [`projects::Projects`] | conversations that belong together |
//! | [`sharing::Sharing`] | conversations for everybody who has the link |
//! | [`transfer::Transfer`] | everything of a user as a file, and back |
//! | `embedded` (a cargo feature) | the model in this process, and its files |
//!
//! The crate knows no HTTP server and no SQL.

pub mod chat;
pub mod conversations;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod html;
pub mod memories;
pub mod models;
pub mod projects;
pub mod prompt;
pub mod prompt_templates;
pub mod settings;
pub mod sharing;
mod text;
pub mod transfer;
pub mod turns;
