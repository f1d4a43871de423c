//! The use-cases over real providers: scripted ones, and servers on loopback that misbehave.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test; clippy sees tests only in functions marked so")]

mod chat;
#[cfg(feature = "embedded")]
mod embedded;
mod models;
