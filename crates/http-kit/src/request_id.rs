//! The request's id: from the client if it is well formed, else a new one (`security.md` H5).

use std::fmt;

use axum::extract::FromRequestParts;
use domain::Clock;
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};

use crate::{ApiError, context::Context};

/// The header that carries it, in both directions.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const MAX_LENGTH: usize = 128;

/// An id of 1 to 128 characters of `A-Z a-z 0-9 . _ -`, ready to be sent as a header.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// A new id.
    pub fn new(clock: &Clock) -> Self {
        let id = domain::ids::RequestId::new(clock);
        // The registry's ids are ASCII letters, digits and an underscore: always a header value.
        Self(HeaderValue::from_str(id.as_str()).unwrap_or(HeaderValue::from_static("req_invalid")))
    }

    /// The client's id, or a new one where there is none or it is malformed.
    pub fn from_headers(headers: &HeaderMap, clock: &Clock) -> Self {
        match headers.get(&HEADER) {
            Some(value) if is_well_formed(value.as_bytes()) => Self(value.clone()),
            _ => Self::new(clock),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as a header's value.
    pub fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Context::of(&parts.extensions)?.request_id.clone())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_well_formed(id: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&id.len())
        && id.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_ids_are_taken_over() {
        let id = |value: &str| {
            let headers = HeaderMap::from_iter([(HEADER, HeaderValue::from_str(value).unwrap())]);
            RequestId::from_headers(&headers, &Clock::System).as_str().to_owned()
        };
        assert_eq!(id("A-1_b.c"), "A-1_b.c");
        assert_eq!(id(&"x".repeat(128)), "x".repeat(128));
        for bad in ["", "a b", "a;b", "<script>", &"x".repeat(129)] {
            assert!(id(bad).starts_with("req_"), "{bad}");
        }
    }
}
