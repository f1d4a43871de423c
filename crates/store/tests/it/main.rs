//! Every public function of the store, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod api_keys;
mod audit;
mod code_flow;
mod full;
mod migrations;
mod parity;
mod refresh_tokens;
mod revocations;
mod samples;
mod sessions;
mod setup_links;
mod signing_keys;
mod store;
mod support;
mod unavailable;
mod user_settings;
mod users;
