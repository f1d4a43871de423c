//! `OpenAI`'s API, as its official SDKs speak it.

pub mod chat;
pub mod items;
