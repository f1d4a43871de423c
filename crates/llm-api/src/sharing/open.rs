//! What answers on open addresses have in common: who may keep them, and who may read them.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use domain::Error;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_kit::{ApiError, wants_page};

const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// Puts on an answer what all of them have. Pages of any site may read it: it is as public as the link, and nothing in
/// it depends on who asks.
pub(super) fn dress(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(ROBOTS, HeaderValue::from_static("noindex, nofollow"));
}

/// An answer with its tag; none for a client that has it.
pub(super) fn tagged(tag: &str, answer: Option<Response>) -> Response {
    let mut response = answer.unwrap_or_else(|| StatusCode::NOT_MODIFIED.into_response());
    if let Ok(value) = HeaderValue::try_from(format!("\"{tag}\"")) {
        response.headers_mut().insert(header::ETAG, value);
    }
    dress(response.headers_mut());
    response
}

/// Whether the client has the answer with this tag (RFC 9110, 13.1.2).
pub(super) fn knows(asked: &HeaderMap, tag: &str) -> bool {
    let values = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).any(|known| {
        let known = known.strip_prefix("W/").unwrap_or(known);
        known == "*" || known.strip_prefix('"').and_then(|known| known.strip_suffix('"')) == Some(tag)
    })
}

/// An HTML answer that runs nothing and is framed by nobody.
pub(super) fn html(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(app::sharing::policy()));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// A failure: a page for browsers, unless it is the server's own, and the envelope for the rest.
pub(super) fn failed(asked: &HeaderMap, error: Error) -> Response {
    let page = wants_page(asked).then(|| app::sharing::error_page(&error));
    let mut response = ApiError::from(error).into_response();
    if let Some(page) = page.filter(|_| response.status().is_client_error()) {
        response = html(response.status(), page.into());
    }
    dress(response.headers_mut());
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knowing(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())])
    }

    #[test]
    fn tags_are_compared() {
        for known in ["\"a-1\"", "W/\"a-1\"", "\"b\", \"a-1\"", "*"] {
            assert!(knows(&knowing(known), "a-1"), "{known}");
        }
        for other in ["\"a-2\"", "a-1", "\"a-1", "\"\"", ""] {
            assert!(!knows(&knowing(other), "a-1"), "{other}");
        }
    }
}
