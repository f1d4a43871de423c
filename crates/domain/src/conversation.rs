//! A conversation, and the branches of its history.

use std::collections::BTreeMap;

use crate::{
    Timestamp,
    ids::{ConversationId, ItemId, ProjectId, UserId},
};

/// The branch that every conversation begins with. The name stays while the line of items behind it may change.
pub const MAIN: &str = "MAIN";

/// A conversation, without its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The id.
    pub id: ConversationId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is called.
    pub title: Option<String>,
    /// The project it belongs to.
    pub project_id: Option<ProjectId>,
    /// Where it came from, in the client's words.
    pub referrer: Option<String>,
    /// What clients keep with it.
    pub metadata: BTreeMap<String, String>,
    /// Whether it may not be shared.
    pub is_private: bool,
    /// The branch whose items are the conversation's, unless another is asked for.
    pub active_branch: String,
    /// How many items that branch has.
    pub item_count: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it, or an item of it, was last changed.
    pub updated_at: Timestamp,
}

impl Conversation {
    /// An empty conversation, made at this moment.
    pub fn new(id: ConversationId, user_id: UserId, now: Timestamp) -> Self {
        Self {
            id,
            user_id,
            title: None,
            project_id: None,
            referrer: None,
            metadata: BTreeMap::new(),
            is_private: false,
            active_branch: MAIN.to_owned(),
            item_count: 0,
            created_at: now,
            updated_at: now,
        }
    }
}

/// A name for one course that a conversation took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its name, unique in the conversation.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The branch it was forked from, by its name today; none for the first, or where that branch is gone.
    pub parent: Option<String>,
    /// When it was forked.
    pub forked_at: Option<Timestamp>,
    /// The item at which it was forked.
    pub forked_from: Option<ItemId>,
    /// How many items it shows, those before the fork included.
    pub item_count: u64,
    /// Whether it is the active one.
    pub is_active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Which conversations a list shows; all by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// By the project they belong to.
    pub project: ProjectFilter,
    /// Only those with this referrer.
    pub referrer: Option<String>,
    /// Only those with all these words in the title or in one of the messages.
    pub text: Option<String>,
}

/// Which conversations, by their project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProjectFilter {
    /// Whether in a project or not.
    #[default]
    Any,
    /// Those in some project.
    InSome,
    /// Those in none.
    InNone,
    /// Those in this one.
    In(ProjectId),
}

/// By which time a list is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By creation.
    #[default]
    Created,
    /// By the last change.
    Updated,
}
