//! A branch as clients see it.

use domain::{Timestamp, conversation::Branch};
use serde::Serialize;
use utoipa::ToSchema;

/// A branch: one course that the conversation took. Times are seconds since the Unix epoch.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationBranch)]
pub(crate) struct View {
    /// Always `conversation.branch`.
    #[schema(example = "conversation.branch")]
    object: &'static str,
    #[schema(example = "MAIN")]
    pub(crate) name: String,
    /// What it is for.
    #[schema(required)]
    description: Option<String>,
    /// The branch it was forked from; null for the first, or where that branch is gone.
    #[schema(required)]
    parent_branch: Option<String>,
    #[schema(required)]
    forked_at: Option<i64>,
    /// The item at which it was forked.
    #[schema(required)]
    forked_from_item_id: Option<String>,
    /// How many items it shows, those before the fork included.
    #[schema(example = 2)]
    item_count: u64,
    #[schema(example = 1_800_000_000)]
    created_at: i64,
    #[schema(example = 1_800_000_000)]
    updated_at: i64,
    /// Whether it is the one whose items are the conversation's, unless another is asked for.
    is_active: bool,
}

impl From<Branch> for View {
    fn from(branch: Branch) -> Self {
        Self {
            object: "conversation.branch",
            name: branch.name,
            description: branch.description,
            parent_branch: branch.parent,
            forked_at: branch.forked_at.map(Timestamp::seconds),
            forked_from_item_id: branch.forked_from.map(|id| id.to_string()),
            item_count: branch.item_count,
            created_at: branch.created_at.seconds(),
            updated_at: branch.updated_at.seconds(),
            is_active: branch.is_active,
        }
    }
}
