//! What an operator may choose about sharing.

use schemars::JsonSchema;
use serde::Deserialize;

/// Conversations that users show to everybody who has the link.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether conversations can be shared. When not, what was shared before is not shown either; who shared it can still
    /// take it back.
    pub enabled: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { enabled: true }
    }
}
