//! A whole conversation, read from its first item to its last to be taken elsewhere.
//!
//! Page by page, each with a reader of its own: nobody holds one while a client is slow, and a long conversation needs no
//! more memory than a short one. Items that are added meanwhile are part of what is read.

use bytes::Bytes;
use domain::{
    Error, Principal, Result, Timestamp,
    conversation::{Branch, Conversation},
    ids::ConversationId,
    item::Item,
    page::Order,
};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::json;
use store::{History, ItemPage, Store};
use wire::{
    conversation::{BranchView, ConversationView},
    openai::items::ItemView,
};

use super::{Conversations, branches, history, not_found};

/// What an exported conversation says it is.
pub(crate) const FORMAT: &str = "jan-server.conversation";
/// It is raised when what reads this one could not read the next.
const VERSION: u32 = 1;

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
            let mut reader = export.store.read().await?;
            let page = reader.items(history, page).await?;
            let Conversation { user_id, id, .. } = &export.conversation;
            if page.items.is_empty() && reader.conversation(user_id, id).await?.is_none() {
                return Err(not_found()); // Deleted meanwhile: what came is not the whole.
            }
            let begins = after.is_none().then(|| branch.clone());
            let last = page.items.last().map(|item| item.sequence);
            let ends = !page.has_more || last.is_none();
            let page = ExportPage { number, begins, items: page.items, ends };
            let next = if ends { (export, number + 1, None) } else { (export, number, last) };
            Ok(Some((page, next)))
        })
    }
    /// One JSON object on a line: the conversation, and each branch with its items as lists of items show them.
    pub fn json(self) -> impl Stream<Item = Result<Bytes>> + Send {
        let head = json!({
            "format": FORMAT,
            "version": VERSION,
            "exported_at": self.at.seconds(),
            "conversation": ConversationView::from(self.conversation.clone()),
        });
        let mut head = head.to_string();
        head.pop(); // The object goes on.
        head.push_str(",\"branches\":[");
        let pages = self.pages().map(|page| page?.json());
        stream::iter([Ok(Bytes::from(head))]).chain(pages).chain(stream::iter([Ok(Bytes::from_static(b"]}\n"))]))
    }
}

impl ExportPage {
    /// Its part of the list of branches.
    fn json(self) -> Result<Bytes> {
        let (mut text, mut is_first) = (Vec::new(), self.begins.is_some());
        if let Some(branch) = self.begins {
            if self.number > 0 {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, &BranchView::from(branch)).map_err(Error::internal)?;
            text.pop(); // The object goes on.
            text.extend_from_slice(b",\"items\":[");
        }
        for item in self.items {
            if !std::mem::take(&mut is_first) {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, &ItemView(item)).map_err(Error::internal)?;
        }
        if self.ends {
            text.extend_from_slice(b"]}");
        }
        Ok(text.into())
    }
}
