//! Providers against a real server on loopback, which misbehaves when told to.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test; clippy sees tests only in functions marked so")]

mod breaker;
mod openai;
mod scripted;
mod support;
