//! What tests share: both databases, a client that checks every answer against the service's document, misbehaving
//! upstreams.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "what fails here fails a test, and says why where the test stands"
)]

pub mod client;
pub mod contract;
pub mod database;
pub mod oidc;
pub mod upstream;
