//! The LLM API through its edge; every answer is checked against the service's document.

#![expect(
    clippy::unwrap_used,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod admin;
mod auth;
mod chat;
mod models;
mod support;
mod users;
