//! Chat completions (`POST /v1/chat/completions`).
//!
//! [`request`] is what clients send, [`check`] what is refused of it, [`answer`] what they get, whole or in chunks.

pub mod answer;
mod check;
pub mod request;
mod text;

pub use answer::{Chunk, Completion, Usage};
pub use request::ChatRequest;
