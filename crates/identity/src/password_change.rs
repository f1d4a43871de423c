//! Another password for one's own account, by the one it has.
//!
//! Whoever else is signed in to the account is out, since one changes a password that somebody may know. API keys stay: no
//! program forgot anything, and their owner sees and revokes them.

use std::{borrow::Cow, net::IpAddr};

use domain::{Error, Kind, Method, Principal, Result, Secret, audit::Act, ids::SessionId, user::User};
use store::{Account, Revocation};

use crate::{
    AuthorizationRequest, Identity,
    accounts::{invalid_login, is_guest},
    administration::not_an_account,
    passwords, time,
};

impl Identity {
    /// Gives the caller's account a new password. All of its sessions end but the caller's.
    ///
    /// # Errors
    /// `wrong_password`; `not_an_account` for a guest; `no_password` for an account that has none, as the provider's
    /// users; `rate_limit_exceeded`; `insufficient_scope` for an API key; 400 that names the field.
    pub async fn change_password(&self, caller: &Principal, current: &Secret, new: &Secret) -> Result<()> {
        let Method::Jwt(session) = &caller.method else {
            let message = "An API key cannot change its owner's password; sign in.";
            return Err(Error::new(Kind::Forbidden, "insufficient_scope", message));
        };
        let user = self.user(caller).await?;
        self.check_has_password(&user).await?;
        passwords::check(new, "new_password")?;
        let changed = self.exchange_password(&user.username, current, new, session.as_ref(), self.address()).await;
        match changed {
            Err(error) if error.code() == "invalid_login" => Err(wrong_password()),
            other => other.map(drop),
        }
    }

    /// Gives an account a new password and signs a browser in with it, as [`Identity::authorize`] does. All of its
    /// sessions end.
    ///
    /// # Errors
    /// What [`Identity::authorize`] refuses; 400 that names the field.
    pub async fn authorize_with_new_password(
        &self,
        request: &AuthorizationRequest,
        browser: &str,
        name: &str,
        current: &Secret,
        new: &Secret,
        from: Option<IpAddr>,
    ) -> Result<String> {
        self.check_authorization(request)?;
        self.check_built_in()?;
        passwords::check(new, "new_password")?;
        let account = self.exchange_password(name, current, new, None, from).await?;
        self.grant(request, browser, account.user, account.password_hash.as_deref()).await
    }

    /// Puts a new password in the place of the account's, and ends its sessions but the one that is kept. The account as
    /// it is then.
    async fn exchange_password(
        &self,
        name: &str,
        current: &Secret,
        new: &Secret,
        kept: Option<&SessionId>,
        from: Option<IpAddr>,
    ) -> Result<Account> {
        let now = self.0.clock.now();
        self.0.tries.admit(name, from, now)?;
        let Account { user, password_hash } = self.authenticate(name, current).await?;
        let proven_by = password_hash.ok_or_else(invalid_login)?;
        let hash = self.0.passwords.hash(new).await?;
        let changed = time::limited(async {
            let mut tx = self.0.store.write().await?;
            // Another change may have been faster.
            if !tx.has_password(&user.id, &proven_by).await? {
                return Ok(false);
            }
            tx.set_password(&user.id, &hash).await?;
            tx.end_other_sessions(&user.id, kept, now).await?;
            self.note(&mut tx, Act::PasswordChanged, Some(&user.id), user.id.as_str()).await?;
            tx.commit().await?;
            Ok(true)
        });
        if !changed.await? {
            return Err(invalid_login());
        }
        self.0.verdicts.forget(&Revocation::User(user.id.clone()));
        Ok(Account { user, password_hash: Some(hash) })
    }

    /// Refuses who has no password here.
    async fn check_has_password(&self, user: &User) -> Result<()> {
        if is_guest(user) {
            return Err(not_an_account());
        }
        if self.is_providers(user) {
            let provider = &self.0.options.oidc.display_name;
            return Err(no_password(format!("You sign in through {provider}: your password is changed there.")));
        }
        self.check_built_in()?;
        let account = self.account(&user.username).await?;
        if account.is_none_or(|account| account.password_hash.is_none()) {
            return Err(no_password("The account has no password; who administers the server can give it one."));
        }
        Ok(())
    }
}

#[cold]
fn no_password(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Kind::Conflict, "no_password", message)
}

#[cold]
fn wrong_password() -> Error {
    Error::invalid("wrong_password", "This is not the account's password.").param("current_password")
}
