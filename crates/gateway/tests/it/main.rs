//! The gateway before services that tell what they were asked.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod paths;
mod requests;
mod support;
mod table;
