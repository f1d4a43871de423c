//! Items: adding, reading, rating.

use domain::{
    Error, Principal, Result,
    ids::{ConversationId, ItemId, UserId},
    item::{Item, Rating},
    length::check_length,
    page::{Page, PageRequest},
};
use store::{Appended, ItemPage, Reader};
use wire::openai::items::{ItemIn, call_id_exists};

use super::{Conversations, PAGE_BYTES, edit::locked_item, not_found};

/// Longest comment of a rating, in characters.
const MAX_COMMENT: usize = 2_000;

impl Conversations {
    /// Adds items to the end of a branch, of the active one when none is named.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`, `branch_not_found`, `call_id_exists`.
    pub async fn append(
        &self,
        caller: &Principal,
        id: &str,
        branch: Option<&str>,
        items: Vec<ItemIn>,
    ) -> Result<Vec<Item>> {
        let id = ConversationId::parse(id)?;
        let branch = branch.map(super::branch_name);
        let calls: Vec<Option<String>> = items.iter().map(|item| item.call_id.clone()).collect();
        let items = self.new_items(items);
        let mut tx = self.store.write().await?;
        let done = tx.append_items(&caller.user_id, &id, branch, items, true, self.clock.now()).await?;
        if let Appended::CallIdExists(taken) = &done {
            let place = calls.iter().position(|call| call.as_ref() == Some(taken)).unwrap_or(0);
            return Err(call_id_exists().param(format!("items[{place}].call_id")));
        }
        let items = appended(done)?;
        tx.commit().await?;
        Ok(items)
    }

    /// A page of a branch's items, of the active one's when none is named.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`, `branch_not_found`, `invalid_cursor`.
    pub async fn items(
        &self,
        caller: &Principal,
        id: &str,
        branch: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Item>> {
        let (mut reader, id) = (self.store.read().await?, ConversationId::parse(id)?);
        let (_, history) = super::history(&mut reader, &caller.user_id, &id, branch).await?;
        let after = match &page.after {
            None => None,
            Some(after) => {
                let invalid = || Error::invalid("invalid_cursor", "after names no item of this branch.").param("after");
                let after = ItemId::parse(after).map_err(|_| invalid())?;
                Some(reader.item(&history, &after).await?.ok_or_else(invalid)?.sequence)
            }
        };
        let page = ItemPage { limit: page.limit, bytes: PAGE_BYTES, after, order: page.order };
        Ok(reader.items(&history, page).await?)
    }

    /// An item, as the active branch shows it or else another.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`, `item_not_found`.
    pub async fn item(&self, caller: &Principal, id: &str, item: &str) -> Result<Item> {
        let (owner, id) = (&caller.user_id, ConversationId::parse(id)?);
        let mut reader = self.store.read().await?;
        let found = match read_id(item) {
            Ok(item) => reader.find_item(owner, &id, &item).await?,
            Err(_) => None,
        };
        match found {
            Some((_, item)) => Ok(item),
            None => Err(missing(&mut reader, owner, &id).await?),
        }
    }

    /// Notes what the reader thinks of an answer; nothing takes it back.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`, `item_not_found`, `invalid_item_role`, 400 for a comment that is too long.
    pub async fn rate(
        &self,
        caller: &Principal,
        id: &str,
        item: &str,
        rating: Option<(bool, Option<String>)>,
    ) -> Result<Item> {
        let (id, item) = (ConversationId::parse(id)?, read_id(item)?);
        let comment = rating.as_ref().and_then(|(_, comment)| comment.as_ref());
        check_length(comment.map_or("", String::as_str), MAX_COMMENT, "rating_comment")?;
        let mut tx = self.store.write().await?;
        let (_, mut item) = locked_item(&mut tx, &caller.user_id, &id, &item).await?;
        if item.head.kind != "message" || item.head.role.as_deref() != Some("assistant") {
            return Err(wrong_role("Only answers of the assistant can be rated."));
        }
        let at = self.clock.now();
        let comment = |text: String| (!text.is_empty()).then_some(text);
        item.rating = rating.map(|(like, text)| Rating { like, comment: text.and_then(comment), at });
        tx.rate_item(&caller.user_id, &id, &item.id, item.rating.as_ref()).await?;
        tx.commit().await?;
        Ok(item)
    }
}

/// The items that were added, or why they were not.
pub(crate) fn appended(done: Appended) -> Result<Vec<Item>> {
    match done {
        Appended::Items(items) => Ok(items),
        Appended::NoConversation => Err(not_found()),
        Appended::NoBranch => Err(super::branches::not_found()),
        Appended::CallIdExists(_) => Err(call_id_exists().param("call_id")),
    }
}

/// What is not there: the conversation, or the item in it.
pub(crate) async fn missing(reader: &mut Reader, owner: &UserId, id: &ConversationId) -> Result<Error> {
    let conversation = reader.conversation(owner, id).await?;
    Ok(conversation.map_or_else(not_found, |_| item_not_found()))
}

/// Reads an item's id; what is no id names no item.
pub(crate) fn read_id(id: &str) -> Result<ItemId> {
    ItemId::parse(id).map_err(|_| item_not_found())
}

pub(crate) fn item_not_found() -> Error {
    Error::not_found("item_not_found", "The conversation has no such item.")
}

pub(crate) fn wrong_role(text: &'static str) -> Error {
    Error::invalid("invalid_item_role", text)
}
