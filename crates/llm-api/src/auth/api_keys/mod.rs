//! The caller's API keys.

pub(super) mod create;
mod life;
pub(super) mod list;
pub(super) mod revoke;
mod view;
