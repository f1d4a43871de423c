//! Changing what was said: the former course stays, as a branch.

use domain::{
    Error, Principal, Result,
    conversation::{Branch, Conversation},
    ids::{ConversationId, ItemId, UserId},
    item::Item,
};
use serde_json::value::RawValue;
use store::{Fork, History, Shows, Tx};
use wire::openai::items::{self, ItemIn};

use super::{
    Conversations,
    branches::{find, room_for_one, unused},
    items::{appended, item_not_found, read_id, wrong_role},
};

/// What an edit made.
#[derive(Clone, Debug)]
pub struct Edited {
    /// The branch on which the edited item is.
    pub branch: String,
    /// The branch that keeps the former course.
    pub backup: String,
    /// The branch that was made.
    pub new_branch: Branch,
    /// The edited item.
    pub item: Item,
}

/// What a deletion left.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The conversation, without the item.
    pub conversation: Conversation,
    /// The item.
    pub item: ItemId,
    /// The branch that keeps the former course, when everything behind the item went, too.
    pub backup: Option<String>,
}

impl Conversations {
    /// Gives a message other content. What the user said begins a new course, which becomes `MAIN`; an answer of the
    /// assistant is changed where it stands. Either way a branch keeps what was there.
    ///
    /// # Errors
    /// 400 that names the field, `invalid_item_role`, `invalid_id`, `item_not_found`, `branch_limit_reached`.
    pub async fn edit(&self, caller: &Principal, id: &str, item: &str, content: &RawValue) -> Result<Edited> {
        let (owner, id, item) = (&caller.user_id, ConversationId::parse(id)?, read_id(item)?);
        let mut tx = self.store.write().await?;
        let (history, item) = locked_item(&mut tx, owner, &id, &item).await?;
        let role = item.head.role.as_deref().filter(|_| item.head.kind == "message");
        let (body, text) = items::with_content(&item.body, role, content, "content")?;
        let edited = match role {
            Some("user") => self.edit_question(&mut tx, owner, &id, (&history, &item), (body, text)).await?,
            Some("assistant") => self.edit_answer(&mut tx, owner, &id, (&history, &item), (body, text)).await?,
            _ => return Err(wrong_role("Only messages of the user and the assistant can be edited.")),
        };
        tx.commit().await?;
        Ok(edited)
    }

    async fn edit_question(
        &self,
        tx: &mut Tx,
        owner: &UserId,
        id: &ConversationId,
        (history, item): (&History, &Item),
        (body, text): (String, Option<String>),
    ) -> Result<Edited> {
        let description = format!("Edited {}", item.id);
        let backup = self.begin_anew(tx, owner, id, (history, item), &description).await?;
        let new = vec![self.new_item(ItemIn::message("user", body, text))];
        let mut added = appended(tx.append_items(owner, id, None, new, false, self.clock.now()).await?)?;
        let item = added.pop().ok_or_else(item_not_found)?;
        let new_branch = find(tx, owner, id, &item.branch).await?;
        Ok(Edited { branch: item.branch.clone(), backup, new_branch, item })
    }

    async fn edit_answer(
        &self,
        tx: &mut Tx,
        owner: &UserId,
        id: &ConversationId,
        (history, item): (&History, &Item),
        (body, text): (String, Option<String>),
    ) -> Result<Edited> {
        let now = self.clock.now();
        let names = room_for_one(tx, owner, id).await?;
        let backup = unused(history.branch(), now, &names);
        let description = format!("Before {} was edited", item.id);
        let fork = Fork { name: &backup, description: Some(&description), from: Some(&item.id), shows: Shows::All };
        tx.fork(history, &fork, now).await?;
        let words = format!("{}\n{}", items::texts(&item.body), text.unwrap_or_default());
        tx.change_item(history, &item.id, &body, &words, now).await?;
        let item = tx.item(history, &item.id).await?.ok_or_else(item_not_found)?;
        let new_branch = find(tx, owner, id, &backup).await?;
        Ok(Edited { branch: history.branch().to_owned(), backup, new_branch, item })
    }

    /// Begins a new course before an item, as `MAIN` and the active branch; says by what name the former is kept.
    pub(crate) async fn begin_anew(
        &self,
        tx: &mut Tx,
        owner: &UserId,
        id: &ConversationId,
        (history, item): (&History, &Item),
        description: &str,
    ) -> Result<String> {
        let now = self.clock.now();
        let names = room_for_one(tx, owner, id).await?;
        let backup = unused(domain::conversation::MAIN, now, &names);
        let fork = Fork { name: "", description: Some(description), from: Some(&item.id), shows: Shows::Before(item) };
        tx.replace_main(history, &backup, &fork, now).await?;
        Ok(backup)
    }

    /// Takes an item out of the branch that shows it, with the output if it is a call. With `and_after` a new course is
    /// begun before it instead, and a branch keeps the former one.
    ///
    /// # Errors
    /// `invalid_id`, `item_not_found`, `branch_limit_reached`.
    pub async fn delete_item(&self, caller: &Principal, id: &str, item: &str, and_after: bool) -> Result<Deleted> {
        let (owner, id, item) = (&caller.user_id, ConversationId::parse(id)?, read_id(item)?);
        let mut tx = self.store.write().await?;
        let (history, item) = locked_item(&mut tx, owner, &id, &item).await?;
        let backup = if and_after {
            let description = format!("Deleted {} and what followed", item.id);
            Some(self.begin_anew(&mut tx, owner, &id, (&history, &item), &description).await?)
        } else {
            self.take_out(&mut tx, &history, &item).await?;
            None
        };
        let conversation = tx.conversation(owner, &id).await?.ok_or_else(super::not_found)?;
        tx.commit().await?;
        Ok(Deleted { conversation, item: item.id, backup })
    }

    async fn take_out(&self, tx: &mut Tx, history: &History, item: &Item) -> Result<()> {
        let now = self.clock.now();
        if item.head.call_id.is_some() && !item.head.kind.ends_with("_output") {
            for output in tx.outputs_of_call(history, item).await? {
                tx.hide_item(history, &output, now).await?;
            }
        }
        if tx.hide_item(history, &item.id, now).await? { Ok(()) } else { Err(item_not_found()) }
    }
}

/// An item of a conversation that nobody else changes until the transaction ends.
pub(crate) async fn locked_item(
    tx: &mut Tx,
    owner: &UserId,
    id: &ConversationId,
    item: &ItemId,
) -> Result<(History, Item), Error> {
    tx.lock_conversation(owner, id).await?.ok_or_else(super::not_found)?;
    tx.find_item(owner, id, item).await?.ok_or_else(item_not_found)
}
