//! Conversations: what was said, in every course that it took.
//!
//! Each function here is one transaction. What is a course (a branch) and what lies on it is the store's to know; here it
//! is decided what may be done.

pub(crate) mod branches;
mod calls;
pub(crate) mod edit;
mod export;
pub(crate) mod fields;
mod index;
pub(crate) mod items;
pub mod markdown;
mod purge;

use std::collections::BTreeMap;

use domain::{
    Clock, Error, Principal, Result,
    conversation::{Conversation, Filter, MAIN, ProjectFilter, Sort},
    ids::{ConversationId, ProjectId, UserId},
    item::{Head, Item, Making, NewItem},
    length::check_length,
    page::{Order, Page, PageRequest},
};
use store::{History, ItemPage, Store, Tx};
use tokio_util::sync::CancellationToken;
use wire::{openai::items::ItemIn, patch::Change};

use crate::projects;

pub use branches::NewBranch;
pub use calls::CallChange;
pub use edit::{Deleted, Edited};
pub(crate) use export::FORMAT;
pub use export::{Export, ExportPage, Which};
pub use fields::{MAX_METADATA, MetadataChange, read_referrer, read_title};
pub use purge::Options;

/// What clients call a conversation that is kept nowhere (contract E12).
pub(crate) const TEMPORARY: &str = "TEMPORARY_CHAT_ID";
/// Most conversations that are deleted by their ids in one call.
pub const MAX_BULK: usize = 100;
/// Longest question to the search, in characters.
const MAX_QUESTION: usize = 256;
/// Most conversations of a list that can be left out by number.
const MAX_SKIP: u32 = 10_000;

/// Bytes of the items of a page at most: long ones make a page short.
pub(crate) const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Keeps conversations. Clones share everything.
#[derive(Clone)]
pub struct Conversations {
    store: Store,
    clock: Clock,
}

/// What a conversation is to begin with.
#[derive(Clone, Debug, Default)]
pub struct NewConversation {
    /// What it is called.
    pub title: Option<String>,
    /// Where it comes from.
    pub referrer: Option<String>,
    /// The project it belongs to.
    pub project_id: Option<String>,
    /// What clients keep with it.
    pub metadata: BTreeMap<String, String>,
    /// Its first items.
    pub items: Vec<ItemIn>,
}

/// What is to change about a conversation; what is not given stays.
#[derive(Clone, Debug, Default)]
pub struct ConversationChange {
    /// What it is called; an empty text is no title.
    pub title: Change<String>,
    /// Where it comes from.
    pub referrer: Change<String>,
    /// The project it belongs to; an empty text is none.
    pub project_id: Change<String>,
    /// What clients keep with it.
    pub metadata: Option<MetadataChange>,
}

/// Which conversations are asked for.
#[derive(Clone, Debug, Default)]
pub struct ListRequest {
    /// Which of them.
    pub filter: Filter,
    /// By which time.
    pub sort: Sort,
    /// Which page.
    pub page: PageRequest,
    /// How many to leave out first.
    pub skip: u32,
}

/// What became of conversations that were to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkDeleted {
    /// How many are deleted.
    pub deleted: usize,
    /// The ids that name no conversation of the caller's, or none any more.
    pub failed: Vec<String>,
}

impl Conversations {
    /// Conversations that are kept in `store`.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Does what can be done later, again and again until `stop`: removes what was deleted, indexes what was written.
    pub async fn run(&self, options: Options, stop: CancellationToken) {
        tokio::join!(self.run_purge(options, &stop), self.run_index(&stop));
    }

    /// A page of the caller's conversations.
    ///
    /// # Errors
    /// `invalid_cursor`, `project_not_found`, 400 for a question that is too long.
    pub async fn list(&self, caller: &Principal, request: &ListRequest) -> Result<Page<Conversation>> {
        let owner = &caller.user_id;
        check_length(request.filter.text.as_deref().unwrap_or_default(), MAX_QUESTION, "q")?;
        if request.skip > MAX_SKIP {
            let text = format!("offset may be {MAX_SKIP} at most; after goes on from any conversation.");
            return Err(Error::invalid_parameter("offset", text));
        }
        if request.filter.text.is_some() {
            self.store.catch_up_index(owner).await?;
        }
        let mut reader = self.store.read().await?;
        if let ProjectFilter::In(project) = &request.filter.project
            && !reader.has_project(owner, project).await?
        {
            return Err(project_not_found());
        }
        let found = reader.conversations(owner, &request.filter, request.sort, &request.page, request.skip).await?;
        found.ok_or_else(|| Error::invalid("invalid_cursor", "after names no conversation of yours.").param("after"))
    }

    /// Makes a conversation.
    ///
    /// # Errors
    /// 400 that names the field, `project_not_found`.
    pub async fn create(&self, caller: &Principal, wish: NewConversation) -> Result<Conversation> {
        let now = self.clock.now();
        let id = ConversationId::new(&self.clock);
        let mut conversation = Conversation {
            title: wish.title.map(|title| fields::read_title(&title)).transpose()?.flatten(),
            referrer: wish.referrer.map(|referrer| fields::read_referrer(&referrer)).transpose()?.flatten(),
            project_id: wish.project_id.filter(|id| !id.is_empty()).map(|id| project_id(&id)).transpose()?,
            ..Conversation::new(id, caller.user_id.clone(), now)
        };
        MetadataChange::Replace(wish.metadata).apply(&mut conversation.metadata)?;
        let items = self.new_items(wish.items);
        let mut tx = self.store.write().await?;
        hold_project(&mut tx, &caller.user_id, conversation.project_id.as_ref()).await?;
        conversation.item_count = items.len() as u64;
        tx.insert_conversation(&conversation, items).await?;
        tx.commit().await?;
        Ok(conversation)
    }

    /// One of the caller's conversations.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`.
    pub async fn get(&self, caller: &Principal, id: &str) -> Result<Conversation> {
        let id = ConversationId::parse(id)?;
        self.store.read().await?.conversation(&caller.user_id, &id).await?.ok_or_else(not_found)
    }

    /// A conversation with the items of a branch, of the active one when none is named: at most `most`, from the first.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`, `branch_not_found`.
    pub async fn get_with_items(
        &self,
        caller: &Principal,
        id: &str,
        branch: Option<&str>,
        most: u32,
    ) -> Result<(Conversation, Page<Item>)> {
        let (mut reader, id) = (self.store.read().await?, ConversationId::parse(id)?);
        let (conversation, history) = history(&mut reader, &caller.user_id, &id, branch).await?;
        let page = ItemPage { limit: most, bytes: PAGE_BYTES, after: None, order: Order::Asc };
        let page = reader.items(&history, page).await?;
        Ok((conversation, page))
    }

    /// Changes a conversation.
    ///
    /// # Errors
    /// 400 that names the field, `invalid_id`, `conversation_not_found`, `project_not_found`.
    pub async fn update(&self, caller: &Principal, id: &str, change: ConversationChange) -> Result<Conversation> {
        let id = ConversationId::parse(id)?;
        let project = match &change.project_id {
            Change::Set(project) if !project.is_empty() => Change::Set(project_id(project)?),
            Change::Set(_) | Change::Clear => Change::Clear,
            Change::Keep => Change::Keep,
        };
        let held = if let Change::Set(project) = &project { Some(project) } else { None };
        let mut tx = self.store.write().await?;
        // First the project, as when that is deleted: two that wait for each other would wait for ever.
        hold_project(&mut tx, &caller.user_id, held).await?;
        let before = tx.lock_conversation(&caller.user_id, &id).await?.ok_or_else(not_found)?;
        let mut after = before.clone();
        match change.title {
            Change::Keep => {}
            Change::Clear => after.title = None,
            Change::Set(title) => after.title = fields::read_title(&title)?,
        }
        match change.referrer {
            Change::Keep => {}
            Change::Clear => after.referrer = None,
            Change::Set(referrer) => after.referrer = fields::read_referrer(&referrer)?,
        }
        match project {
            Change::Keep => {}
            Change::Clear => after.project_id = None,
            Change::Set(project) => after.project_id = Some(project),
        }
        if let Some(metadata) = change.metadata {
            metadata.apply(&mut after.metadata)?;
        }
        if after == before {
            return Ok(before);
        }
        after.updated_at = self.clock.now();
        tx.update_conversation(&after).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes a conversation.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`.
    pub async fn delete(&self, caller: &Principal, id: &str) -> Result<ConversationId> {
        let id = ConversationId::parse(id)?;
        let mut tx = self.store.write().await?;
        if !tx.delete_conversation(&caller.user_id, &id, self.clock.now()).await? {
            return Err(not_found());
        }
        tx.commit().await?;
        Ok(id)
    }

    /// Deletes those of the caller's conversations that are named. What cannot be deleted keeps nothing else from being.
    ///
    /// # Errors
    /// `invalid_request` when none is named, `too_many_ids`.
    pub async fn delete_many(&self, caller: &Principal, ids: &[String]) -> Result<BulkDeleted> {
        let param = "conversation_ids";
        if ids.is_empty() {
            return Err(Error::invalid("invalid_request", "conversation_ids must name a conversation.").param(param));
        }
        if ids.len() > MAX_BULK {
            let text = format!("conversation_ids may name {MAX_BULK} conversations at most.");
            return Err(Error::invalid("too_many_ids", text).param(param));
        }
        let mut once: Vec<&String> = Vec::with_capacity(ids.len());
        for id in ids {
            if !once.contains(&id) {
                once.push(id);
            }
        }
        let known: Vec<_> = once.iter().filter_map(|id| ConversationId::parse(id).ok()).collect();
        let mut tx = self.store.write().await?;
        let deleted = tx.delete_conversations(&caller.user_id, &known, self.clock.now()).await?;
        tx.commit().await?;
        let is_deleted = |id: &str| deleted.iter().any(|deleted| deleted.as_str() == id);
        let failed = once.into_iter().filter(|id| !is_deleted(id)).cloned().collect();
        Ok(BulkDeleted { deleted: deleted.len(), failed })
    }

    /// Deletes all of the caller's conversations; says how many there were.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_all(&self, caller: &Principal) -> Result<u64> {
        let mut tx = self.store.write().await?;
        let deleted = tx.delete_all_conversations(&caller.user_id, self.clock.now()).await?;
        tx.commit().await?;
        Ok(deleted)
    }

    /// Items as they are kept, made at this moment.
    pub(crate) fn new_items(&self, items: Vec<ItemIn>) -> Vec<NewItem> {
        items.into_iter().map(|item| self.new_item(item)).collect()
    }

    pub(crate) fn new_item(&self, item: ItemIn) -> NewItem {
        let now = self.clock.now();
        let ended = matches!(item.status, Some("completed" | "incomplete"));
        NewItem {
            id: domain::ids::ItemId::new(&self.clock),
            head: Head {
                kind: item.kind.to_owned(),
                role: item.role.map(str::to_owned),
                status: item.status.map(str::to_owned),
                call_id: item.call_id,
            },
            body: item.body,
            text: item.text,
            making: Making::default(),
            created_at: now,
            ended_at: ended.then_some(now),
        }
    }
}

/// The conversation, and the history of the named branch or of the active one.
pub(crate) async fn history(
    reader: &mut store::Reader,
    owner: &UserId,
    id: &ConversationId,
    branch: Option<&str>,
) -> Result<(Conversation, History)> {
    let branch = branch.map(branch_name);
    let (conversation, history) = reader.history(owner, id, branch).await?.ok_or_else(not_found)?;
    Ok((conversation, history.ok_or_else(branches::not_found)?))
}

/// A branch's name as it is kept: the first is written in capitals.
pub(crate) fn branch_name(name: &str) -> &str {
    if name.eq_ignore_ascii_case(MAIN) { MAIN } else { name }
}

/// Keeps a project of the owner's from being deleted until the transaction ends.
pub(crate) async fn hold_project(tx: &mut Tx, owner: &UserId, project: Option<&ProjectId>) -> Result<()> {
    match project {
        Some(project) if !tx.hold_project(owner, project).await? => Err(project_not_found()),
        _ => Ok(()),
    }
}

/// Reads the id of a project; what is no id names no project.
///
/// # Errors
/// `project_not_found`.
pub fn project_id(id: &str) -> Result<ProjectId> {
    ProjectId::parse(id).map_err(|_| project_not_found())
}

pub(crate) fn project_not_found() -> Error {
    projects::not_found().param("project_id")
}

pub(crate) fn not_found() -> Error {
    Error::not_found("conversation_not_found", "There is no such conversation of yours.")
}
