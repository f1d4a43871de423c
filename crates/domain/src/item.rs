//! An item of a conversation: a message, a call, a result.
//!
//! The item itself is JSON text as it was received; beside it stands what the server has to know of it.

use crate::{Timestamp, ids::ItemId};

/// An item, as a branch shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The id.
    pub id: ItemId,
    /// The branch by which it was read.
    pub branch: String,
    /// Its place: later items have larger numbers.
    pub sequence: u64,
    /// What it is.
    pub head: Head,
    /// The JSON object, without what stands in the other fields.
    pub body: String,
    /// What made it.
    pub making: Making,
    /// What its reader thought of it.
    pub rating: Option<Rating>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it became complete, or was left incomplete.
    pub ended_at: Option<Timestamp>,
    /// When its content was changed on this branch.
    pub edited_at: Option<Timestamp>,
}

/// An item that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewItem {
    /// The id.
    pub id: ItemId,
    /// What it is.
    pub head: Head,
    /// The JSON object, without what stands in the other fields.
    pub body: String,
    /// The text by which it is to be found; none when it is no message.
    pub text: Option<String>,
    /// What made it.
    pub making: Making,
    /// When it is added.
    pub created_at: Timestamp,
    /// When it became complete, or was left incomplete.
    pub ended_at: Option<Timestamp>,
}

/// What the server has to know of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The type, as in `message`.
    pub kind: String,
    /// Who speaks in a message.
    pub role: Option<String>,
    /// How far it is; none for a type that has no status.
    pub status: Option<String>,
    /// The call that it is, or belongs to.
    pub call_id: Option<String>,
}

/// What made an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Making {
    /// The model.
    pub model: Option<String>,
    /// The tokens used, as JSON.
    pub usage: Option<String>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
}

/// What a reader thought of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rating {
    /// Whether it was liked.
    pub like: bool,
    /// In the reader's words.
    pub comment: Option<String>,
    /// When it was said.
    pub at: Timestamp,
}

impl Rating {
    /// The rating's name, in the database and for clients.
    pub fn as_str(&self) -> &'static str {
        if self.like { "like" } else { "unlike" }
    }
}
