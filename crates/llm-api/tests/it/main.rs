//! The LLM API through its edge; every answer is checked against the service's document.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod admin;
mod auth;
mod chat;
mod conversations;
mod limits;
mod models;
mod projects;
mod sharing;
mod support;
mod users;
