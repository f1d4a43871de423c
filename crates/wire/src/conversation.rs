//! A conversation and its branches, as clients see them.

use std::collections::BTreeMap;

use domain::{
    Timestamp,
    conversation::{Branch, Conversation},
};
use serde::Serialize;
use utoipa::ToSchema;

/// A conversation. Times are seconds since the Unix epoch.
#[derive(Serialize, ToSchema)]
#[schema(as = Conversation)]
pub struct ConversationView {
    #[schema(example = "conv_0mhk2v1qs5x3n8r7")]
    /// Its id.
    pub id: String,
    /// Always `conversation`.
    #[schema(example = "conversation")]
    object: &'static str,
    /// What it is called; left out when it has no title.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Plans for spring")]
    title: Option<String>,
    #[schema(example = 1_800_000_000)]
    created_at: i64,
    /// When it, or an item of it, was last changed.
    #[schema(example = 1_800_000_000)]
    updated_at: i64,
    /// What clients keep with it.
    #[schema(example = json!({"topic": "garden"}))]
    metadata: BTreeMap<String, String>,
    /// Where it came from; left out when nobody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    referrer: Option<String>,
    /// The project it belongs to; left out when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    project_id: Option<String>,
    /// The branch whose items are the conversation's, unless another is asked for.
    #[schema(example = "MAIN")]
    active_branch: String,
    /// How many items that branch has.
    #[schema(example = 2)]
    item_count: u64,
}

impl From<Conversation> for ConversationView {
    fn from(conversation: Conversation) -> Self {
        Self {
            id: conversation.id.to_string(),
            object: "conversation",
            title: conversation.title,
            created_at: conversation.created_at.seconds(),
            updated_at: conversation.updated_at.seconds(),
            metadata: conversation.metadata,
            referrer: conversation.referrer,
            project_id: conversation.project_id.map(|id| id.to_string()),
            active_branch: conversation.active_branch,
            item_count: conversation.item_count,
        }
    }
}

/// A branch: one course that the conversation took. Times are seconds since the Unix epoch.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationBranch)]
pub struct BranchView {
    /// Always `conversation.branch`.
    #[schema(example = "conversation.branch")]
    object: &'static str,
    #[schema(example = "MAIN")]
    /// Its name.
    pub name: String,
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

impl From<Branch> for BranchView {
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
