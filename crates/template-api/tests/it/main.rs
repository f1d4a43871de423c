//! The service as its callers see it, on both databases. Every answer is compared with the service's document.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test; clippy sees tests only in functions marked so")]

mod health;
mod root;
mod sample;
mod support;
