//! Keeping a turn: the question and the answer appear together, in one transaction, or not at all. So a crash leaves no
//! half of one, and two turns on one conversation do not mix.

use domain::{
    Result,
    conversation::{Branch, Conversation, MAIN},
    ids::{ConversationId, ItemId, UserId},
    item::{Item, NewItem},
};
use store::{Appended, History, Tx};

use super::Inner;
use crate::conversations::{self, branches, edit::locked_item, items::appended};

/// Where a turn goes.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    /// Into a conversation that it makes.
    New(Box<Conversation>),
    /// Behind what was said.
    End(History),
    /// Behind what was said before this item, as a course of its own. The former one stays, as a branch.
    Anew { before: ItemId, why: String },
}

/// A turn that is to be kept.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) owner: UserId,
    pub(super) conversation: ConversationId,
    pub(super) destination: Destination,
    /// What was asked, as far as it is new.
    pub(super) question: Vec<NewItem>,
    /// What the conversation is to be called if it has no name yet.
    pub(super) title: Option<String>,
}

/// A turn that was kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The items of the question, then those of the answer.
    pub(super) items: Vec<Item>,
    /// The branch it is on.
    pub(super) branch: String,
    /// The branch that keeps the former course, if there is one.
    pub(super) backup: Option<String>,
    /// The branch that was made, if one was.
    pub(super) new_branch: Option<Branch>,
}

impl Inner {
    /// Keeps a turn with what was answered.
    ///
    /// # Errors
    /// `conversation_not_found`, `branch_not_found`, `item_not_found` when it was deleted meanwhile;
    /// `branch_limit_reached`; what the database's failures mean.
    pub(super) async fn keep(&self, turn: Turn, answer: Vec<NewItem>) -> Result<Kept> {
        let Turn { owner, conversation: id, destination, question: mut items, title } = turn;
        items.extend(answer);
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let (mut backup, mut new_branch) = (None, None);
        let done = match destination {
            Destination::New(conversation) => {
                conversations::hold_project(&mut tx, &owner, conversation.project_id.as_ref()).await?;
                Appended::Items(tx.insert_conversation(&conversation, items).await?)
            }
            Destination::End(history) => {
                let done = tx.append_to(&history, items, now).await?;
                name(&mut tx, &owner, &id, title).await?;
                done
            }
            Destination::Anew { before, why } => {
                // Behind a pointer: what is kept otherwise does not carry the state of this.
                let (former, branch, done) =
                    Box::pin(self.keep_anew(&mut tx, &owner, &id, (&before, &why), items)).await?;
                (backup, new_branch) = (Some(former), Some(branch));
                done
            }
        };
        let items = appended(done)?;
        tx.commit().await?;
        let branch = items.last().map_or(MAIN, |item| &item.branch).to_owned();
        Ok(Kept { items, branch, backup, new_branch })
    }

    /// Begins a new course before an item, for this reason, and adds items to it. Says which branch keeps the former
    /// course, and which is the new one.
    async fn keep_anew(
        &self,
        tx: &mut Tx,
        owner: &UserId,
        id: &ConversationId,
        (before, why): (&ItemId, &str),
        items: Vec<NewItem>,
    ) -> Result<(String, Branch, Appended)> {
        let (history, item) = locked_item(tx, owner, id, before).await?;
        let former = self.conversations.begin_anew(tx, owner, id, (&history, &item), why).await?;
        let done = tx.append_items(owner, id, None, items, false, self.clock.now()).await?;
        Ok((former, branches::find(tx, owner, id, MAIN).await?, done))
    }
}

/// Calls a conversation so, unless it has a title.
async fn name(tx: &mut Tx, owner: &UserId, id: &ConversationId, title: Option<String>) -> Result<()> {
    let Some(title) = title else { return Ok(()) };
    if let Some(mut conversation) = tx.conversation(owner, id).await?
        && conversation.title.is_none()
    {
        conversation.title = Some(title);
        tx.update_conversation(&conversation).await?;
    }
    Ok(())
}
