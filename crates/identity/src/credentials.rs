//! From a credential to a caller.
//!
//! A credential is an access token or an API key. Both end in the database: a token at its session, a key at its row;
//! so that what is taken back is taken back. What is malformed or not signed by a known key never gets that far.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicBool},
};

use domain::{Error, Kind, Method, Principal, Result, Timestamp, api_key::Status, user::User};
use store::TokenUser;

use crate::{
    Identity,
    access_token::{self, Claims},
    api_key, oidc, time,
    verdicts::{self, Digest, Known},
};

/// The verdict on what a request offers.
pub type Verdict = Result<Arc<Principal>>;

/// What a request offers as proof of who is calling.
#[derive(Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// What stands in the bearer's place: an access token or an API key.
    pub bearer: Option<&'a str>,
    /// What stands in the key's place.
    pub api_key: Option<&'a str>,
}

/// Why a credential is not good. Unknown, revoked and expired keys are one case, so that nobody learns more from trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Token,
    ExpiredToken,
    RefreshToken,
    ApiKey,
    /// The provider's user may not come in here.
    NotAllowed,
}

impl Refusal {
    #[cold]
    pub(crate) fn to_error(self) -> Error {
        let (code, message) = match self {
            Self::Token => ("invalid_token", "The access token is not valid."),
            Self::ExpiredToken => ("token_expired", "The access token has expired."),
            Self::RefreshToken => {
                ("invalid_refresh_token", "The refresh token is not valid: it is unknown, used, expired or taken back.")
            }
            Self::NotAllowed => return oidc::not_allowed(),
            Self::ApiKey => ("invalid_api_key", "The API key is not valid: it is unknown, revoked or expired."),
        };
        Error::new(Kind::Unauthenticated, code, message)
    }
}

/// One credential, by its form.
#[derive(Clone, Copy)]
enum Credential<'a> {
    Token(&'a str),
    ApiKey(&'a str),
}

impl<'a> Credential<'a> {
    /// What stands in the bearer's place; every `OpenAI` SDK sends API keys there.
    fn bearer(text: &'a str) -> Result<Self, Refusal> {
        if text.starts_with(api_key::MARK) {
            return Self::api_key(text);
        }
        let well_formed = text.len() <= access_token::MAX_LENGTH && text.bytes().filter(|b| *b == b'.').count() == 2;
        if well_formed { Ok(Self::Token(text)) } else { Err(Refusal::Token) }
    }

    fn api_key(text: &'a str) -> Result<Self, Refusal> {
        if api_key::is_well_formed(text) { Ok(Self::ApiKey(text)) } else { Err(Refusal::ApiKey) }
    }

    fn text(self) -> &'a str {
        match self {
            Self::Token(text) | Self::ApiKey(text) => text,
        }
    }
}

impl Identity {
    /// The verdict if it is at hand: microseconds, no waiting. `None` when [`Identity::verify`] has to look.
    pub fn cached(&self, offered: Credentials<'_>) -> Option<Verdict> {
        let now = self.0.clock.now();
        let at_hand = |credential: Result<Credential<'_>, Refusal>| match credential {
            Ok(credential) => self.0.verdicts.get(&verdicts::digest(credential.text()), now),
            Err(refusal) => Some(Err(refusal)),
        };
        let to_verdict = |found: Result<Arc<Principal>, Refusal>| found.map_err(Refusal::to_error);
        match (offered.bearer.map(Credential::bearer), offered.api_key.map(Credential::api_key)) {
            (Some(one), None) | (None, Some(one)) => at_hand(one).map(to_verdict),
            (Some(bearer), Some(key)) => Some(agree(to_verdict(at_hand(bearer)?), to_verdict(at_hand(key)?))),
            (None, None) => Some(Err(missing())),
        }
    }

    /// The verdict. 401 for what is not good, 429 for a key when too many unknown ones came `from` this address, 503 when
    /// the database does not answer.
    pub async fn verify(&self, offered: Credentials<'_>, from: Option<IpAddr>) -> Verdict {
        match (offered.bearer.map(Credential::bearer), offered.api_key.map(Credential::api_key)) {
            (Some(one), None) | (None, Some(one)) => self.prove(one, from).await,
            (Some(bearer), Some(key)) => agree(self.prove(bearer, from).await, self.prove(key, from).await),
            (None, None) => Err(missing()),
        }
    }

    /// Reads the proof of one credential and remembers the verdict.
    async fn prove(&self, credential: Result<Credential<'_>, Refusal>, from: Option<IpAddr>) -> Verdict {
        let credential = credential.map_err(Refusal::to_error)?;
        let digest = verdicts::digest(credential.text());
        // On the heap, as it is awaited in two places and large.
        let proving = Box::pin(async move { Ok(self.look_up(credential, digest).await?.0) });
        // A token proves itself by its signature before anybody is asked, and whoever was known a moment ago is no guess,
        // whatever else comes from there.
        let is_guess = matches!(credential, Credential::ApiKey(_)) && !self.0.verdicts.knew(&digest);
        if is_guess { self.counting_failures(credential.text(), from, proving).await } else { proving.await }
    }

    /// Whom an access token or API key proves, and until when; looked up anew.
    pub(crate) async fn proof(&self, text: &str) -> Result<(Arc<Principal>, Timestamp)> {
        let credential = Credential::bearer(text).map_err(Refusal::to_error)?;
        self.look_up(credential, verdicts::digest(text)).await
    }

    async fn look_up(&self, credential: Credential<'_>, digest: Digest) -> Result<(Arc<Principal>, Timestamp)> {
        let seen = self.0.verdicts.revocations();
        let now = self.0.clock.now();
        let found = match credential {
            Credential::Token(token) => self.prove_token(token, now).await?,
            Credential::ApiKey(_) => self.prove_api_key(&digest, now).await?,
        };
        match found {
            Ok(known) => {
                let proof = (Arc::clone(&known.principal), known.expires_at);
                self.0.verdicts.remember(digest, known, seen);
                Ok(proof)
            }
            Err(refusal) => {
                self.0.verdicts.refuse(digest, refusal, now);
                Err(refusal.to_error())
            }
        }
    }

    async fn prove_token(&self, token: &str, now: Timestamp) -> Result<Result<Known, Refusal>> {
        // On the heap: it is large, and most tokens are ours.
        if let Some(found) = Box::pin(self.prove_external(token, now)).await? {
            return Ok(found);
        }
        let claims = match self.claims(token, now).await? {
            Ok(claims) => claims,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Claims { sub, sid, jti, exp, kid, .. } = claims;
        let store = &self.0.store;
        let session = async { store.read().await?.access_token_user(&sub, &sid, &jti, &kid, now).await };
        let Some(TokenUser { user, first_use }) = time::limited(session).await? else {
            return Ok(Err(Refusal::Token));
        };
        if first_use {
            self.0.last_used.note_token(jti, now);
        }
        Ok(Ok(known(user, Method::Jwt(Some(sid)), vec![], now, Timestamp::from_seconds(exp))))
    }

    /// What an access token says, if it is ours and good by itself; whether its session lives is not asked.
    pub(crate) async fn claims(&self, token: &str, now: Timestamp) -> Result<Result<Claims, Refusal>> {
        let Some(kid) = access_token::key_name(token) else { return Ok(Err(Refusal::Token)) };
        let Some(keys) = self.0.keys.find(&kid, &self.0.store).await? else { return Ok(Err(Refusal::Token)) };
        Ok(access_token::verify(token, &kid, &keys, &self.0.issuer, now).map_err(|fault| match fault {
            access_token::Fault::Invalid => Refusal::Token,
            access_token::Fault::Expired => Refusal::ExpiredToken,
        }))
    }

    pub(crate) async fn prove_api_key(&self, digest: &Digest, now: Timestamp) -> Result<Result<Known, Refusal>> {
        let store = &self.0.store;
        let row = time::limited(async { store.read().await?.api_key_by_digest(digest).await }).await?;
        let Some((key, user)) = row.filter(|(key, _)| key.status(now) == Status::Active) else {
            return Ok(Err(Refusal::ApiKey));
        };
        self.0.last_used.note(&key, now);
        Ok(Ok(known(user, Method::ApiKey(key.id), key.scopes, now, key.expires_at)))
    }
}

pub(crate) fn known(
    user: User,
    method: Method,
    scopes: Vec<String>,
    proven_at: Timestamp,
    expires_at: Timestamp,
) -> Known {
    let principal = Arc::new(principal(user, method, scopes));
    Known { principal, proven_at, expires_at, renewing: AtomicBool::new(false) }
}

pub(crate) fn principal(user: User, method: Method, scopes: Vec<String>) -> Principal {
    Principal {
        user_id: user.id,
        subject: user.subject,
        username: user.username,
        email: user.email,
        name: user.name,
        roles: user.roles,
        scopes,
        method,
    }
}

/// Two credentials at once must be the same user's; the bearer's is the one that counts then.
fn agree(bearer: Verdict, api_key: Verdict) -> Verdict {
    let (bearer, api_key) = (bearer?, api_key?);
    if bearer.user_id == api_key.user_id {
        return Ok(bearer);
    }
    let message = "The token and the API key are of different users.";
    Err(Error::new(Kind::Unauthenticated, "conflicting_credentials", message))
}

#[cold]
fn missing() -> Error {
    let message = "Send an access token or an API key.";
    Error::new(Kind::Unauthenticated, "missing_credentials", message)
}
