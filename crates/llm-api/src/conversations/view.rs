//! A conversation as clients see it.

use std::collections::BTreeMap;

use domain::conversation::Conversation;
use serde::Serialize;
use utoipa::ToSchema;

/// A conversation. Times are seconds since the Unix epoch.
#[derive(Serialize, ToSchema)]
#[schema(as = Conversation)]
pub(crate) struct View {
    #[schema(example = "conv_0mhk2v1qs5x3n8r7")]
    pub(crate) id: String,
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

impl From<Conversation> for View {
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
