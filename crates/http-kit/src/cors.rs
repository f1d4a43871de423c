//! Which pages of which origins may read answers (contract 6.3).
//!
//! Origins are listed exactly; credentials of the browser's own (cookies) are never allowed across origins, so that
//! naming an origin gives its pages nothing but what they bring along themselves.

use http::{HeaderMap, HeaderValue, header};

/// The word for pages that come from this very machine.
pub(crate) const LOOPBACK: &str = "loopback";

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");

/// All request headers of the contract's section 1, and those that the official SDKs send about themselves.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Accept, Accept-Language, X-API-Key, apikey, Idempotency-Key, X-Request-Id, \
     X-Conversation-ID, X-Tool-Call-ID, X-PROVIDER-DATA, X-Prompt-Persona, X-Prompt-Memory, X-Media-Service-Key, \
     API-Version, X-API-Version, Mcp-Session-Id, Mcp-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID, \
     OpenAI-Organization, OpenAI-Project, OpenAI-Beta, X-Stainless-Arch, X-Stainless-Lang, X-Stainless-OS, \
     X-Stainless-Package-Version, X-Stainless-Retry-Count, X-Stainless-Runtime, X-Stainless-Runtime-Version, \
     X-Stainless-Timeout, X-Stainless-Helper-Method, X-Stainless-Async",
);
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "X-Request-Id, X-Auth-Method, X-Conversation-Id, X-Applied-Prompt-Modules, X-RateLimit-Limit, \
     X-RateLimit-Remaining, X-RateLimit-Reset, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, \
     Mcp-Session-Id, Allow, Idempotent-Replayed",
);

/// The origins that were configured.
pub(crate) struct Cors {
    any: bool,
    loopback: bool,
    origins: Vec<String>,
}

impl Cors {
    pub(crate) fn new(origins: &[String]) -> Self {
        Self {
            any: origins.iter().any(|origin| origin == "*"),
            loopback: origins.iter().any(|origin| origin == LOOPBACK),
            origins: origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect(),
        }
    }

    /// The value of `Access-Control-Allow-Origin` for a request, if its origin may read the answer.
    pub(crate) fn grant(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        if self.any {
            return Some(HeaderValue::from_static("*"));
        }
        self.lists(headers).then(|| origin.clone())
    }

    /// Whether a request's origin is one of the list; any origin is none of it.
    pub(crate) fn lists(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else { return false };
        let listed = self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin));
        listed || self.loopback && is_loopback(origin)
    }

    /// The headers that answer a browser's question before the request proper.
    pub(crate) fn allow(headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }

    /// The headers of an answer that `origin` may read.
    pub(crate) fn expose(headers: &mut HeaderMap, origin: HeaderValue) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
    }
}

/// Whether an origin is of this machine, on whatever port.
fn is_loopback(origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    matches!(scheme, "http" | "https") && matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(configured: &str, origin: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_str(origin).unwrap())]);
        let value = Cors::new(&[configured.to_owned()]).grant(&headers)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn origins_are_matched_whole() {
        assert_eq!(grants(LOOPBACK, "http://localhost:3000").as_deref(), Some("http://localhost:3000"));
        assert_eq!(grants(LOOPBACK, "http://[::1]:8000").as_deref(), Some("http://[::1]:8000"));
        for foreign in ["http://localhost.evil.example", "http://127.0.0.1.evil.example", "null", "file://localhost"] {
            assert_eq!(grants(LOOPBACK, foreign), None, "{foreign}");
        }
        assert!(grants("https://app.example", "https://app.example").is_some());
        assert_eq!(grants("https://app.example", "https://app.example.evil.example"), None);
        assert_eq!(grants("https://app.example", "http://localhost"), None);
        assert_eq!(grants("*", "https://any.example").as_deref(), Some("*"));
    }
}
