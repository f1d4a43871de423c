//! `OpenAI`'s API, as its official SDKs speak it.

pub mod chat;
