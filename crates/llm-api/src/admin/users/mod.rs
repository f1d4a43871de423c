//! All users.

pub(super) mod activate;
pub(super) mod get;
pub(super) mod list;
pub(super) mod update;
mod view;
