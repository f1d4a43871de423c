//! What anybody sees who has the link.

use domain::{
    Error, Kind, Result,
    share::{Image, Name, Share},
};
use store::OpenShare;
use wire::share::{Message, Snapshot};

use super::{Sharing, page, share_not_found};

/// What somebody with the link may see.
pub struct SeenShare {
    /// The share.
    pub share: Share,
    /// Where it is.
    pub address: String,
    sharing: Sharing,
}

impl Sharing {
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

#[cold]
fn revoked() -> Error {
    Error::new(Kind::Gone, "share_revoked", "This conversation is no longer shared.")
}

#[cold]
fn expired() -> Error {
    Error::new(Kind::Gone, "share_expired", "This conversation was shared for a time that is over.")
}
