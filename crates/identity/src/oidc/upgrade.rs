//! Makes a guest the provider's user: the same user, with everything it has.
//!
//! The guest is known from the beginning. The browser that came back from the provider gets a code and no session; the same
//! guest hands the code in with its own token. So all is in one hand: nobody can have a stranger sign in for his guest, nor
//! have a stranger's guest become him.

use domain::{Error, Kind, Method, Principal, Result, Role, Secret, audit::Act, ids::UserId, secret};
use store::{ExternalGrant, Revocation, StoreError};

use super::{accounts, asserted::Asserted, exchange::Proven};
use crate::{
    Identity, SignIn,
    accounts::{is_guest, not_a_guest},
    code_flow, time, verdicts,
};

/// What these codes begin with.
const MARK: &str = "uc_";

impl Identity {
    /// The guest who begins an upgrade, by its access token or else by the refresh token that its browser keeps.
    ///
    /// # Errors
    /// `missing_credentials` for nobody; `not_a_guest`; `insufficient_scope` for an API key; `invalid_refresh_token`.
    pub async fn upgrading(&self, caller: Option<&Principal>, refresh_token: Option<&str>) -> Result<UserId> {
        let id = match (caller, refresh_token) {
            (Some(caller), _) => {
                refuse_key(caller)?;
                caller.user_id.clone()
            }
            (None, Some(token)) => self.session_of_refresh_token(token, self.0.clock.now()).await?.0,
            (None, None) => {
                let message = "An upgrade is begun with the guest's access token.";
                return Err(Error::new(Kind::Unauthenticated, "missing_credentials", message));
            }
        };
        let user = time::limited(async { self.0.store.read().await?.user(&id).await }).await?;
        if user.is_some_and(|user| is_guest(&user)) { Ok(id) } else { Err(not_a_guest()) }
    }

    /// Keeps who came through until a guest takes it.
    pub(super) async fn vouch(&self, proven: &Proven, guest: UserId) -> Result<Secret> {
        let code = format!("{MARK}{}", secret::hex(&secret::random::<32>()));
        let grant = ExternalGrant {
            guest,
            identity: serde_json::to_value(&proven.asserted).map_err(Error::internal)?,
            id_token: proven.id_token.clone(),
            expires_at: self.0.clock.now() + code_flow::BEGUN,
        };
        time::limited(async {
            let mut tx = self.0.store.write().await?;
            tx.insert_external_grant(&verdicts::digest(&code), &grant).await?;
            tx.commit().await
        })
        .await?;
        Ok(Secret::new(code))
    }

    /// Makes an account of a guest, who keeps everything, by the code that a sign-in through the provider ended with. All
    /// other sign-ins of the guest end.
    ///
    /// # Errors
    /// `not_a_guest`; `invalid_upgrade_code`; `account_exists` when the provider's user has one; `insufficient_scope`
    /// for an API key.
    pub async fn upgrade_external(&self, caller: &Principal, code: &str) -> Result<SignIn> {
        refuse_key(caller)?;
        let issuer = self.external()?.options.issuer.clone();
        let (now, digest) = (self.0.clock.now(), verdicts::digest(code));
        let linked = time::limited(async {
            let mut tx = self.0.store.write().await?;
            tx.lock_user(&caller.user_id).await?;
            let Some(mut user) = tx.user(&caller.user_id).await?.filter(is_guest) else {
                return Ok(Err(not_a_guest()));
            };
            let grant = tx.take_external_grant(&digest).await?.filter(|grant| grant.expires_at > now);
            if grant.as_ref().is_some_and(|grant| grant.guest != caller.user_id) {
                // Two have the code: it is spent.
                tx.commit().await?;
                return Ok(Err(invalid_code()));
            }
            let read =
                |grant: ExternalGrant| Some((serde_json::from_value::<Asserted>(grant.identity).ok()?, grant.id_token));
            let Some((asserted, id_token)) = grant.and_then(read) else { return Ok(Err(invalid_code())) };
            user.issuer.clone_from(&issuer);
            user.subject.clone_from(&asserted.subject);
            user.email.clone_from(&asserted.email);
            user.email_verified = asserted.email_verified;
            user.name.clone_from(&asserted.name);
            user.roles = asserted.roles.clone().unwrap_or_else(|| vec![Role::User]);
            if tx.external_user(&issuer, &asserted.subject, &[0; 32]).await?.is_some() {
                return Ok(Err(account_exists()));
            }
            let mut attempt = 0;
            loop {
                user.username = accounts::username(&asserted, attempt);
                if tx.link_user(&user).await? {
                    break;
                }
                attempt += 1;
                if attempt > accounts::TRIES {
                    return Ok(Err(account_exists()));
                }
            }
            tx.update_external_user(&user, now).await?;
            let at = domain::Timestamp::from_seconds(asserted.at);
            tx.put_external_account(&user.id, at, asserted.picture.as_deref()).await?;
            tx.end_sessions(&user.id, now).await?;
            self.note(&mut tx, Act::Upgraded, Some(&user.id), user.id.as_str()).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(Ok((user, id_token)))
        });
        let (user, id_token) = linked.await??;
        self.0.verdicts.forget(&Revocation::User(user.id.clone()));
        self.open_external_session(user, &id_token).await
    }
}

fn refuse_key(caller: &Principal) -> Result<()> {
    if matches!(caller.method, Method::ApiKey(_)) {
        let message = "An API key cannot make an account; use the guest's access token.";
        return Err(Error::new(Kind::Forbidden, "insufficient_scope", message));
    }
    Ok(())
}

#[cold]
fn invalid_code() -> Error {
    let message = "The code is not good: it was used, is older than ten minutes, or is for another guest.";
    Error::invalid("invalid_upgrade_code", message).param("code")
}

#[cold]
fn account_exists() -> Error {
    Error::new(Kind::Conflict, "account_exists", "Who signed in has an account here already; sign in to it.")
}
