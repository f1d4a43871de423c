//! What a request says about its prompt beside the body, and how the answer names what was put before the messages.

use std::convert::Infallible;

use app::prompt::{Hints, MemoryAccess, hints};
use axum::{extract::FromRequestParts, response::Response};
use domain::scope::{MemoriesRead, MemoriesWrite};
use http::{HeaderName, HeaderValue, header, request::Parts};
use http_kit::{Also, ApiError, Query};
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
        let Ok(Memory(memory)) = Memory::from_request_parts(parts, state).await;
        Ok(Self { hints: Hints { memory, ..hints? }, referrer: parameters.referrer })
    }
}

/// What the caller's API key may do with the user's memories in a chat.
pub(crate) struct Memory(pub(crate) MemoryAccess);

impl<S: Send + Sync> FromRequestParts<S> for Memory {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let reads = Also::<MemoriesRead>::from_request_parts(parts, state).await?;
        let writes = Also::<MemoriesWrite>::from_request_parts(parts, state).await?;
        Ok(Self(MemoryAccess { recall: reads.check().is_ok(), remember: writes.check().is_ok() }))
    }
}

/// Names what was put before the messages.
pub(super) fn name(answer: &mut Response, applied: Option<String>) {
    if let Some(Ok(applied)) = applied.map(HeaderValue::try_from) {
        answer.headers_mut().insert(APPLIED, applied);
    }
}
