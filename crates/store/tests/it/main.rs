//! Every public function of the store, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod api_keys;
mod full;
mod migrations;
mod parity;
mod revocations;
mod samples;
mod sessions;
mod signing_keys;
mod store;
mod support;
mod unavailable;
mod users;
