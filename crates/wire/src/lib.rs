//! Shapes on the wire, used by the server that accepts them and by the clients that send them.
//!
//! `OpenAI`'s shapes exist once, here. The crate knows neither sockets nor storage; it parses, checks and prints.

pub mod conversation;
pub mod json;
pub mod list;
pub mod openai;
pub mod patch;
pub mod settings;
pub mod share;
pub mod sse;
