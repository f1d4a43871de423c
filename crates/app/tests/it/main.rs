//! The use-cases over real providers: scripted ones, and servers on loopback that misbehave.

#![allow(missing_docs, reason = "tests")]

mod chat;
#[cfg(feature = "embedded")]
mod embedded;
mod models;
