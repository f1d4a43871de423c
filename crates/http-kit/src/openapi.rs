//! The service's document at `/openapi.json`, and a page to read it at `/docs`.
//!
//! The document comes from the mounted handlers; this module only adds what holds for all of them: who may call, the
//! failures that the edge answers before a handler runs, and the envelope that failures come in. The page is our own,
//! embedded, and asks nobody else for anything, so that it works without a network and under a strict content policy.

use std::sync::{Arc, LazyLock};

use axum::{
    Extension, Router,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use domain::scope::Key;
use http::{Method, StatusCode, header};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, ContentBuilder, Info, OpenApi, Ref, RefOr, ResponseBuilder, Server,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{
    Access,
    error::{ErrorBody, ErrorEnvelope},
    idempotency,
    path::AsSent,
};

/// Documentation is public: it is the same on every server.
pub(crate) const OPEN: &[(Method, &str)] = &[
    (Method::GET, "/openapi.json"),
    (Method::GET, "/docs"),
    (Method::GET, "/docs/page.js"),
    (Method::GET, "/docs/page.css"),
    (Method::GET, "/swagger"),
    (Method::GET, "/api/swagger"),
];

/// What the edge can answer on any route that wants a caller.
const GUARDED: (&str, &str) = ("401", "There are no credentials, or they are not good.");

/// What the edge can answer on any route.
const ALWAYS: [(&str, &str); 12] = [
    ("400", "Something in the request is wrong; `param` names it."),
    ("404", "There is no such thing, or none of the caller's."),
    ("405", "The path does not have this method; `Allow` lists those it has."),
    ("408", "The body came too slowly."),
    ("413", "The body is too large."),
    ("414", "The address is too long."),
    ("415", "The body is of another type."),
    ("429", "Too much was asked for; `Retry-After` says how long to wait."),
    ("431", "The headers are too many or too long."),
    ("500", "A fault of the server; tell the operator the request id."),
    ("503", "The server cannot serve this right now."),
    ("504", "It took too long."),
];

/// Adds to a document what holds for every route. `closed` are operations that want a caller although they say otherwise.
pub(crate) fn complete(mut document: OpenApi, service: &str, about: &str, closed: &[(Method, &str)]) -> OpenApi {
    document.info = Info::new(title(service), env!("CARGO_PKG_VERSION").to_owned());
    document.info.description = Some(about.to_owned());
    document.servers = Some(vec![Server::new("/")]);
    let components = document.components.take().unwrap_or_else(|| ComponentsBuilder::new().build());
    document.components = Some(with_shared(components));
    let paths = std::mem::take(&mut document.paths.paths);
    for (path, mut item) in paths {
        for (method, operation) in operations(&mut item) {
            let is_closed = closed.iter().any(|(verb, template)| *verb == method && *template == path);
            let access = if is_closed { Access::Caller(Key::Any) } else { Access::of(operation) };
            complete_operation(operation, access);
            if method == Method::POST && access.wants_caller() {
                idempotency::document(operation);
            }
        }
        // The document has no captures of the rest of a path: a parameter is a parameter.
        document.paths.paths.insert(path.replace("{*", "{"), item);
    }
    document
}

fn title(service: &str) -> String {
    match service {
        "llm-api" => "LLM API".to_owned(),
        "mcp-tools" => "MCP Tools API".to_owned(),
        other => other
            .split('-')
            .map(|word| if word == "api" { "API".to_owned() } else { word[..1].to_uppercase() + &word[1..] })
            .collect::<Vec<_>>()
            .join(" "),
    }
}

fn with_shared(mut components: utoipa::openapi::Components) -> utoipa::openapi::Components {
    components.schemas.insert(ErrorEnvelope::name().into(), ErrorEnvelope::schema());
    components.schemas.insert(ErrorBody::name().into(), ErrorBody::schema());
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An access token, or an API key (`sk_…`)."))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let key = ApiKeyValue::with_description("X-API-Key", "An API key (`sk_…`).");
    components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
    components
}

pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::PATCH, &mut item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn complete_operation(operation: &mut Operation, access: Access) {
    let refusals = access.refusals();
    let guarded = [GUARDED, ("403", refusals.as_str())];
    let failures = ALWAYS.iter().chain(if access == Access::Anyone { &[][..] } else { &guarded });
    let responses = &mut operation.responses.responses;
    for (status, description) in failures {
        let failure = || RefOr::T(ResponseBuilder::new().description(*description).build());
        responses.entry((*status).to_owned()).or_insert_with(failure);
    }
    for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        if let RefOr::T(response) = response
            && response.content.is_empty()
        {
            let envelope = ContentBuilder::new().schema(Some(Ref::from_schema_name(ErrorEnvelope::name()))).build();
            response.content.insert("application/json".to_owned(), envelope.into());
        }
    }
    access.note(operation);
}

/// A service's document as it is served. It is completed and written when somebody first asks: most servers are never
/// asked, and a complete document takes megabytes and a good part of a start.
#[derive(Clone)]
pub(crate) struct Document(Arc<LazyLock<Bytes, Box<dyn FnOnce() -> Bytes + Send>>>);

impl Document {
    pub(crate) fn new(
        document: OpenApi,
        service: &'static str,
        about: &'static str,
        closed: &'static [(Method, &'static str)],
    ) -> Self {
        let write = move || {
            let document = complete(document, service, about, closed);
            // A document that came from types can be written; an empty one would show in every test.
            document.to_pretty_json().unwrap_or_default().into_bytes().into_boxed_slice().into()
        };
        Self(Arc::new(LazyLock::new(Box::new(write))))
    }

    pub(crate) fn text(&self) -> &Bytes {
        &self.0
    }
}

/// The document and the page.
pub(crate) fn routes(document: Document) -> Router {
    let show = move || async move { asset("application/json", document.text().clone()) };
    Router::new()
        .route("/openapi.json", get(show))
        .route("/docs", get(page))
        .route("/swagger", get(|sent: Sent| async move { elsewhere(&sent, "docs") }))
        .route("/api/swagger", get(|sent: Sent| async move { elsewhere(&sent, "../docs") }))
        .route("/docs/page.js", get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/docs/page.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
}

const PAGE: &str = include_str!("../assets/docs.html");
const SCRIPT: &str = include_str!("../assets/docs.js");
const STYLE: &str = include_str!("../assets/docs.css");

/// Nothing but what this server itself serves, and no inline script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page asks for its parts by addresses relative to its own, so that it works behind whatever prefix a gateway or a
/// proxy puts before it. A slash at its end would lead them astray.
async fn page(sent: Sent) -> Response {
    if has_trailing_slash(&sent) {
        return elsewhere(&sent, "docs");
    }
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], asset("text/html; charset=utf-8", PAGE)).into_response()
}

/// The path as the client wrote it, if the edge gave the request another.
type Sent = Option<Extension<AsSent>>;

fn has_trailing_slash(sent: &Sent) -> bool {
    sent.as_ref().is_some_and(|Extension(AsSent(path))| path.ends_with('/'))
}

/// Sends the browser to `target`, given relative to the path without a slash at its end.
fn elsewhere(sent: &Sent, target: &str) -> Response {
    let up = if has_trailing_slash(sent) { "../" } else { "" };
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, format!("{up}{target}"))]).into_response()
}

fn asset(content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
    (headers, body.into()).into_response()
}
