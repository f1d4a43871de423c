//! Access tokens: signed texts that say whose sign-in they belong to.
//!
//! A token proves a session, no more: whether the session lives, and what its user may do, is the database's to say.
//! Verification knows one algorithm and one form of header, its own; whatever else a header holds makes the token
//! somebody else's.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    Clock, Role, Timestamp,
    ids::{SessionId, TokenId, UserId},
    session::Session,
    user::User,
};
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::{key_set::Keys, signing_key::SigningKey};

/// Longest token looked at, in bytes.
pub(crate) const MAX_LENGTH: usize = 8 * 1024;
/// Whom tokens are for: servers of this product.
const AUDIENCE: &str = "urn:jan:api";
/// The type of RFC 9068, by which an access token cannot be taken for another token of the same key.
const TYPE: &str = "at+jwt";
/// By how many seconds the clocks of servers on one database may differ.
const SKEW: i64 = 60;

/// What a token says. Times are seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: UserId,
    pub(crate) aud: String,
    pub(crate) exp: i64,
    pub(crate) nbf: i64,
    pub(crate) iat: i64,
    pub(crate) jti: TokenId,
    pub(crate) sid: SessionId,
    /// For clients to show. The server goes by the user's row.
    pub(crate) preferred_username: String,
    /// For clients to show. The server goes by the user's row.
    pub(crate) roles: Vec<Role>,
    /// The name of the key that signed it, which stands in the header.
    #[serde(skip)]
    pub(crate) kid: String,
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is none of ours, or not yet good.
    Invalid,
    /// It was good.
    Expired,
}

impl Claims {
    /// What a new token of a session says; it ends with the session if that comes first.
    pub(crate) fn new(issuer: &str, user: &User, session: &Session, life: Duration, clock: &Clock) -> Self {
        let now = clock.now();
        Self {
            iss: issuer.to_owned(),
            sub: user.id.clone(),
            aud: AUDIENCE.to_owned(),
            exp: (now + life).min(session.expires_at).seconds(),
            nbf: now.seconds(),
            iat: now.seconds(),
            jti: TokenId::new(clock),
            sid: session.id.clone(),
            preferred_username: user.username.clone(),
            roles: user.roles.clone(),
            kid: String::new(),
        }
    }
}

/// Signs claims.
pub(crate) fn sign(claims: &Claims, key: &SigningKey) -> domain::Result<String> {
    let header = serde_json::to_vec(&header(&key.public().kid)).map_err(domain::Error::internal)?;
    let claims = serde_json::to_vec(claims).map_err(domain::Error::internal)?;
    let mut token = BASE64_URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.sign(token.as_bytes()).map_err(domain::Error::internal)?;
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// The name of the key that a token claims to be signed with, if its header is one of ours.
pub(crate) fn key_name(token: &str) -> Option<String> {
    if token.len() > MAX_LENGTH {
        return None;
    }
    let found = jsonwebtoken::decode_header(token).ok()?;
    let kid = found.kid.clone()?;
    if found == header(&kid) { Some(kid) } else { None }
}

/// What a token says, if it is ours and good at `now`.
pub(crate) fn verify(token: &str, kid: &str, keys: &Keys, issuer: &str, now: Timestamp) -> Result<Claims, Fault> {
    let key = keys.get(kid).ok_or(Fault::Invalid)?;
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[AUDIENCE]);
    rules.set_required_spec_claims(&["exp", "nbf", "sub", "iss", "aud"]);
    // The library would ask the machine's clock; the times are checked below, by ours.
    rules.validate_exp = false;
    let mut claims = jsonwebtoken::decode::<Claims>(token, key, &rules).map_err(|_| Fault::Invalid)?.claims;
    kid.clone_into(&mut claims.kid);
    let now = now.seconds();
    if claims.exp <= now {
        return Err(Fault::Expired);
    }
    // A token from the future is of a server whose clock is wrong, or of nobody.
    let latest = now + SKEW;
    if claims.nbf > latest || claims.iat > latest { Err(Fault::Invalid) } else { Ok(claims) }
}

/// The header of every token of ours.
fn header(kid: &str) -> Header {
    let mut header = Header::new(Algorithm::RS256);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(kid.to_owned());
    header
}
