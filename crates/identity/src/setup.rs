//! The first administrator: whoever has the link that the server prints at its start makes the account.
//!
//! There is one link at a time, for half an hour and one use, and only while nobody administers the server.

use std::time::Duration;

use domain::{Error, Kind, Result, Role, audit::Act, secret, user::User};
use store::StoreError;

use crate::{AccountWish, Identity, time, verdicts};

const LIFE: Duration = Duration::from_mins(30);

impl Identity {
    /// A new link, which puts those before it out of use; none when somebody administers the server.
    pub async fn setup_link(&self) -> Result<Option<String>> {
        if !self.built_in_sign_in() {
            return Ok(None);
        }
        let token = secret::hex(&secret::random::<24>());
        let until = self.0.clock.now() + LIFE;
        let needed = time::limited(async {
            let mut tx = self.0.store.write().await?;
            tx.lock_setup().await?;
            if tx.has_admin().await? {
                return Ok(false);
            }
            tx.put_setup_link(&verdicts::digest(&token), until).await?;
            tx.commit().await?;
            Ok(true)
        });
        Ok(if needed.await? { Some(format!("{}/auth/setup?token={token}", self.0.issuer)) } else { None })
    }

    /// Whether the link with this token can be used.
    ///
    /// # Errors
    /// `setup_link_invalid`.
    pub async fn check_setup(&self, token: &str) -> Result<()> {
        let (digest, now) = (verdicts::digest(token), self.0.clock.now());
        let is_good = time::limited(async {
            let mut reader = self.0.store.read().await?;
            Ok(reader.is_setup_link(&digest, now).await? && !reader.has_admin().await?)
        });
        if is_good.await? { Ok(()) } else { Err(invalid()) }
    }

    /// Uses the link up and makes the administrator.
    ///
    /// # Errors
    /// `setup_link_invalid`; `email_taken`, `username_taken`; 400 that names the field. Then the link can be used again.
    pub async fn set_up(&self, token: &str, wish: AccountWish) -> Result<User> {
        self.check_setup(token).await?;
        let (user, hash) = self.new_account(&wish, vec![Role::User, Role::Admin]).await?;
        let (digest, now) = (verdicts::digest(token), self.0.clock.now());
        time::limited(async {
            let mut tx = self.0.store.write().await?;
            tx.lock_setup().await?;
            if !tx.take_setup_link(&digest, now).await? || tx.has_admin().await? {
                return Ok(Err(invalid()));
            }
            if let Err(error) = Self::insert_account(&mut tx, &user, hash.as_deref()).await? {
                return Ok(Err(error));
            }
            self.note(&mut tx, Act::ServerSetUp, Some(&user.id), user.id.as_str()).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(Ok(()))
        })
        .await??;
        tracing::warn!(user = %user.id, "The first administrator was made by the link");
        Ok(user)
    }
}

#[cold]
fn invalid() -> Error {
    let message = "The link is not good any more: it was used, is older than half an hour, or the server has an \
        administrator. Start the server again for another, or use `jan-server user create --admin`.";
    Error::new(Kind::NotFound, "setup_link_invalid", message)
}
