//! Callers and their credentials, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod accounts;
mod administration;
mod api_keys;
mod audit;
mod clean_up;
mod code_flow;
mod email_proof;
mod guests;
mod introspection;
mod key_revocation;
mod key_rotation;
mod keys_of_peers;
mod last_used;
mod oidc;
mod outages;
mod password_change;
mod per_address;
mod revocation;
mod sessions;
mod setup;
mod signing_key;
mod support;
mod tokens;
