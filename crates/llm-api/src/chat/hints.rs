//! What a request says about its prompt beside the body, and how the answer names what was put before the messages.

use app::prompt::{Hints, hints};
use axum::{extract::FromRequestParts, response::Response};
use http::{HeaderName, HeaderValue, header, request::Parts};
use http_kit::{ApiError, Query};
use serde::Deserialize;

const PERSONA: HeaderName = HeaderName::from_static(hints::PERSONA);
const MEMORY: HeaderName = HeaderName::from_static(hints::MEMORY);
const APPLIED: HeaderName = HeaderName::from_static(hints::APPLIED);

/// What the request says. Most say nothing: that costs three look-ups.
pub(crate) struct Asked {
    /// About the prompt.
    pub(super) hints: Hints,
    /// About a conversation that is made: where it comes from.
    pub(super) referrer: Option<String>,
}

#[derive(Default, Deserialize)]
struct Parameters {
    persona: Option<String>,
    referrer: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parameters = match parts.uri.query() {
            Some(_) => Query::<Parameters>::from_request_parts(parts, state).await?.0,
            None => Parameters::default(),
        };
        let header = |name: &HeaderName| parts.headers.get(name).map(HeaderValue::as_bytes);
        let language = parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let hints = Hints::read(parameters.persona.as_deref(), header(&PERSONA), header(&MEMORY), language);
        Ok(Self { hints: hints.map_err(ApiError::from)?, referrer: parameters.referrer })
    }
}

/// Names what was put before the messages.
pub(super) fn name(answer: &mut Response, applied: Option<String>) {
    if let Some(Ok(applied)) = applied.map(HeaderValue::try_from) {
        answer.headers_mut().insert(APPLIED, applied);
    }
}
