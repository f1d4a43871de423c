//! The caller's settings.

pub(super) mod get;
pub(super) mod preferences;
pub(super) mod update;
mod view;
