//! What the server remembers for the caller.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod delete_all;
pub(super) mod get;
pub(super) mod list;
pub(super) mod update;
mod view;

use domain::{Error, ids::MemoryId};

/// An id from the path. One that is none is nobody's memory.
fn id(text: &str) -> Result<MemoryId, Error> {
    MemoryId::parse(text).map_err(|_| Error::not_found("memory_not_found", "There is no such memory."))
}
