//! Whether a request comes from a page that may use what the browser adds by itself: cookies.
//!
//! A browser sends cookies along whoever made it send the request. Who did is in two headers that a page cannot forge:
//! `Sec-Fetch-Site`, and `Origin`. A request with neither is no browser's, and whoever made it has the cookie itself.

use axum::extract::FromRequestParts;
use domain::{Error, Kind};
use http::{HeaderMap, HeaderName, header, request::Parts};

use crate::{ApiError, context::Context};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Where a request comes from, as the browser says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOrigin(Site);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Site {
    /// This server's own page, the person at the browser, or no browser.
    Own,
    /// A page of an origin that the operator listed.
    Listed,
    /// A page of this origin.
    Other(String),
    /// A page that the browser does not name.
    Unnamed,
}

impl PageOrigin {
    /// Refuses a request that another site's page made, since its cookies count for nothing. `own` is this server's
    /// public origin.
    ///
    /// # Errors
    /// `origin_not_allowed`.
    pub fn check(&self, own: &str) -> Result<(), Error> {
        match &self.0 {
            Site::Own | Site::Listed => Ok(()),
            Site::Other(origin) if origin.eq_ignore_ascii_case(own) => Ok(()),
            Site::Other(_) | Site::Unnamed => {
                let message = "Pages of other sites may not use this server's cookies.";
                Err(Error::new(Kind::Forbidden, "origin_not_allowed", message))
            }
        }
    }

    fn read(headers: &HeaderMap, listed: bool) -> Self {
        let site = headers.get(FETCH_SITE).map(http::HeaderValue::as_bytes);
        Self(match (site, headers.get(header::ORIGIN)) {
            (Some(b"same-origin" | b"none"), _) | (None, None) => Site::Own,
            (_, Some(_)) if listed => Site::Listed,
            // Browsers leave `Sec-Fetch-Site` out where there is no TLS; then the origin itself has to do.
            (None, Some(origin)) => Site::Other(String::from_utf8_lossy(origin.as_bytes()).into_owned()),
            (Some(_), _) => Site::Unnamed,
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PageOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let context = Context::of(&parts.extensions)?;
        let listed = context.service.edge.lists_origin(&parts.headers);
        Ok(Self::read(&parts.headers, listed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://jan.example";

    fn is_allowed(headers: &[(HeaderName, &str)], listed: bool) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        PageOrigin::read(&headers, listed).check(OWN).is_ok()
    }

    #[test]
    fn who_is_no_page_of_another_site_may() {
        assert!(is_allowed(&[], false), "no browser");
        assert!(is_allowed(&[(FETCH_SITE, "same-origin"), (header::ORIGIN, OWN)], false));
        assert!(is_allowed(&[(FETCH_SITE, "none")], false), "typed by a person");
        assert!(is_allowed(&[(header::ORIGIN, "https://JAN.example")], false));
        assert!(is_allowed(&[(FETCH_SITE, "same-site"), (header::ORIGIN, "https://app.example")], true));
    }

    #[test]
    fn other_sites_pages_may_not() {
        for site in ["cross-site", "same-site", ""] {
            assert!(!is_allowed(&[(FETCH_SITE, site)], false), "{site}");
            assert!(!is_allowed(&[(FETCH_SITE, site), (header::ORIGIN, OWN)], false), "the browser knows better");
        }
        for origin in ["https://evil.example", "null", "https://jan.example.evil.example", "https://jan.example:8443"] {
            assert!(!is_allowed(&[(header::ORIGIN, origin)], false), "{origin}");
        }
    }
}
