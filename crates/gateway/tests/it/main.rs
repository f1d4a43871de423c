//! The gateway before services that tell what they were asked.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test; clippy sees tests only in functions marked so")]

mod paths;
mod requests;
mod support;
mod table;
