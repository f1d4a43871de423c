//! The sample: one stored sentence.

pub(crate) mod get;
