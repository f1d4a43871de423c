//! The built binary as a process: sockets, signals, files, databases, official SDKs, real models.
//!
//! `cargo xtask test` says in the environment where the binary, the SDKs and PostgreSQL are. Without it the binary is
//! built here; what else is missing fails its test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod bad_start;
mod browser;
mod crash;
mod curl;
mod drain;
mod external_sign_in;
mod hang_up;
mod models;
mod restart;
mod sdk;
mod server;
mod transfer;
mod two_servers;
mod upstream;
mod walk;
