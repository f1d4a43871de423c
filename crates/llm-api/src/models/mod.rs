//! The models that can be asked for.

pub(crate) mod get;
pub(crate) mod list;
mod view;
