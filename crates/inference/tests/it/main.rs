//! The engine with a real, small model. The model file must be there; a missing one fails the tests.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test; clippy sees tests only in functions marked as such"
)]

mod answers;
mod constraints;
mod files;
mod load;
mod miniature;
mod support;
