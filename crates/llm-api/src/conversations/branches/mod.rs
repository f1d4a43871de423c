//! The branches of a conversation.

pub(super) mod activate;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod list;
