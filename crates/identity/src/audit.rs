//! The audit log: each act that matters to security leaves a line, in the transaction that does it.
//!
//! Who acts and from where comes with the handle that is used ([`Identity::acting`]), so that no use-case can forget it.
//! Not noted are guests who come in, and sessions that go on: they change nobody's rights.

use std::{net::IpAddr, sync::Arc};

use domain::{
    Error, Result,
    audit::{Act, Actor, Entry, Filter, Origin},
    ids::{AuditId, UserId},
    page::{Page, PageRequest},
};
use store::{StoreError, Tx};

use crate::{Identity, time};

/// Failed sign-ins are noted once in this time, for each account.
const FAILURES_PER: i64 = 60;

impl Identity {
    /// The same, for acts that come from here.
    #[must_use]
    pub fn acting(&self, origin: Origin) -> Self {
        Self(Arc::clone(&self.0), Some(Arc::new(origin.plain())))
    }

    /// Where its acts come from.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.1.as_ref().and_then(|origin| origin.address)
    }

    /// A page of the audit log.
    ///
    /// # Errors
    /// `invalid_cursor`.
    pub async fn audit_log(&self, filter: &Filter, page: &PageRequest) -> Result<Page<Entry>> {
        let unknown = || Error::invalid("invalid_cursor", "after names no line of the log.").param("after");
        page.after.as_deref().map(AuditId::parse).transpose().map_err(|_| unknown())?;
        let found = time::limited(async { self.0.store.read().await?.audit_log(filter, page).await }).await?;
        found.ok_or_else(unknown)
    }

    /// The line of an act. `by` is who did it, unless the handle knows somebody who did it in that user's name.
    pub(crate) fn entry(&self, act: Act, by: Option<&UserId>, target: &str) -> Entry {
        let mut origin = self.1.as_deref().cloned().unwrap_or_default();
        if let (Actor::Unknown, Some(by)) = (&origin.actor, by) {
            origin.actor = Actor::User(by.clone());
        }
        Entry {
            id: AuditId::new(&self.0.clock),
            created_at: self.0.clock.now(),
            act,
            origin,
            target: Some(target.to_owned()),
            detail: None,
        }
    }

    /// Notes an act in its transaction.
    pub(crate) async fn note(
        &self,
        tx: &mut Tx,
        act: Act,
        by: Option<&UserId>,
        target: &str,
    ) -> Result<(), StoreError> {
        tx.insert_audit(&self.entry(act, by, target)).await
    }

    /// Notes an act that no transaction does, before it is done.
    ///
    /// # Errors
    /// When the line cannot be written: then the act is not to be done.
    pub async fn note_ahead(&self, act: Act, target: &UserId) -> Result<()> {
        time::limited(async {
            let mut tx = self.0.store.write().await?;
            self.note(&mut tx, act, None, target.as_str()).await?;
            tx.commit().await
        })
        .await
    }

    /// Notes that a sign-in was refused, when there is time. Names that are nobody's share a line, and are not noted: what
    /// is typed there may be a password.
    pub(crate) fn note_refusal(&self, user: Option<&UserId>) {
        let entry = Entry { target: user.map(UserId::to_string), ..self.entry(Act::SignInFailed, None, "") };
        let minute = entry.created_at.seconds() / FAILURES_PER;
        let once = format!("{} {} {minute}", entry.act.as_str(), entry.target.as_deref().unwrap_or("nobody"));
        self.0.last_used.note_refusal(entry, once);
    }
}
