//! The items of a conversation.

pub(super) mod add;
pub(super) mod by_call;
pub(super) mod delete;
pub(super) mod edit;
pub(super) mod finish_call;
pub(super) mod get;
pub(super) mod list;
pub(super) mod rate;
pub(super) mod regenerate;

use serde::Deserialize;

/// Which branch is meant.
#[derive(Deserialize)]
pub(crate) struct OnBranch {
    branch: Option<String>,
}

impl OnBranch {
    fn name(&self) -> Option<&str> {
        self.branch.as_deref().filter(|name| !name.is_empty())
    }
}
