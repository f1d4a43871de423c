//! What a request offers to prove a session by, besides its body: the browser's cookie, and the headers.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, request::Parts},
};
use domain::Timestamp;
use http_kit::{ApiError, PageOrigin, Result, authenticate};
use identity::Identity;

use super::cookies;

/// The cookie in which a browser keeps the refresh token.
const COOKIE: &str = "refresh_token";

/// The credentials beside the body.
pub(super) struct Offered {
    cookie: Option<String>,
    page: PageOrigin,
    own: String,
    header: Result<String>,
}

impl Offered {
    /// The refresh token of the cookie.
    ///
    /// # Errors
    /// `origin_not_allowed` when there is one and another site's page made the browser send it.
    pub(super) fn cookie(&self) -> Result<Option<&str>> {
        let Some(token) = &self.cookie else { return Ok(None) };
        self.page.check(&self.own)?;
        Ok(Some(token))
    }

    /// The token or key of the headers.
    ///
    /// # Errors
    /// `missing_credentials` when there is none, and what else can be wrong about the headers.
    pub(super) fn header(&self) -> Result<&str> {
        self.header.as_deref().map_err(Clone::clone)
    }
}

impl FromRequestParts<Identity> for Offered {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, identity: &Identity) -> Result<Self> {
        let page = PageOrigin::from_request_parts(parts, identity).await?;
        let header = match authenticate::from_headers(&parts.headers) {
            Ok(found) => Ok(found.bearer.or(found.api_key).unwrap_or_default().to_owned()),
            Err(error) => Err(error.into()),
        };
        let own = origin(identity.issuer()).to_owned();
        Ok(Self { cookie: read(&parts.headers), page, own, header })
    }
}

/// The cookie's value on a request; one without a value is none.
fn read(headers: &HeaderMap) -> Option<String> {
    cookies::named(headers, COOKIE).find(|value| !value.is_empty()).map(str::to_owned)
}

/// Lets the browser keep a refresh token until it lapses.
pub(super) fn keep(identity: &Identity, token: &str, until: Timestamp) -> HeaderValue {
    let seconds = until.seconds().saturating_sub(identity.clock().now().seconds());
    cookie(identity, token, seconds)
}

/// Lets the browser forget the refresh token.
pub(super) fn forget(identity: &Identity) -> HeaderValue {
    cookie(identity, "", 0)
}

/// `Lax`, where the original says `None`: no other origin's page may use the cookie (`cors.rs` of `http-kit`), so none
/// needs it sent.
fn cookie(identity: &Identity, value: &str, seconds: i64) -> HeaderValue {
    let secure = if identity.issuer().starts_with("https://") { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    // Tokens are letters and digits.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// The origin of an address: its scheme, host and port.
pub(super) fn origin(address: &str) -> &str {
    let host = address.find("://").map_or(0, |at| at + 3);
    address[host..].find('/').map_or(address, |end| &address[..host + end])
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn a_cookie_without_a_value_is_none() {
        let find = |text: &'static str| read(&HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(text))]));
        assert_eq!(find("a=1; refresh_token=rt_1;b=2").as_deref(), Some("rt_1"));
        assert_eq!(find("refresh_token=; refresh_token=rt_2").as_deref(), Some("rt_2"));
        assert_eq!(find("refresh_token="), None);
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(origin("https://jan.example/chat/"), "https://jan.example");
        assert_eq!(origin("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
    }
}
