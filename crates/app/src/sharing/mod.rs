//! Sharing: a frozen copy of a conversation, for everybody who has the link.
//!
//! A share is made once and never changes. What is in it is decided in [`gather`] and [`snapshot`], how it looks in [`page`]
//! and [`markdown`]; whether it is [`seen`] is asked anew for each reader, so that taking it back works at once.

mod gather;
mod highlight;
mod markdown;
mod options;
mod page;
mod seen;
mod snapshot;
mod views;

use std::{sync::Arc, time::Duration};

use domain::{
    Clock, Error, Kind, Principal, Result, Timestamp,
    ids::{ConversationId, ShareId},
    page::{Page, PageRequest},
    share::{Name, Share, Slug},
};
use store::{CleanUp, ShareFilter, Store};
use tokio_util::sync::CancellationToken;

pub use options::Options;
pub use seen::{SeenShare, error_page, policy};
use views::Views;

use crate::conversations::{self, items};

/// Live shares that a conversation may have.
pub const MAX_LIVE: u64 = 50;
/// The longest life that can be asked for.
pub const MAX_LIFE: Duration = Duration::from_hours(10 * 365 * 24);
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
    /// `sharing_disabled`, `temporary_conversation`, `invalid_id`, `conversations::not_found`, `branch_not_found`,
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
            item_id: wish.item.as_deref().map(items::read_id).transpose()?,
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
        if found.ok_or_else(conversations::not_found)?.is_private {
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

    /// A page of the caller's shares: of one conversation, or of all.
    ///
    /// # Errors
    /// `invalid_id`, `conversations::not_found`, `invalid_cursor`.
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
            reader.conversation(&caller.user_id, id).await?.ok_or_else(conversations::not_found)?;
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

    fn check_enabled(&self) -> Result<()> {
        if self.0.options.enabled { Ok(()) } else { Err(disabled()) }
    }
}

fn read_conversation_id(text: &str) -> Result<ConversationId> {
    if text == conversations::TEMPORARY { Err(temporary()) } else { ConversationId::parse(text) }
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
fn too_many() -> Error {
    let message = format!("A conversation has at most {MAX_LIVE} live shares: take some back, or replace them.");
    Error::invalid("share_limit_reached", message)
}

#[cold]
fn share_not_found() -> Error {
    Error::not_found("share_not_found", "There is no such shared conversation.")
}
