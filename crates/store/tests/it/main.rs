//! Every public function of the store, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod api_keys;
mod audit;
mod branches;
mod clean_up;
mod code_flow;
mod conversation_list;
mod conversations;
mod email_proofs;
mod external;
mod full;
mod idempotency_keys;
mod idle_guests;
mod item_changes;
mod item_lookup;
mod items;
mod memories;
mod migrations;
mod parity;
mod projects;
mod prompt_templates;
mod refresh_tokens;
mod revocations;
mod samples;
mod search;
mod sessions;
mod setup_links;
mod shares;
mod signing_keys;
mod store;
mod support;
mod unavailable;
mod user_settings;
mod users;
