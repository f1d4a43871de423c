//! The one place where an error becomes HTTP: a status, a `type`, and the envelope of the contract's section 4.
//!
//! Handlers return [`ApiError`]; it carries the error out of the router, and the edge, which knows the request id,
//! writes the envelope and logs what is the server's own fault. No handler builds an error body.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use domain::{Error, Kind};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::RequestId;

/// The result of a handler.
pub type Result<T, E = ApiError> = std::result::Result<T, E>;

/// An error on its way out of a handler.
#[derive(Clone, Debug)]
pub struct ApiError(pub(crate) Arc<Error>);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

impl IntoResponse for ApiError {
    /// An empty answer that holds the error; the edge fills it in.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = mapping(&self.0).status;
        response.extensions_mut().insert(self);
        response
    }
}

/// The body of every failure: these keys, always all of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorEnvelope {
    /// The failure.
    pub error: ErrorBody,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The class of failure, such as `invalid_request_error`.
    #[serde(rename = "type")]
    #[schema(example = "invalid_request_error")]
    pub kind: String,
    /// The case, from the list in `docs/errors.md`.
    #[schema(example = "invalid_parameter")]
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// The field at fault, as a dotted and indexed path; null when no field is.
    #[schema(required)]
    pub param: Option<String>,
    /// What to tell the operator.
    #[schema(example = "req_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3")]
    pub request_id: String,
}

/// How a kind of error shows on HTTP.
struct Mapping {
    status: StatusCode,
    kind: &'static str,
    retry_after: Option<Duration>,
}

/// The whole mapping (contract 4.2).
fn mapping(error: &Error) -> Mapping {
    let (status, kind, retry_after) = match error.kind() {
        Kind::Invalid => (StatusCode::BAD_REQUEST, "invalid_request_error", None),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "auth_error", None),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "permission_error", None),
        Kind::NotFound => (StatusCode::NOT_FOUND, "not_found_error", None),
        Kind::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", None),
        Kind::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "execution_error", None),
        Kind::Conflict => (StatusCode::CONFLICT, "conflict_error", None),
        Kind::Gone => (StatusCode::GONE, "not_found_error", None),
        Kind::TooLarge if error.code() == "max_size_exceeded" => (StatusCode::PAYLOAD_TOO_LARGE, "size_error", None),
        Kind::TooLarge => (too_large(error), "invalid_request_error", None),
        Kind::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request_error", None),
        Kind::RateLimited(pause) => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", pause),
        Kind::Upstream => (StatusCode::BAD_GATEWAY, "upstream_error", None),
        Kind::UpstreamTimeout => (StatusCode::GATEWAY_TIMEOUT, "upstream_error", None),
        Kind::Unavailable(pause) => (StatusCode::SERVICE_UNAVAILABLE, "upstream_error", pause),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error", None),
    };
    Mapping { status, kind, retry_after }
}

/// A request can be too large in two places: its body, or its address.
fn too_large(error: &Error) -> StatusCode {
    if error.code() == "uri_too_long" { StatusCode::URI_TOO_LONG } else { StatusCode::PAYLOAD_TOO_LARGE }
}

/// The envelope as JSON.
pub(crate) fn envelope(error: &Error, request_id: &RequestId) -> Bytes {
    let envelope = ErrorEnvelope {
        error: ErrorBody {
            kind: mapping(error).kind.to_owned(),
            code: error.code().to_owned(),
            message: error.message().to_owned(),
            param: error.param_name().map(str::to_owned),
            request_id: request_id.as_str().to_owned(),
        },
    };
    // Five strings cannot fail to serialize.
    serde_json::to_vec(&envelope).unwrap_or_default().into()
}

/// Writes the envelope into an answer that holds an error, and logs faults of the server: once, here.
pub(crate) fn render(response: &mut Response, error: &Error, request_id: &RequestId) {
    let Mapping { status, retry_after, .. } = mapping(error);
    *response.status_mut() = status;
    *response.body_mut() = Body::from(envelope(error, request_id));
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(pause) = retry_after {
        // Rounded up: a client that comes back a moment early would be refused again.
        let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    log(error, request_id);
}

/// The operator's text of a failure that is the server's or its upstream's.
pub(crate) fn log(error: &Error, request_id: &RequestId) {
    let status = mapping(error).status;
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                request_id = request_id.as_str(),
                status = status.as_u16(),
                code = error.code(),
                causes = error.causes(),
                "{}",
                error.message()
            )
        };
    }
    match status {
        // It passes by itself: a stop, a start before the database, too much to do. Probes meet it again and again.
        StatusCode::SERVICE_UNAVAILABLE => line!(warn),
        status if status.is_server_error() => line!(error),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_rounded_up() {
        let error = Error::new(Kind::RateLimited(Some(Duration::from_millis(1_200))), "rate_limit_exceeded", "Wait.");
        let mut response = Response::new(Body::empty());
        render(&mut response, &error, &RequestId::new(&domain::Clock::System));
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }

    #[test]
    fn all_five_keys_are_there() {
        let id = RequestId::new(&domain::Clock::System);
        let body = envelope(&Error::invalid("invalid_json", "No."), &id);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"error": {
                "type": "invalid_request_error", "code": "invalid_json", "message": "No.", "param": null,
                "request_id": id.as_str(),
            }})
        );
    }
}
