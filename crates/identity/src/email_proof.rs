//! Proving that an account's address reaches its user.
//!
//! This server sends no mail. Whoever administers it gets a link and sends it to the address by the means there are; who
//! opens it has received what was sent there. Or an administrator knows otherwise and says so. Nothing else makes an
//! address count as proven, and a new address is unproven again.

use std::time::Duration;

use domain::{Error, Kind, Result, audit::Act, ids::UserId, secret, user::User};
use store::{EmailProof, StoreError};

use crate::{Identity, accounts::is_guest, administration, time, verdicts};

/// How long a link counts.
const LIFE: Duration = Duration::from_hours(24);

impl Identity {
    /// A link that proves a user's address when it is opened, within a day; the one before counts no more.
    ///
    /// # Errors
    /// `not_an_account` for a guest, whose address is a placeholder; `user_not_found`.
    pub async fn email_link(&self, user: &User) -> Result<String> {
        let Some(email) = user.email.clone().filter(|_| !is_guest(user)) else {
            return Err(administration::not_an_account());
        };
        let token = secret::hex(&secret::random::<24>());
        let proof = EmailProof { user_id: user.id.clone(), email, expires_at: self.0.clock.now() + LIFE };
        time::limited(async {
            let mut tx = self.0.store.write().await?;
            tx.put_email_proof(&verdicts::digest(&token), &proof).await?;
            tx.commit().await
        })
        .await?;
        Ok(format!("{}/auth/verify-email?token={token}", self.0.issuer))
    }

    /// The address that the link with this token proves.
    ///
    /// # Errors
    /// `email_link_invalid`.
    pub async fn check_email_link(&self, token: &str) -> Result<String> {
        let digest = verdicts::digest(token);
        let found = time::limited(async { self.0.store.read().await?.email_proof(&digest).await }).await?;
        let now = self.0.clock.now();
        found.filter(|proof| proof.expires_at > now).map(|proof| proof.email).ok_or_else(invalid)
    }

    /// Uses the link up: its address counts as proven, if the user has it still.
    ///
    /// # Errors
    /// `email_link_invalid`.
    pub async fn prove_email(&self, token: &str) -> Result<String> {
        let (digest, now) = (verdicts::digest(token), self.0.clock.now());
        let proven = time::limited(async {
            let mut tx = self.0.store.write().await?;
            let Some(proof) = tx.take_email_proof(&digest).await?.filter(|proof| proof.expires_at > now) else {
                return Ok(None);
            };
            if !tx.set_email_verified(&proof.user_id, &proof.email, Some(now)).await? {
                return Ok(None);
            }
            self.note(&mut tx, Act::EmailVerified, Some(&proof.user_id), proof.user_id.as_str()).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(Some(proof.email))
        });
        proven.await?.ok_or_else(invalid)
    }

    /// Marks a user's address as proven, on an administrator's word.
    ///
    /// # Errors
    /// What [`Identity::update_user`] refuses.
    pub async fn verify_email(&self, id: &UserId) -> Result<User> {
        let change = crate::UserChange { email_verified: Some(true), ..crate::UserChange::default() };
        self.update_user(id, &change).await
    }
}

#[cold]
fn invalid() -> Error {
    let message = "The link is not good any more: it was used, is older than a day, or the account has another address. \
        Ask the administrator for another.";
    Error::new(Kind::NotFound, "email_link_invalid", message)
}
