//! The edge, called in-process, and the listener, on real sockets with clients that misbehave.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod cors;
mod docs;
mod echoes;
mod errors;
mod extract;
mod listener;
mod metrics;
mod paths;
mod request_log;
mod spans;
mod sse;
mod support;
