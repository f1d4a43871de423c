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

use std::{sync::Arc, time::Duration};

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
    signing_key::SigningKey,
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

/// An access token and the refresh token that comes with it, for a session of a user. A transaction stores it, and
/// [`Identity::hand_out`] makes it a sign-in once that is committed: signing is work that no transaction waits for.
pub(crate) struct Pair {
    user: User,
    session: Session,
    claims: Claims,
    /// Signs the access token.
    key: Arc<SigningKey>,
    /// When the key was published, if this transaction did it.
    published: Option<Timestamp>,
    refresh_token: String,
}

/// What came of the use of a refresh token.
enum Rotation {
    /// This took its place.
    Replaced(Box<Pair>),
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
    /// Signs in a user who has proven to be one; the provider's ID token is kept if that is the proof.
    pub(crate) async fn sign_in_as(&self, tx: &mut Tx, user: User, id_token: Option<&str>) -> Result<Pair, StoreError> {
        let pair = match id_token {
            Some(id_token) => self.begin_external_session(tx, user, id_token).await?,
            None => self.begin_session(tx, user).await?,
        };
        self.note(tx, Act::SignedIn, Some(&pair.user.id), pair.session.id.as_str()).await?;
        Ok(pair)
    }

    /// Begins a session of who came through the provider, by whose ID token the session there is ended later.
    pub(crate) async fn begin_external_session(
        &self,
        tx: &mut Tx,
        user: User,
        id_token: &str,
    ) -> Result<Pair, StoreError> {
        let pair = self.begin_session(tx, user).await?;
        tx.insert_external_session(&pair.session.id, &self.0.options.oidc.issuer, id_token).await?;
        Ok(pair)
    }

    /// Begins a session, with its first pair of tokens.
    pub(crate) async fn begin_session(&self, tx: &mut Tx, user: User) -> Result<Pair, StoreError> {
        let now = self.0.clock.now();
        let session = Session {
            id: SessionId::new(&self.0.clock),
            user_id: user.id.clone(),
            created_at: now,
            expires_at: self.session_end(&user, now),
        };
        tx.insert_session(&session).await?;
        self.insert_pair(tx, user, session, None).await
    }

    /// Stores a new pair of a session, in the place of `parent` if there is one.
    async fn insert_pair(
        &self,
        tx: &mut Tx,
        user: User,
        session: Session,
        parent: Option<&Digest>,
    ) -> Result<Pair, StoreError> {
        let life = self.0.options.access_token_life();
        let claims = Claims::new(&self.0.issuer, &user, &session, life, &self.0.clock);
        let key = self.0.signing_key.load_full();
        let published = self.0.keys.publish(tx).await?;
        let refresh_token = format!("{MARK}{}", secret::hex(&secret::random::<32>()));
        tx.insert_refresh_token(&NewRefreshToken {
            digest: &verdicts::digest(&refresh_token),
            session: &session.id,
            parent,
            access_token: &claims.jti,
            created_at: self.0.clock.now(),
            expires_at: session.expires_at,
        })
        .await?;
        Ok(Pair { user, session, claims, key, published, refresh_token })
    }

    /// Hands out tokens that are stored.
    pub(crate) fn hand_out(&self, pair: Pair) -> Result<SignIn> {
        let Pair { user, session, claims, key, published, refresh_token } = pair;
        self.0.keys.published(published);
        Ok(SignIn {
            user,
            access_token: Secret::new(access_token::sign(&claims, &key)?),
            refresh_token: Secret::new(refresh_token),
            expires_at: Timestamp::from_seconds(claims.exp),
            expires_in: claims.exp - claims.iat,
            session_expires_at: session.expires_at,
        })
    }

    /// Exchanges a refresh token for a new pair of tokens; the sign-in lasts longer by that, within its whole life.
    ///
    /// # Errors
    /// `invalid_refresh_token`; `rate_limit_exceeded` for too many such from one address.
    pub async fn refresh(&self, refresh_token: &str) -> Result<SignIn> {
        if !is_well_formed(refresh_token) {
            return Err(Refusal::RefreshToken.to_error());
        }
        self.counting_failures(refresh_token, self.address(), self.renew(refresh_token)).await
    }

    async fn renew(&self, refresh_token: &str) -> Result<SignIn> {
        let now = self.0.clock.now();
        // Looked up without the writer's lock first: a guess costs no more than a read.
        let (digest, found) = self.find_refresh_token(refresh_token, |token| is_live(token, now)).await?;
        let expires_at = self.session_end(&found.user, found.session.created_at);
        if expires_at <= now {
            // The operator lets sign-ins last less long than when this one began.
            return Err(Refusal::RefreshToken.to_error());
        }
        let session = Session { expires_at, ..found.session };
        match time::limited(self.rotate(&digest, &session, now)).await? {
            Rotation::Replaced(pair) => self.hand_out(*pair),
            Rotation::Refused => Err(Refusal::RefreshToken.to_error()),
            Rotation::Reused => {
                let Session { id, user_id, .. } = session;
                tracing::warn!(user = %user_id, session = %id, "A refresh token was used twice; its session is ended");
                self.0.verdicts.forget(&Revocation::Session(id));
                Err(Refusal::RefreshToken.to_error())
            }
        }
    }

    /// Whose refresh token this is, if it is the one with which its session goes on. It stays so.
    pub(crate) async fn user_of_refresh_token(&self, token: &str) -> Result<User> {
        let now = self.0.clock.now();
        let goes_on = |token: &RefreshToken| is_live(token, now) && token.state == RefreshTokenState::Unused;
        let looking = self.find_refresh_token(token, goes_on);
        let (_, found) = self.counting_failures(token, self.address(), looking).await?;
        Ok(found.user)
    }

    /// The refresh token and its digest, if it counts.
    async fn find_refresh_token(
        &self,
        token: &str,
        counts: impl Fn(&RefreshToken) -> bool,
    ) -> Result<(Digest, RefreshToken)> {
        let digest = verdicts::digest(token);
        let found = time::limited(async { self.0.store.read().await?.refresh_token(&digest).await }).await?;
        let found = found.filter(|found| is_well_formed(token) && counts(found));
        found.map(|found| (digest, found)).ok_or_else(|| Refusal::RefreshToken.to_error())
    }

    /// Puts a new pair in the place of the token with this digest; its session lasts as long as `session` does.
    async fn rotate(&self, digest: &Digest, session: &Session, now: Timestamp) -> Result<Rotation, StoreError> {
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
        tx.extend_session(&session.user_id, &session.id, session.expires_at).await?;
        let pair = self.insert_pair(&mut tx, token.user, session.clone(), Some(digest)).await?;
        tx.commit().await?;
        Ok(Rotation::Replaced(Box::new(pair)))
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
        if self.counting_failures(credential, self.address(), self.deny_external(credential, now)).await? {
            return Ok(None);
        }
        let looking = self.session_of(credential, now);
        let (user, session) = self.counting_failures(credential, self.address(), looking).await?;
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
            // Spent and superseded tokens prove their session too: who has one may leave.
            let (_, found) = self.find_refresh_token(credential, |token| token.expires_at > now).await?;
            Ok((found.session.user_id, found.session.id))
        } else if credential.starts_with(api_key::MARK) {
            Err(self.api_key_has_no_session(credential, now).await?)
        } else {
            match self.claims(credential, now).await? {
                Ok(claims) => Ok((claims.sub, claims.sid)),
                Err(refusal) => Err(refusal.to_error()),
            }
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
