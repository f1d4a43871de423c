//! A whole conversation, read from its first item to its last to be taken elsewhere.
//!
//! Page by page, each with a reader of its own: nobody holds one while a client is slow, and a long conversation needs no
//! more memory than a short one. Items that are added meanwhile are part of what is read.

use domain::{
    Principal, Result, Timestamp,
    conversation::{Branch, Conversation},
    ids::ConversationId,
    item::Item,
    page::Order,
};
use futures_util::{Stream, stream};
use store::{History, ItemPage, Store};

use super::{Conversations, branches, history, not_found};

/// Items of a page at most.
const PAGE: u32 = 200;
/// Bytes of their bodies at most.
const BYTES: usize = 1024 * 1024;

/// Which branches are exported.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// All of them.
    All,
    /// The active one.
    Active,
    /// The one of this name.
    Named(&'a str),
}

/// A conversation that is about to be read.
pub struct Export {
    /// What it is.
    pub conversation: Conversation,
    /// When it was asked for.
    pub at: Timestamp,
    store: Store,
    branches: Vec<(Branch, History)>,
}

/// Some of the items of a branch, oldest first.
#[derive(Clone, Debug)]
pub struct ExportPage {
    /// Which branch, by its place among those that are exported.
    pub number: usize,
    /// The branch itself, on its first page.
    pub begins: Option<Branch>,
    /// The items.
    pub items: Vec<Item>,
    /// Whether they are the branch's last.
    pub ends: bool,
}

impl Conversations {
    /// Prepares to read a conversation.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`, `branch_not_found`.
    pub async fn export(&self, caller: &Principal, id: &str, which: Which<'_>) -> Result<Export> {
        let (owner, id) = (&caller.user_id, ConversationId::parse(id)?);
        let mut reader = self.store.read().await?;
        let conversation = reader.conversation(owner, &id).await?.ok_or_else(not_found)?;
        let mut all = branches::list(&mut reader, owner, &id).await?;
        match which {
            Which::All => {}
            Which::Active => all.retain(|branch| branch.is_active),
            Which::Named(name) => {
                let name = super::branch_name(name);
                all.retain(|branch| branch.name == name);
            }
        }
        if all.is_empty() {
            return Err(branches::not_found());
        }
        let mut branches = Vec::with_capacity(all.len());
        for branch in all {
            let (_, history) = history(&mut reader, owner, &id, Some(&branch.name)).await?;
            branches.push((branch, history));
        }
        Ok(Export { conversation, at: self.clock.now(), store: self.store.clone(), branches })
    }
}

impl Export {
    /// The items of each branch, one branch after the other. A failure ends the stream.
    pub fn pages(self) -> impl Stream<Item = Result<ExportPage>> + Send {
        stream::try_unfold((self, 0, None), |(export, number, after)| async move {
            let Some((branch, history)) = export.branches.get(number) else { return Ok(None) };
            let page = ItemPage { limit: PAGE, bytes: BYTES, after, order: Order::Asc };
            let page = export.store.read().await?.items(history, page).await?;
            let begins = after.is_none().then(|| branch.clone());
            let last = page.items.last().map(|item| item.sequence);
            let ends = !page.has_more || last.is_none();
            let page = ExportPage { number, begins, items: page.items, ends };
            let next = if ends { (export, number + 1, None) } else { (export, number, last) };
            Ok(Some((page, next)))
        })
    }
}
