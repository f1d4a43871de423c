//! Credentials as they stand in a request's headers, and who verifies them.
//!
//! Verifying is the `identity` crate's; this module only finds the texts.

use std::{future::Future, net::IpAddr, pin::Pin};

use domain::{Error, Kind, Scope};
use http::{HeaderMap, HeaderName, header};
pub use identity::{Credentials, Verdict};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const APIKEY: HeaderName = HeaderName::from_static("apikey");

/// Verifies credentials.
pub trait Authenticator: Send + Sync + 'static {
    /// The verdict if it is at hand; `None` when it takes waiting. Called on every request, so it is fast.
    fn cached(&self, credentials: Credentials<'_>) -> Option<Verdict>;

    /// The verdict on what came from this address.
    fn verify<'a>(
        &'a self,
        credentials: Credentials<'a>,
        from: Option<IpAddr>,
    ) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

    /// Whether guests may do what the scope names, as far as the operator's settings go.
    fn lets_guests(&self, _: Scope) -> bool {
        true
    }
}

/// The credentials in `headers`.
///
/// # Errors
/// `missing_credentials` when there are none, `invalid_token` for another scheme than `Bearer` or for a token that is
/// no printable ASCII, `conflicting_credentials` for a header that is there twice, or two keys.
pub fn from_headers(headers: &HeaderMap) -> Result<Credentials<'_>, Error> {
    let bearer = match single(headers, &header::AUTHORIZATION)? {
        None => None,
        Some(value) => Some(bearer(value)?),
    };
    let api_key = match (single(headers, &X_API_KEY)?, single(headers, &APIKEY)?) {
        (Some(one), Some(other)) if one != other => {
            return Err(unauthenticated("conflicting_credentials", "X-API-Key and apikey hold two keys."));
        }
        (one, other) => one.or(other),
    };
    if bearer.is_none() && api_key.is_none() {
        return Err(unauthenticated(
            "missing_credentials",
            "Send an access token or an API key as Authorization: Bearer, or an API key as X-API-Key.",
        ));
    }
    Ok(Credentials { bearer, api_key })
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Error> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(unauthenticated("conflicting_credentials", "A credential header is there twice."));
    }
    let text = first.to_str().map_err(|_| unauthenticated("invalid_token", "The credential is no text."))?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

fn bearer(value: &str) -> Result<&str, Error> {
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => Ok(token.trim()),
        _ => Err(unauthenticated("invalid_token", "The Authorization header needs the form: Bearer <token>.")),
    }
}

#[cold]
fn unauthenticated(code: &'static str, message: &'static str) -> Error {
    Error::new(Kind::Unauthenticated, code, message)
}

impl Authenticator for identity::Identity {
    fn cached(&self, credentials: Credentials<'_>) -> Option<Verdict> {
        Self::cached(self, credentials)
    }

    fn verify<'a>(
        &'a self,
        credentials: Credentials<'a>,
        from: Option<IpAddr>,
    ) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
        Box::pin(Self::verify(self, credentials, from))
    }

    fn lets_guests(&self, scope: Scope) -> bool {
        Self::lets_guests(self, scope)
    }
}
