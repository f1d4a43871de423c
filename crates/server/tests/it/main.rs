//! The binary as its users have it: the command line, the configuration, the process's life.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod cli;
mod config;
mod metrics;
mod proxies;
mod start;
mod stop;
mod support;
mod telemetry;
mod users;
