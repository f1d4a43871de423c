//! A project: conversations that belong together, and what the model is told in all of them.

use crate::{
    Timestamp,
    ids::{ProjectId, UserId},
};

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The row's id.
    pub id: ProjectId,
    /// Whose it is.
    pub user_id: UserId,
    /// What its owner calls it; no two living projects of one owner have the same name.
    pub name: String,
    /// What it is for, in the owner's words.
    pub description: Option<String>,
    /// What the model is told first in each of its conversations.
    pub instruction: Option<String>,
    /// Whether the owner wants it at hand.
    pub is_favorite: bool,
    /// Since when it is put away.
    pub archived_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Which projects a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those that are put away, or only those that are not.
    pub archived: Option<bool>,
    /// Only favourites, or only others.
    pub favorite: Option<bool>,
}
