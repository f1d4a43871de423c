//! The use-cases over real databases and providers: scripted ones, and servers on loopback that misbehave.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked so"
)]

mod chat;
mod conversations;
#[cfg(feature = "embedded")]
mod embedded;
mod models;
mod prompt;
mod prompt_templates;
mod support;
mod transfer;
