//! What a handler takes from a request, with refusals that speak the envelope and name the field.

use std::error::Error as _;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use domain::{Error, Kind, ids, page::PageRequest};
use http::{HeaderMap, header, request::Parts};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{
    IntoParams,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
    },
};

use crate::{ApiError, body::Refusal};

/// A JSON body in, or a JSON answer out.
///
/// Refused: another content type (415), what is no JSON (400 `invalid_json`), and JSON of another shape (400 with the
/// field's path).
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        check_is_json(request.headers())?;
        let body = read(request.into_body()).await?;
        check_has_no_nul(&body)?;
        Ok(Self(wire::json::parse(&body)?))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => ApiError::from(Error::internal(error)).into_response(),
        }
    }
}

/// A JSON body that may be missing. Refuses what [`Json`] refuses.
#[derive(Clone, Copy, Debug)]
pub struct MaybeJson<T>(pub Option<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for MaybeJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_json = check_is_json(request.headers());
        let body = read(request.into_body()).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        is_json?;
        check_has_no_nul(&body)?;
        Ok(Self(Some(wire::json::parse(&body)?)))
    }
}

/// A JSON body, read and as it came: for handlers that pass on what they do not know. Refuses what [`Json`] refuses.
#[derive(Clone, Debug)]
pub struct ReadJson<T>(pub T, pub Bytes);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ReadJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        check_is_json(request.headers())?;
        let body = read(request.into_body()).await?;
        Ok(Self(wire::json::parse_large(&body)?, body))
    }
}

/// A body as it came, whatever its type; bounded by the route's limit.
#[derive(Clone, Debug)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        Ok(Self(read(request.into_body()).await?))
    }
}

/// Reads a body to its end; one that came in one piece is not copied.
pub(crate) async fn read(body: Body) -> Result<Bytes, Error> {
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => {
            let mut cause = error.source();
            while let Some(next) = cause {
                if let Some(refusal) = next.downcast_ref::<Refusal>() {
                    return Err(refusal.to_error());
                }
                cause = next.source();
            }
            Err(Error::invalid("invalid_request", "The body broke off.").source(error))
        }
    }
}

/// PostgreSQL cannot store the character NUL; a body that holds it is refused before anything is done with it.
fn check_has_no_nul(body: &[u8]) -> Result<(), Error> {
    if wire::json::holds_nul(body) {
        return Err(Error::invalid("invalid_request", "The body holds the character NUL (\\u0000)."));
    }
    Ok(())
}

fn check_is_json(headers: &HeaderMap) -> Result<(), Error> {
    let essence = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or_default().trim());
    let is_json = essence.is_some_and(|essence| {
        essence.eq_ignore_ascii_case("application/json")
            || essence.len() > 5
                && essence.is_char_boundary(essence.len() - 5)
                && essence[essence.len() - 5..].eq_ignore_ascii_case("+json")
    });
    if is_json {
        return Ok(());
    }
    let message = "The body needs to be JSON, with Content-Type: application/json.";
    Err(Error::new(Kind::UnsupportedMediaType, "unsupported_media_type", message))
}

/// The query string.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    #[expect(clippy::disallowed_types, reason = "this is what stands in its place")]
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // PostgreSQL keeps no NUL in a text, so that none could be found. A cursor with one is none, and is called so.
        let mut pairs = parts.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        if let Some((name, _)) =
            pairs.find(|(name, value)| value.contains("%00") && !matches!(*name, "after" | "cursor"))
        {
            return Err(Error::invalid_parameter(name, "A parameter must not hold the character NUL.").into());
        }
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(query_error(&rejection.body_text()).into()),
        }
    }
}

/// Which page of a list is asked for: `limit`, `after` (or `cursor`), `order`.
#[derive(Clone, Debug)]
pub struct PageQuery(pub PageRequest);

/// The parameters, for `params(PageQuery, …)` of an operation's document.
impl IntoParams for PageQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        let after = ObjectBuilder::new().schema_type(Type::String).max_length(Some(ids::MAX_LENGTH));
        let order = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["desc", "asc"]));
        [
            ("limit", limit, "What a page has at most: 20 when not given; 100, whatever is asked for."),
            ("after", after, "The id of the last thing seen; `cursor` is another name."),
            ("order", order, "`desc` (newest first, when not given) or `asc`."),
        ]
        .map(|(name, schema, about)| optional(name, schema, about))
        .into()
    }
}

#[derive(Deserialize)]
struct PageParameters {
    limit: Option<String>,
    after: Option<String>,
    cursor: Option<String>,
    order: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for PageQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(query) = Query::<PageParameters>::from_request_parts(parts, state).await?;
        let after = query.after.or(query.cursor).filter(|id| !id.is_empty());
        Ok(Self(PageRequest::parse(query.limit.as_deref(), after, query.order.as_deref())?))
    }
}

/// How many elements of a list to leave out first: `offset`, where a list has it.
#[derive(Clone, Copy, Debug)]
pub struct Offset(pub u32);

impl Offset {
    /// Whoever wants to go further follows `after`, which costs the same everywhere.
    const MOST: u32 = 10_000;
}

#[derive(Deserialize)]
struct OffsetParameter {
    offset: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Offset {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(OffsetParameter { offset }) = Query::from_request_parts(parts, state).await?;
        let Some(text) = offset.filter(|text| !text.is_empty()) else { return Ok(Self(0)) };
        if let Ok(count @ 0..=Self::MOST) = text.parse() {
            return Ok(Self(count));
        }
        let message = format!("offset must be a whole number from 0 to {}.", Self::MOST);
        Err(Error::invalid_parameter("offset", message).into())
    }
}

/// The parameter, for `params(Offset, …)` of an operation's document.
impl IntoParams for Offset {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(Self::MOST));
        vec![optional("offset", schema, "How many to leave out first.")]
    }
}

fn optional(name: &str, schema: ObjectBuilder, about: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

/// The parts of the path that the route's template names.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    #[expect(clippy::disallowed_types, reason = "this is what stands in its place")]
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            // What the path's parts do not fit is not there.
            Err(rejection) if rejection.status().is_client_error() => Err(crate::service::route_not_found().into()),
            Err(rejection) => Err(Error::internal(rejection.body_text()).into()),
        }
    }
}

/// The framework's text, `Failed to …: limit: invalid digit`, as an error that names the field.
fn query_error(text: &str) -> Error {
    let detail = text.split_once(": ").map_or(text, |(_, detail)| detail);
    let missing = detail.split_once("missing field `").and_then(|(_, rest)| rest.split('`').next());
    if let Some(field) = missing {
        return Error::invalid("missing_parameter", format!("{field} is required.")).param(field);
    }
    match detail.split_once(": ") {
        Some((field, problem)) => Error::invalid_parameter(field, format!("{field}: {problem}.")),
        None => Error::invalid("invalid_parameter", format!("The query string does not fit: {detail}.")),
    }
}
