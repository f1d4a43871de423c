//! Sign-ins: begun with a pair of tokens, renewed by the refresh token, ended by either.
//!
//! A refresh token is used once and replaced; its session is the family. What is kept of it tells three cases of a second
//! use apart (`security.md` A7; the manners are Matrix Authentication Service's, the grace is the contract's):
//!
//! - A tab of the same browser, or a client that tries again, is at most [`GRACE`] later, and nobody has gone on with the
//!   successor yet. It gets a successor of its own, the one before is out of use; access tokens stay good, since the
//!   other tab works with one.
//! - The answer to the first use was lost: neither the successor nor its access token was ever used. They are taken back
//!   and a new pair is handed out.
//! - Otherwise two parties have the token, and one of them stole it: the session ends for both.
//!
//! So there is never more than one token with which a session can go on. One that another took the place of is refused
//! while its tab may not know better, for [`GRACE`]; whoever comes with it later is one of two parties (RFC 9700, 4.14.2).
//!
//! However often it is renewed, an account's session ends some day, and its user signs in again. A guest's does not: a
//! guest cannot sign in again, and would lose everything.

use std::time::Duration;

use domain::{
    Error, Result, Secret, Timestamp,
    audit::Act,
    ids::{SessionId, UserId},
    secret,
    session::Session,
    user::User,
};
use store::{NewRefreshToken, RefreshToken, RefreshTokenState, Revocation, StoreError, Successors, Tx};

use crate::{
    Identity,
    access_token::{self, Claims},
    accounts::is_guest,
    api_key,
    credentials::Refusal,
    time,
    verdicts::{self, Digest},
};

/// By this a refresh token is told from an access token.
pub const MARK: &str = "rt_";
/// A refresh token's length: the mark and 256 bits.
const LENGTH: usize = MARK.len() + 64;
/// How long after its first use a token may be used again although its successor's access token is in use.
const GRACE: Duration = Duration::from_secs(10);
/// Successors that a token may have; far more than there are tabs.
const MOST_SUCCESSORS: u64 = 50;

/// A sign-in, with the tokens that prove it.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Who signed in.
    pub user: User,
    /// The access token.
    pub access_token: Secret,
    /// The token that gets the next access token.
    pub refresh_token: Secret,
    /// When the access token expires.
    pub expires_at: Timestamp,
    /// For how many seconds the access token is good.
    pub expires_in: i64,
    /// When the sign-in lapses unless it is renewed.
    pub session_expires_at: Timestamp,
}

/// An access token and the refresh token that comes with it, for a session; neither is stored or handed out yet.
pub(crate) struct Pair {
    session: Session,
    claims: Claims,
    access_token: String,
    refresh_token: String,
}

impl Pair {
    pub(crate) fn session_id(&self) -> &SessionId {
        &self.session.id
    }

    /// Stores the refresh token; the pair is handed out once that is safe.
    async fn insert(&self, tx: &mut Tx, parent: Option<&Digest>, now: Timestamp) -> Result<(), StoreError> {
        tx.insert_refresh_token(&NewRefreshToken {
            digest: &verdicts::digest(&self.refresh_token),
            session: &self.session.id,
            parent,
            access_token: &self.claims.jti,
            created_at: now,
            expires_at: self.session.expires_at,
        })
        .await
    }

    fn into_sign_in(self, user: User) -> SignIn {
        SignIn {
            user,
            access_token: Secret::new(self.access_token),
            refresh_token: Secret::new(self.refresh_token),
            expires_at: Timestamp::from_seconds(self.claims.exp),
            expires_in: self.claims.exp - self.claims.iat,
            session_expires_at: self.session.expires_at,
        }
    }
}

/// What came of the use of a refresh token.
enum Rotation {
    /// It was replaced. What is to be noted about the signing key goes with it.
    Replaced(Option<Timestamp>),
    /// It is not good.
    Refused,
    /// It was used before, and not by a tab or a second attempt: the session is over.
    Reused,
}

/// What the second use of a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reuse {
    /// Another tab, or another attempt.
    Concurrent,
    /// The answer to the first use was lost.
    Lost,
    /// Two parties have the token.
    Stolen,
}

fn judge(successors: Successors, spent_at: Timestamp, now: Timestamp) -> Reuse {
    if successors.spent || successors.count >= MOST_SUCCESSORS {
        Reuse::Stolen
    } else if time::is_within(spent_at, now, GRACE) {
        Reuse::Concurrent
    } else if successors.access_used {
        Reuse::Stolen
    } else {
        Reuse::Lost
    }
}

impl Identity {
    /// A new session of `user` with its first pair of tokens, which [`Identity::insert_session`] stores.
    pub(crate) fn new_session(&self, user: &User) -> Result<Pair> {
        let now = self.0.clock.now();
        self.new_pair(
            user,
            Session {
                id: SessionId::new(&self.0.clock),
                user_id: user.id.clone(),
                created_at: now,
                expires_at: self.session_end(user, now),
            },
        )
    }

    fn new_pair(&self, user: &User, session: Session) -> Result<Pair> {
        let life = self.0.options.access_token_life();
        let claims = Claims::new(&self.0.issuer, user, &session, life, &self.0.clock);
        let access_token = access_token::sign(&claims, &self.0.signing_key.load())?;
        let refresh_token = format!("{MARK}{}", secret::hex(&secret::random::<32>()));
        Ok(Pair { session, claims, access_token, refresh_token })
    }

    /// Stores a new session, in the transaction that made its user. What comes back is for [`Identity::hand_out`].
    pub(crate) async fn insert_session(&self, tx: &mut Tx, pair: &Pair) -> Result<Option<Timestamp>, StoreError> {
        let published = self.0.keys.publish(tx).await?;
        tx.insert_session(&pair.session).await?;
        pair.insert(tx, None, pair.session.created_at).await?;
        Ok(published)
    }

    /// Hands out tokens that are stored.
    pub(crate) fn hand_out(&self, pair: Pair, user: User, published: Option<Timestamp>) -> SignIn {
        self.0.keys.published(published);
        pair.into_sign_in(user)
    }

    /// Exchanges a refresh token for a new pair of tokens; the sign-in lasts longer by that, within its whole life.
    ///
    /// # Errors
    /// `invalid_refresh_token`; `rate_limit_exceeded` for too many such from one address.
    pub async fn refresh(&self, refresh_token: &str) -> Result<SignIn> {
        if !is_well_formed(refresh_token) {
            return Err(Refusal::RefreshToken.to_error());
        }
        self.counting_failures(self.address(), self.renew(refresh_token)).await
    }

    async fn renew(&self, refresh_token: &str) -> Result<SignIn> {
        let digest = verdicts::digest(refresh_token);
        let now = self.0.clock.now();
        // Looked up without the writer's lock first: a guess costs no more than a read.
        let found = time::limited(async { self.0.store.read().await?.refresh_token(&digest).await }).await?;
        let Some(found) = found.filter(|token| is_live(token, now)) else {
            return Err(Refusal::RefreshToken.to_error());
        };
        let expires_at = self.session_end(&found.user, found.session.created_at);
        if expires_at <= now {
            // The operator lets sign-ins last less long than when this one began.
            return Err(Refusal::RefreshToken.to_error());
        }
        let session = Session { expires_at, ..found.session };
        let pair = self.new_pair(&found.user, session)?;
        match time::limited(self.rotate(&digest, &pair, now)).await? {
            Rotation::Replaced(published) => Ok(self.hand_out(pair, found.user, published)),
            Rotation::Refused => Err(Refusal::RefreshToken.to_error()),
            Rotation::Reused => {
                let (user, session) = (&pair.session.user_id, pair.session.id);
                tracing::warn!(%user, %session, "A refresh token was used twice; its session is ended");
                self.0.verdicts.forget(&Revocation::Session(session));
                Err(Refusal::RefreshToken.to_error())
            }
        }
    }

    /// Puts `pair` in the place of the token with this digest.
    async fn rotate(&self, digest: &Digest, pair: &Pair, now: Timestamp) -> Result<Rotation, StoreError> {
        let session = &pair.session;
        let mut tx = self.0.store.write().await?;
        tx.lock_session(&session.id).await?;
        // Another use may have been faster.
        let Some(token) = tx.refresh_token(digest).await?.filter(|token| is_live(token, now)) else {
            return Ok(Rotation::Refused);
        };
        match token.state {
            RefreshTokenState::Superseded(at) if time::is_within(at, now, GRACE) => return Ok(Rotation::Refused),
            RefreshTokenState::Superseded(_) => return self.end_reused(tx, session, now).await,
            RefreshTokenState::Unused => {
                tx.spend_refresh_token(digest, now).await?;
            }
            RefreshTokenState::Spent(at) => {
                match judge(tx.refresh_token_successors(digest).await?, at, now) {
                    Reuse::Concurrent => {}
                    Reuse::Lost => tx.revoke_successors_access(digest, now).await?,
                    Reuse::Stolen => return self.end_reused(tx, session, now).await,
                }
                tx.supersede_refresh_tokens(digest, now).await?;
            }
        }
        let published = self.0.keys.publish(&mut tx).await?;
        tx.extend_session(&session.user_id, &session.id, session.expires_at).await?;
        pair.insert(&mut tx, Some(digest), now).await?;
        tx.commit().await?;
        Ok(Rotation::Replaced(published))
    }

    /// Ends a session whose token two parties have.
    async fn end_reused(&self, mut tx: Tx, session: &Session, now: Timestamp) -> Result<Rotation, StoreError> {
        tx.revoke_session(&session.user_id, &session.id, now).await?;
        // By whom, nobody knows: one of the two is not the user.
        self.note(&mut tx, Act::SessionReused, None, session.id.as_str()).await?;
        tx.commit().await?;
        Ok(Rotation::Reused)
    }

    /// Until when a session of `user` that began at `since` lasts if it is renewed now.
    fn session_end(&self, user: &User, since: Timestamp) -> Timestamp {
        let renewed = self.0.clock.now() + self.0.options.refresh_token_life();
        match self.0.options.session_life() {
            Some(life) if !is_guest(user) => renewed.min(since + life),
            _ => renewed,
        }
    }

    /// Ends the session that a credential proves: at once here, within two seconds on every other server. A session that
    /// is over already is no error, so that nobody is kept from leaving twice.
    ///
    /// # Errors
    /// 401 for a credential that proves no session; 400 for an API key, which has none; `rate_limit_exceeded` for too
    /// many of the former from one address.
    pub async fn end_session(&self, credential: &str) -> Result<()> {
        self.end(credential).await.map(drop)
    }

    /// Ends the session that a credential proves; the issuer and ID token by which a provider knows it, if one does.
    pub(crate) async fn end(&self, credential: &str) -> Result<Option<(String, String)>> {
        let now = self.0.clock.now();
        if self.counting_failures(self.address(), self.deny_external(credential, now)).await? {
            return Ok(None);
        }
        let (user, session) = self.counting_failures(self.address(), self.session_of(credential, now)).await?;
        let external = time::limited(async {
            let mut tx = self.0.store.write().await?;
            if tx.revoke_session(&user, &session, now).await? {
                self.note(&mut tx, Act::SessionEnded, Some(&user), session.as_str()).await?;
            }
            let external = tx.take_external_session(&session).await?;
            tx.commit().await?;
            Ok(external)
        })
        .await?;
        self.0.verdicts.forget(&Revocation::Session(session));
        Ok(external)
    }

    /// Whose session a credential proves, and which.
    async fn session_of(&self, credential: &str, now: Timestamp) -> Result<(UserId, SessionId)> {
        if credential.starts_with(MARK) {
            self.session_of_refresh_token(credential, now).await
        } else if credential.starts_with(api_key::MARK) {
            Err(self.api_key_has_no_session(credential, now).await?)
        } else {
            match self.claims(credential, now).await? {
                Ok(claims) => Ok((claims.sub, claims.sid)),
                Err(refusal) => Err(refusal.to_error()),
            }
        }
    }

    /// Spent and superseded tokens prove their session too: who has one may leave.
    pub(crate) async fn session_of_refresh_token(&self, token: &str, now: Timestamp) -> Result<(UserId, SessionId)> {
        let digest = verdicts::digest(token);
        let found = time::limited(async { self.0.store.read().await?.refresh_token(&digest).await }).await?;
        match found.filter(|found| is_well_formed(token) && found.expires_at > now) {
            Some(found) => Ok((found.session.user_id, found.session.id)),
            None => Err(Refusal::RefreshToken.to_error()),
        }
    }

    async fn api_key_has_no_session(&self, key: &str, now: Timestamp) -> Result<Error> {
        if !api_key::is_well_formed(key) {
            return Ok(Refusal::ApiKey.to_error());
        }
        if let Err(refusal) = self.prove_api_key(&verdicts::digest(key), now).await? {
            return Ok(refusal.to_error());
        }
        let message = "An API key has no session to end; it is revoked by its id.";
        Ok(Error::invalid("invalid_request", message))
    }
}

fn is_well_formed(token: &str) -> bool {
    token.len() == LENGTH && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_live(token: &RefreshToken, now: Timestamp) -> bool {
    !token.ended && token.expires_at > now && token.session.expires_at > now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_use_is_judged_by_what_became_of_the_first() {
        const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);
        let unused = Successors { count: 1, spent: false, access_used: false };
        let in_use = Successors { access_used: true, ..unused };
        let spent = Successors { spent: true, ..unused };
        let soon = time::before(AT + GRACE, Duration::from_micros(1));
        let late = AT + GRACE;
        assert_eq!(judge(unused, AT, soon), Reuse::Concurrent);
        assert_eq!(judge(in_use, AT, soon), Reuse::Concurrent);
        assert_eq!(judge(unused, AT, late), Reuse::Lost);
        assert_eq!(judge(in_use, AT, late), Reuse::Stolen);
        assert_eq!(judge(spent, AT, AT), Reuse::Stolen, "who went on has no need of the old one");
        assert_eq!(judge(Successors { count: MOST_SUCCESSORS, ..unused }, AT, soon), Reuse::Stolen);
    }
}
