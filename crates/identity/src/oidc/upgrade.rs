//! Makes a guest the provider's user: the same user, with everything it has.
//!
//! The guest is known from the beginning. The browser that came back from the provider gets a code and no session; the same
//! guest hands the code in with its own token. So all is in one hand: nobody can have a stranger sign in for his guest, nor
//! have a stranger's guest become him.

use domain::{Error, Kind, Principal, Result, Secret, audit::Act, ids::UserId, secret};
use store::{ExternalGrant, ExternalProfile, Revocation, StoreError};

use super::{
    accounts::{self, Row},
    asserted::Asserted,
    exchange::Proven,
};
use crate::{
    Identity, SignIn,
    accounts::{check_guest, lock_guest, refuse_key},
    code_flow, time, verdicts,
};

/// What these codes begin with.
const MARK: &str = "uc_";

impl Identity {
    /// The guest who begins an upgrade, by its access token or else by the refresh token that its browser keeps.
    ///
    /// # Errors
    /// `missing_credentials` for nobody; `not_a_guest`; `access_denied` for one who is disabled; `insufficient_scope` for
    /// an API key; `invalid_refresh_token`, also for one that was used; `rate_limit_exceeded` for too many such from one
    /// address.
    pub async fn upgrading(&self, caller: Option<&Principal>, refresh_token: Option<&str>) -> Result<UserId> {
        let user = match (caller, refresh_token) {
            (Some(caller), _) => {
                refuse_key(caller)?;
                self.user(caller).await?
            }
            (None, Some(token)) => self.user_of_refresh_token(token).await?,
            (None, None) => {
                let message = "An upgrade is begun with the guest's access token.";
                return Err(Error::new(Kind::Unauthenticated, "missing_credentials", message));
            }
        };
        check_guest(user).map(|guest| guest.id)
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
    /// `not_a_guest`, and the code is not spent; `access_denied` for a guest who is disabled; `invalid_upgrade_code`;
    /// `account_exists` when the provider's user has one; `insufficient_scope` for an API key.
    pub async fn upgrade_external(&self, caller: &Principal, code: &str) -> Result<SignIn> {
        refuse_key(caller)?;
        let issuer = self.external()?.options.issuer.clone();
        let (now, digest) = (self.0.clock.now(), verdicts::digest(code));
        let pair = time::limited(async {
            let mut tx = self.0.store.write().await?;
            let guest = match lock_guest(&mut tx, &caller.user_id).await? {
                Ok(guest) => guest,
                Err(error) => return Ok(Err(error)),
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
            let mut user = self.external_user_of(&asserted, guest.id, guest.created_at);
            if tx.external_user(&issuer, &asserted.subject, &[0; 32]).await?.is_some() {
                return Ok(Err(account_exists()));
            }
            if !accounts::keep(&mut tx, &mut user, &asserted, Row::Guests).await? {
                return Ok(Err(account_exists()));
            }
            tx.update_external_user(&user, now).await?;
            tx.set_roles(&user.id, &user.roles).await?;
            let at = domain::Timestamp::from_seconds(asserted.at);
            tx.put_external_account(&user.id, at, &asserted.profile(&ExternalProfile::default())).await?;
            tx.end_sessions(&user.id, now).await?;
            self.note(&mut tx, Act::Upgraded, Some(&user.id), user.id.as_str()).await?;
            let pair = self.begin_external_session(&mut tx, user, &id_token).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(Ok(pair))
        });
        let pair = pair.await??;
        self.0.verdicts.forget(&Revocation::User(caller.user_id.clone()));
        self.hand_out(pair)
    }
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
