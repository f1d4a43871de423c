//! What of a history is read for a model: the newest, until there is as much as the model could be told.

use domain::{Result, item::Item, page::Order};
use store::{History, ItemPage, Reader};

/// Items read at a time, and in all.
const PAGE: u32 = 200;
const MOST_ITEMS: usize = 2_000;
/// Bytes of their bodies in all: some pictures, and a library of text.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// A token of what models are told stands for fewer bytes, even of a body that holds little beside its names.
const BYTES_OF_TOKEN: usize = 16;
/// A longer body counts as this long: its bytes are a picture's, or are cut.
const LONGEST: usize = 16 * 1024;

/// The newest items of a history.
pub(super) struct Recent {
    /// Oldest first.
    pub(super) items: Vec<Item>,
    /// Whether there are none before them.
    pub(super) is_all: bool,
}

impl Recent {
    /// Of a conversation that is yet to begin.
    pub(super) fn none() -> Self {
        Self { items: Vec::new(), is_all: true }
    }
}

/// The newest items of `history`, of those before the number `before` if one is given: about as many as a model with a
/// window of so many tokens could be told, and somewhat more.
pub(super) async fn recent(
    reader: &mut Reader,
    history: &History,
    before: Option<u64>,
    window: usize,
) -> Result<Recent> {
    let (mut items, mut after, mut told) = (Vec::new(), before, 0);
    let mut room = MOST_BYTES;
    loop {
        let page = ItemPage { limit: PAGE, bytes: room, after, order: Order::Desc };
        let page = reader.items(history, page).await?;
        after = page.items.last().map(|item| item.sequence);
        room = room.saturating_sub(page.items.iter().map(|item| item.body.len()).sum());
        told += page.items.iter().map(cost).sum::<usize>();
        let is_short = page.items.len() < PAGE as usize;
        items.extend(page.items);
        if !page.has_more || is_short || room == 0 || items.len() >= MOST_ITEMS || told >= window {
            items.reverse();
            return Ok(Recent { items, is_all: !page.has_more });
        }
    }
}

/// The least tokens that an item costs a model.
fn cost(item: &Item) -> usize {
    if item.head.kind == "reasoning" { 0 } else { item.body.len().min(LONGEST) / BYTES_OF_TOKEN }
}
