//! The edge, called in-process, and the listener, on real sockets with clients that misbehave.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod client_addr;
mod cors;
mod docs;
mod echoes;
mod errors;
mod extract;
mod idempotency;
mod listener;
mod metrics;
mod paths;
mod rate_limits;
mod request_log;
mod spans;
mod sse;
mod support;
