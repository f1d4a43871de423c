//! The embedded model: where its files are, and the provider that answers with them.
//!
//! [`Embedded`] is a [`ChatProvider`](providers::ChatProvider) over [`inference::Engine`]. A model is listed whether
//! its file is there or not; before it can answer, a call gets an error that names the command which mends it. The
//! file is fetched in the background ([`Embedded::run`]) or by hand ([`files::Files::pull`], which the `model`
//! commands call).
//!
//! | module | what it does |
//! |---|---|
//! | [`options`] | the configuration section |
//! | [`catalogue`] | the models known by name, and how others are named |
//! | `encoder` | what texts mean, for the memory |
//! | [`files`] | fetching, checking, listing and removing model files |
//! | `served` | one model's way from its file to an engine and back |
//! | `ask` | a chat request as the engine takes it |
//! | `whole`, `stream` | the engine's events as completions and as frames |
//! | `provider` | the provider itself |
//!
//! This module knows no HTTP server, no caller and no database.

mod ask;
pub mod catalogue;
mod encoder;
pub mod files;
pub mod options;
mod provider;
mod served;
mod stream;
mod whole;

pub use catalogue::{CATALOGUE, Known, Reference};
pub use encoder::{ENCODER, Encoder};
pub use files::{Entry, FileError, Files, Progress};
pub use options::Options;
pub use provider::Embedded;
pub use served::{Condition, Status};
