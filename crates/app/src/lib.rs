//! The use-cases: one named function for each thing the product does.
//!
//! | use-case | what it does |
//! |---|---|
//! | [`chat::Chat::complete`] | answers a chat, whole or as a stream |
//! | [`models::Models::list`], [`models::Models::resolve`] | which models there are, and who serves each |
//! | [`settings::UserSettings::get`], [`settings::UserSettings::change`] | what a user wants to be different |
//! | `embedded` (a cargo feature) | the model in this process, and its files |
//!
//! The crate knows no HTTP server and no SQL.

pub mod chat;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod models;
pub mod settings;
