//! What goes into a share: the items of a conversation that everybody may see.

use domain::{
    Error, Kind, Principal, Result,
    ids::ConversationId,
    item::Item,
    page::Order,
    share::{Image, Slug},
};
use store::{History, ItemPage, Reader};
use wire::share::Snapshot;

use super::{
    ShareWish, Sharing,
    snapshot::{self, Gathering},
    temporary,
};
use crate::conversations::{self, PAGE_BYTES, branches, items};

/// Messages of a conversation that is worth sharing.
const FEWEST: usize = 2;
/// Items read at a time, and in all.
const PAGE: u32 = 500;
const MOST_ITEMS: usize = 20_000;
/// Questions that belong to one answer, at most.
const MOST_CONTEXT: usize = 20;

impl Sharing {
    /// The messages and images of what is to be shared.
    pub(super) async fn gather(
        &self,
        caller: &Principal,
        id: &ConversationId,
        wish: &ShareWish,
        slug: &Slug,
    ) -> Result<(Snapshot, Vec<Image>)> {
        let title = wish.title.as_deref().map(conversations::read_title).transpose()?.flatten();
        let mut reader = self.0.store.read().await?;
        let branch = wish.branch.as_deref().filter(|branch| !branch.is_empty()).map(conversations::branch_name);
        let found = reader.history(&caller.user_id, id, branch).await?;
        let (conversation, history) = found.ok_or_else(conversations::not_found)?;
        if conversation.is_private {
            return Err(temporary());
        }
        let mut history = history.ok_or_else(|| branches::not_found().param("branch"))?;
        let mut gathering = Gathering::new(slug, &self.0.public_url, wish.include_images);
        if let Some(item) = &wish.item {
            let item = items::read_id(item)?;
            let shown = match reader.item(&history, &item).await? {
                // An answer that another branch shows can be shared, too, unless one branch was asked for.
                None if branch.is_none() => match reader.find_item(&caller.user_id, id, &item).await? {
                    Some((elsewhere, shown)) => {
                        history = elsewhere;
                        Some(shown)
                    }
                    None => None,
                },
                shown => shown,
            };
            let answer = shown.ok_or_else(items::item_not_found)?;
            gather_answer(&mut reader, &history, &answer, wish.include_context, &mut gathering).await?;
            if !gathering.messages.iter().any(|message| message.id == answer.id.as_str()) {
                return Err(not_shareable());
            }
        } else {
            gather_all(&mut reader, &history, &mut gathering).await?;
            if gathering.messages.len() < FEWEST {
                return Err(not_enough());
            }
        }
        let Gathering { messages: items, images, model: model_name, .. } = gathering;
        let title = snapshot::title(title.as_deref(), conversation.title.as_deref(), &items);
        Ok((Snapshot { title, model_name, created_at: conversation.created_at.seconds(), items }, images))
    }
}

async fn gather_all(reader: &mut Reader, history: &History, gathering: &mut Gathering<'_>) -> Result<()> {
    let mut after = None;
    let mut read = 0;
    loop {
        let page = ItemPage { limit: PAGE, bytes: PAGE_BYTES, after, order: Order::Asc };
        let page = reader.items(history, page).await?;
        for item in &page.items {
            gathering.add(item)?;
        }
        read += page.items.len();
        after = page.items.last().map(|item| item.sequence);
        if !page.has_more {
            return Ok(());
        }
        if read >= MOST_ITEMS {
            let message = format!("What is to be shared has more than {MOST_ITEMS} items.");
            return Err(Error::new(Kind::TooLarge, "snapshot_too_large", message));
        }
    }
}

/// An answer, and the questions right before it.
async fn gather_answer(
    reader: &mut Reader,
    history: &History,
    answer: &Item,
    with_context: bool,
    gathering: &mut Gathering<'_>,
) -> Result<()> {
    let is_whole = answer.head.status.as_deref() == Some("completed");
    if snapshot::shared_role(answer) != Some("assistant") || !is_whole {
        return Err(not_shareable());
    }
    let questions = if with_context { questions_before(reader, history, answer).await? } else { Vec::new() };
    for item in questions.iter().rev().chain([answer]) {
        gathering.add(item)?;
    }
    Ok(())
}

/// The user's messages right before an answer, the last first.
async fn questions_before(reader: &mut Reader, history: &History, answer: &Item) -> Result<Vec<Item>> {
    let mut questions = Vec::new();
    let mut after = Some(answer.sequence);
    loop {
        let page = ItemPage { limit: PAGE, bytes: PAGE_BYTES, after, order: Order::Desc };
        let page = reader.items(history, page).await?;
        after = page.items.last().map(|item| item.sequence);
        for item in page.items {
            match snapshot::shared_role(&item) {
                Some("user") if questions.len() < MOST_CONTEXT => questions.push(item),
                // Reasoning and calls on the way to the answer belong to neither.
                None if questions.is_empty() => {}
                _ => return Ok(questions),
            }
        }
        if !page.has_more {
            return Ok(questions);
        }
    }
}

#[cold]
fn not_shareable() -> Error {
    Error::invalid("item_not_shareable", "Only a completed message of the assistant can be shared by itself.")
}

#[cold]
fn not_enough() -> Error {
    Error::invalid("not_enough_items", "A conversation needs at least 2 items, messages to read, to be shared.")
}
