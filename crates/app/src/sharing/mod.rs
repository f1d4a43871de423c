//! Sharing: a frozen copy of a conversation, for everybody who has the link.
//!
//! A share is made once and never changes. What is in it is decided in [`snapshot`], how it looks in [`page`] and
//! [`markdown`]; whether it is seen is asked anew for each reader, so that taking it back works at once.

mod highlight;
mod markdown;
mod options;
mod page;
mod snapshot;
mod views;

use std::{sync::Arc, time::Duration};

use domain::{
    Clock, Error, Kind, Principal, Result, Timestamp,
    ids::{ConversationId, ItemId, ShareId},
    item::Item,
    page::{Order, Page, PageRequest},
    share::{Image, Name, Share, Slug},
};
use store::{CleanUp, History, ItemPage, OpenShare, Reader, ShareFilter, Store};
use tokio_util::sync::CancellationToken;
use wire::share::{Message, Snapshot};

pub use options::Options;
use snapshot::Gathering;
use views::Views;

use crate::conversations::PAGE_BYTES;

/// Live shares that a conversation may have.
pub const MAX_LIVE: u64 = 50;
/// The longest life that can be asked for.
pub const MAX_LIFE: Duration = Duration::from_hours(10 * 365 * 24);
/// What clients call a conversation that is kept nowhere.
const TEMPORARY: &str = "TEMPORARY_CHAT_ID";
/// Messages of a conversation that is worth sharing.
const FEWEST: usize = 2;
/// Items read at a time, and in all.
const PAGE: u32 = 500;
const MOST_ITEMS: usize = 20_000;
/// Questions that belong to one answer, at most.
const MOST_CONTEXT: usize = 20;
/// How often the contents of dead shares are removed, and how many at a time.
const CLEAN_EVERY: Duration = Duration::from_mins(10);
const CLEAN_BATCH: u32 = 50;

/// Shares conversations. Clones share everything.
#[derive(Clone)]
pub struct Sharing(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    public_url: String,
    options: Options,
    views: Views,
}

/// What is to be shared, and how.
#[derive(Clone, Debug, Default)]
pub struct ShareWish {
    /// The one item to share; none for all.
    pub item: Option<String>,
    /// The branch to share; none for the active one.
    pub branch: Option<String>,
    /// What to call it.
    pub title: Option<String>,
    /// Whether its images are part of it.
    pub include_images: bool,
    /// Whether the questions before the one item are part of it.
    pub include_context: bool,
    /// How long it is to live, in seconds; none for ever.
    pub expires_in: Option<i64>,
    /// Whether it takes the place of those that were shared before.
    pub replace: bool,
}

/// What somebody with the link may see.
pub struct SeenShare {
    /// The share.
    pub share: Share,
    /// Where it is.
    pub address: String,
    sharing: Sharing,
}

impl Sharing {
    /// Shares that are kept in `store` and seen below `public_url`.
    pub fn new(store: Store, clock: Clock, public_url: &str, options: Options) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self(Arc::new(Inner { store, clock, public_url, options, views: Views::new() }))
    }

    /// Counts views and removes what nobody sees any more, until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::join!(self.0.views.run(&self.0.store, &stop), self.keep_clean(&stop));
    }

    /// Writes the views that wait to be counted.
    ///
    /// # Errors
    /// When the database is away; those views are lost.
    pub async fn write_views(&self) -> Result<u64> {
        Ok(self.0.views.write(&self.0.store).await?)
    }

    async fn keep_clean(&self, stop: &CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(CLEAN_EVERY)).await.is_some() {
            if let Err(error) = self.forget_dead().await {
                tracing::warn!(causes = error.causes(), "Could not remove the contents of dead shares: {error}");
            }
        }
    }

    /// Removes the contents of shares that were taken back or have expired, or whose conversation is deleted.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn forget_dead(&self) -> Result<()> {
        loop {
            let mut tx = self.0.store.write().await?;
            if !tx.lock_clean_up(CleanUp::DeadShares).await? {
                return Ok(());
            }
            let forgotten = tx.forget_dead_snapshots(self.0.clock.now(), CLEAN_BATCH).await?;
            tx.commit().await?;
            if forgotten < u64::from(CLEAN_BATCH) {
                return Ok(());
            }
        }
    }

    /// Where a share is, for everybody.
    pub fn address(&self, share: &Share) -> String {
        format!("{}/v1/share/{}", self.0.public_url, share.slug)
    }

    /// Shares a conversation of the caller's, or an answer of it.
    ///
    /// # Errors
    /// `sharing_disabled`, `temporary_conversation`, `invalid_id`, `conversation_not_found`, `branch_not_found`,
    /// `item_not_found`, `item_not_shareable`, `not_enough_items`, `snapshot_too_large`, `share_limit_reached`, and 400
    /// that names the field.
    pub async fn create(&self, caller: &Principal, conversation: &str, wish: &ShareWish) -> Result<Share> {
        self.check_enabled()?;
        let id = read_conversation_id(conversation)?;
        let now = self.0.clock.now();
        let expires_at = wish.expires_in.map(|seconds| expiry(seconds, now)).transpose()?;
        let slug = Slug::random();
        let (snapshot, images) = self.gather(caller, &id, wish, &slug).await?;
        let share = Share {
            id: ShareId::new(&self.0.clock),
            slug,
            user_id: caller.user_id.clone(),
            conversation_id: id,
            item_id: wish.item.as_deref().map(read_item_id).transpose()?,
            title: snapshot.title.clone(),
            include_images: wish.include_images,
            include_context: wish.include_context,
            view_count: 0,
            last_viewed_at: None,
            created_at: now,
            updated_at: now,
            expires_at,
            revoked_at: None,
        };
        let content = serde_json::to_string(&snapshot).map_err(Error::internal)?;

        let mut tx = self.0.store.write().await?;
        // Whoever else shares it waits, so that the number stays within its bound.
        let found = tx.lock_conversation(&share.user_id, &share.conversation_id).await?;
        if found.ok_or_else(conversation_not_found)?.is_private {
            return Err(temporary());
        }
        if wish.replace {
            tx.revoke_shares(&share.user_id, &share.conversation_id, now).await?;
        } else if tx.count_live_shares(&share.user_id, &share.conversation_id, now).await? >= MAX_LIVE {
            return Err(too_many());
        }
        tx.insert_share(&share, &content, &images).await?;
        tx.commit().await?;
        Ok(share)
    }

    async fn gather(
        &self,
        caller: &Principal,
        id: &ConversationId,
        wish: &ShareWish,
        slug: &Slug,
    ) -> Result<(Snapshot, Vec<Image>)> {
        let mut reader = self.0.store.read().await?;
        let branch = wish.branch.as_deref().filter(|branch| !branch.is_empty()).map(crate::conversations::branch_name);
        let found = reader.history(&caller.user_id, id, branch).await?;
        let (conversation, history) = found.ok_or_else(conversation_not_found)?;
        if conversation.is_private {
            return Err(temporary());
        }
        let mut history = history.ok_or_else(branch_not_found)?;
        let mut gathering = Gathering::new(slug, &self.0.public_url, wish.include_images);
        if let Some(item) = &wish.item {
            let item = read_item_id(item)?;
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
            let answer = shown.ok_or_else(item_not_found)?;
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
        let title = snapshot::title(wish.title.as_deref(), conversation.title.as_deref(), &items);
        Ok((Snapshot { title, model_name, created_at: conversation.created_at.seconds(), items }, images))
    }

    /// A page of the caller's shares: of one conversation, or of all.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`, `invalid_cursor`.
    pub async fn list(
        &self,
        caller: &Principal,
        conversation: Option<&str>,
        all: bool,
        page: &PageRequest,
    ) -> Result<Page<Share>> {
        let mut reader = self.0.store.read().await?;
        let id = conversation.map(read_conversation_id).transpose()?;
        if let Some(id) = &id {
            reader.conversation(&caller.user_id, id).await?.ok_or_else(conversation_not_found)?;
        }
        let filter = ShareFilter { conversation: id.as_ref(), all, now: self.0.clock.now() };
        let found = reader.shares(&caller.user_id, filter, page).await?;
        found.ok_or_else(|| Error::invalid("invalid_cursor", "after names no share of this list.").param("after"))
    }

    /// Takes a share back. Nobody sees it from now on.
    ///
    /// # Errors
    /// `invalid_id`, `share_not_found`.
    pub async fn revoke(&self, caller: &Principal, conversation: Option<&str>, name: &str) -> Result<ShareId> {
        let id = conversation.map(read_conversation_id).transpose()?;
        let name = Name::parse(name).ok_or_else(share_not_found)?;
        let mut tx = self.0.store.write().await?;
        let revoked = tx.revoke_share(&caller.user_id, id.as_ref(), &name, self.0.clock.now()).await?;
        let revoked = revoked.ok_or_else(share_not_found)?;
        tx.commit().await?;
        Ok(revoked)
    }

    /// What is at a share's address, for anybody.
    ///
    /// # Errors
    /// `sharing_disabled`, `share_not_found`, `share_revoked`, `share_expired`.
    pub async fn see(&self, name: &str) -> Result<SeenShare> {
        self.check_enabled()?;
        let name = Name::parse(name).ok_or_else(share_not_found)?;
        match self.0.store.read().await?.open_share(&name).await? {
            OpenShare::Nothing => Err(share_not_found()),
            OpenShare::Deleted => Err(revoked()),
            OpenShare::Share(share) if share.revoked_at.is_some() => Err(revoked()),
            OpenShare::Share(share) if !share.is_live(self.0.clock.now()) => Err(expired()),
            OpenShare::Share(share) => {
                Ok(SeenShare { address: self.address(&share), share: *share, sharing: self.clone() })
            }
        }
    }

    fn check_enabled(&self) -> Result<()> {
        if self.0.options.enabled { Ok(()) } else { Err(disabled()) }
    }
}

impl SeenShare {
    /// What a cache needs to know the page or the JSON again, without quotes. It depends on nothing that changes.
    pub fn tag(&self, kind: &str) -> String {
        format!("{}-{kind}-{}", self.share.id, page::EDITION)
    }

    /// Counts that somebody looked at it.
    pub fn count_view(&self) {
        self.sharing.0.views.count(&self.share.id, self.sharing.0.clock.now());
    }

    /// The snapshot as JSON.
    ///
    /// # Errors
    /// `share_revoked` when it was taken back at this moment.
    pub async fn snapshot_json(&self) -> Result<String> {
        let found = self.sharing.0.store.read().await?.share_snapshot(&self.share.id).await?;
        found.ok_or_else(revoked)
    }

    /// The share as a page, piece by piece. `base` is the last part of the page's own address.
    ///
    /// # Errors
    /// As [`SeenShare::snapshot_json`].
    pub async fn page(&self, base: &str) -> Result<impl Iterator<Item = String> + Send + 'static> {
        let snapshot: Snapshot = serde_json::from_str(&self.snapshot_json().await?).map_err(Error::internal)?;
        let head = page::head(&snapshot, &self.address);
        let base = base.to_owned();
        let messages = snapshot.items.into_iter().map(move |message: Message| page::message(&message, &base));
        Ok(std::iter::once(head).chain(messages).chain(std::iter::once(page::end().to_owned())))
    }

    /// One of its images.
    ///
    /// # Errors
    /// `share_not_found`.
    pub async fn image(&self, number: u32) -> Result<Image> {
        let found = self.sharing.0.store.read().await?.share_image(&self.share.id, number).await?;
        found.ok_or_else(|| Error::not_found("share_not_found", "The share has no such image."))
    }
}

/// What a browser may do with a share's page.
pub fn policy() -> &'static str {
    page::policy()
}

/// The page for somebody who does not find what they look for.
pub fn error_page(error: &Error) -> String {
    let title = if error.kind() == Kind::Gone { "No longer shared" } else { "Not found" };
    page::nothing(title, error.message())
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

fn read_conversation_id(text: &str) -> Result<ConversationId> {
    if text == TEMPORARY { Err(temporary()) } else { ConversationId::parse(text) }
}

fn read_item_id(text: &str) -> Result<ItemId> {
    ItemId::parse(text).map_err(|_| item_not_found())
}

fn expiry(seconds: i64, now: Timestamp) -> Result<Timestamp> {
    match u64::try_from(seconds) {
        Ok(seconds) if seconds >= 1 && seconds <= MAX_LIFE.as_secs() => Ok(now + Duration::from_secs(seconds)),
        _ => {
            let message = format!("expires_in is a number of seconds from 1 to {}.", MAX_LIFE.as_secs());
            Err(Error::invalid_parameter("expires_in", message))
        }
    }
}

#[cold]
fn disabled() -> Error {
    Error::new(Kind::Forbidden, "sharing_disabled", "Conversations are not shared on this server.")
}

#[cold]
fn temporary() -> Error {
    Error::invalid("temporary_conversation", "A temporary or private conversation cannot be shared.")
}

#[cold]
fn conversation_not_found() -> Error {
    Error::not_found("conversation_not_found", "There is no such conversation of yours.")
}

#[cold]
fn branch_not_found() -> Error {
    Error::not_found("branch_not_found", "The conversation has no such branch.").param("branch")
}

#[cold]
fn item_not_found() -> Error {
    Error::not_found("item_not_found", "The conversation has no such item.")
}

#[cold]
fn not_shareable() -> Error {
    Error::invalid("item_not_shareable", "Only a completed message of the assistant can be shared by itself.")
}

#[cold]
fn not_enough() -> Error {
    Error::invalid("not_enough_items", "A conversation needs at least 2 items, messages to read, to be shared.")
}

#[cold]
fn too_many() -> Error {
    let message = format!("A conversation has at most {MAX_LIVE} live shares: take some back, or replace them.");
    Error::invalid("share_limit_reached", message)
}

#[cold]
fn share_not_found() -> Error {
    Error::not_found("share_not_found", "There is no such shared conversation.")
}

#[cold]
fn revoked() -> Error {
    Error::new(Kind::Gone, "share_revoked", "This conversation is no longer shared.")
}

#[cold]
fn expired() -> Error {
    Error::new(Kind::Gone, "share_expired", "This conversation was shared for a time that is over.")
}
