//! What who administers the server does with users. Who that is, the caller has checked.

use domain::{
    Error, Kind, Method, Principal, Result, Role, Secret,
    ids::{ApiKeyId, UserId},
    page::{Page, PageRequest},
    user::User,
};
use store::{Revocation, StoreError, Tx};

use crate::{Identity, credentials, time};

impl Identity {
    /// A page of all users.
    pub async fn users(&self, page: &PageRequest) -> Result<Page<User>> {
        time::limited(async { self.0.store.read().await?.users(page).await }).await
    }

    /// The user with this id, address or username.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn find_user(&self, name: &str) -> Result<User> {
        let found = match UserId::parse(name) {
            Ok(id) => time::limited(async { self.0.store.read().await?.user(&id).await }).await?,
            Err(_) => self.account(name).await?.map(|account| account.user),
        };
        found.ok_or_else(not_found)
    }

    /// Gives a user these roles, from the next request on.
    ///
    /// # Errors
    /// `user_not_found`; `not_an_account` for a guest, who would be an administrator without a way to sign in.
    pub async fn set_roles(&self, id: &UserId, roles: &[Role]) -> Result<()> {
        let done = time::limited(async {
            let mut tx = self.0.store.write().await?;
            tx.lock_user(id).await?;
            match tx.user(id).await? {
                None => return Ok(Err(not_found())),
                Some(user) if user.roles.contains(&Role::Guest) => return Ok(Err(not_an_account())),
                Some(_) => {}
            }
            tx.set_roles(id, roles).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(Ok(()))
        });
        done.await??;
        self.0.verdicts.forget(&Revocation::User(id.clone()));
        Ok(())
    }

    /// Gives an account a new password and ends all of its sessions: whoever had the old one is out.
    ///
    /// # Errors
    /// `user_not_found`; `not_an_account`; 400 for a password that is none.
    pub async fn reset_password(&self, user: &User, password: &Secret) -> Result<()> {
        if user.roles.contains(&Role::Guest) {
            return Err(not_an_account());
        }
        let hash = self.0.passwords.hash(password).await?;
        let now = self.0.clock.now();
        self.change(&user.id, async |tx| {
            let changed = tx.set_password(&user.id, &hash).await?;
            tx.end_sessions(&user.id, now).await?;
            Ok(changed)
        })
        .await
    }

    /// Keeps a user out, with every key and session; or lets one in again, who then signs in anew.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn set_disabled(&self, id: &UserId, disabled: bool) -> Result<()> {
        let now = self.0.clock.now();
        self.change(id, async |tx| {
            let changed = tx.set_disabled(id, disabled.then_some(now)).await?;
            tx.end_sessions(id, now).await?;
            Ok(changed)
        })
        .await
    }

    /// Takes any user's key back.
    ///
    /// # Errors
    /// `api_key_not_found`, also for a key taken back before.
    pub async fn revoke_any_key(&self, id: &str) -> Result<()> {
        let missing = || Error::not_found("api_key_not_found", "There is no such API key.");
        let id = ApiKeyId::parse(id).map_err(|_| missing())?;
        let now = self.0.clock.now();
        let revoked = time::limited(async {
            let mut tx = self.0.store.write().await?;
            let Some(owner) = tx.api_key_owner(&id).await? else { return Ok(false) };
            let revoked = tx.revoke_api_key(&owner, &id, now).await?;
            tx.commit().await?;
            Ok(revoked)
        });
        if !revoked.await? {
            return Err(missing());
        }
        self.0.verdicts.forget(&Revocation::ApiKey(id));
        Ok(())
    }

    /// The user as a caller, for who acts in the user's name beside the API.
    pub fn act_as(user: User) -> Principal {
        credentials::principal(user, Method::Jwt(None), Vec::new())
    }

    async fn change(&self, id: &UserId, work: impl AsyncFnOnce(&mut Tx) -> Result<bool, StoreError>) -> Result<()> {
        let changed = time::limited(async {
            let mut tx = self.0.store.write().await?;
            let changed = work(&mut tx).await?;
            tx.commit().await?;
            Ok(changed)
        });
        if !changed.await? {
            return Err(not_found());
        }
        self.0.verdicts.forget(&Revocation::User(id.clone()));
        Ok(())
    }
}

#[cold]
fn not_found() -> Error {
    Error::not_found("user_not_found", "There is no such user.")
}

#[cold]
fn not_an_account() -> Error {
    Error::new(Kind::Conflict, "not_an_account", "The user is a guest, who has no account.")
}
