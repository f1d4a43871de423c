//! A conversation that comes from elsewhere, whatever it looked like there.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::digest::{Context, SHA256};
use domain::{
    Timestamp,
    ids::{ConversationId, ItemId, ProjectId, UserId},
    item::{Head, Making, Rating},
};

/// A conversation with everything in it.
#[derive(Debug)]
pub(super) struct Whole {
    /// What its source calls it.
    pub(super) source: String,
    /// The id that it is to keep, if that is free.
    pub(super) id: Option<ConversationId>,
    pub(super) title: Option<String>,
    pub(super) referrer: Option<String>,
    /// The project it belonged to.
    pub(super) project: Option<ProjectId>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// Its branches, oldest first: at least one, of which one is called `MAIN`, and no two the same.
    pub(super) courses: Vec<Course>,
    /// How many messages of the source were of no use to a reader.
    pub(super) left_out: usize,
}

/// A branch, with all that it shows.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// The earlier one that it was forked from, where that is known.
    pub(super) parent: Option<usize>,
    pub(super) forked_from: Option<ItemId>,
    pub(super) is_active: bool,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// What has the same source as an item of the branch before the fork is that item.
    pub(super) items: Vec<Arc<Piece>>,
}

/// An item, as a branch shows it.
#[derive(Debug)]
pub(super) struct Piece {
    /// What its source calls it.
    pub(super) source: String,
    /// The id that it is to keep, if the conversation keeps its own.
    pub(super) id: Option<ItemId>,
    pub(super) head: Head,
    pub(super) body: String,
    /// The text by which it is to be found.
    pub(super) text: Option<String>,
    pub(super) making: Making,
    pub(super) rating: Option<Rating>,
    pub(super) created_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    /// When its content was changed on this branch.
    pub(super) edited_at: Option<Timestamp>,
}

/// Names for what has to get another than it had: always the same, so that what was imported once is known again.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) owner: &'a UserId,
    /// How many times the names were all taken.
    pub(super) nth: u32,
}

impl Names<'_> {
    pub(super) fn conversation(self, whole: &Whole) -> ConversationId {
        match &whole.id {
            Some(id) if self.nth == 0 => id.clone(),
            _ => ConversationId::derived(whole.created_at, self.number(&[&whole.source])),
        }
    }

    /// An item's id; `place` tells items apart that come from the same.
    pub(super) fn item(self, whole: &Whole, piece: &Piece, place: Option<usize>) -> ItemId {
        match &piece.id {
            Some(id) if self.nth == 0 && place.is_none() => id.clone(),
            _ => {
                let place = place.map(|place| place.to_string()).unwrap_or_default();
                ItemId::derived(piece.created_at, self.number(&[&whole.source, &piece.source, &place]))
            }
        }
    }

    fn number(self, parts: &[&str]) -> u64 {
        let mut digest = Context::new(&SHA256);
        for part in [self.owner.as_str(), &self.nth.to_string()].iter().chain(parts) {
            digest.update(&(part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        let digest = digest.finish();
        digest.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}
