//! What the Template API shows.

use crate::ids::SampleId;

/// A sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The row's id.
    pub id: SampleId,
    /// What it says.
    pub message: String,
}
