//! The Template API: the smallest complete service, to copy from.
//!
//! A service is a state, a list of routes and a name; `http-kit` gives it everything else: errors, callers, limits,
//! health, the document, the request log, metrics. `docs/guides/adding-a-service.md` walks through this crate.

mod root;
mod routes;
mod sample;

use http::Method;
use http_kit::Service;
use schemars::JsonSchema;
use serde::Deserialize;
use store::Store;

/// What an operator may choose about the service.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether samples are shown to known callers only.
    pub auth_enabled: bool,
}

/// What the handlers work with.
#[derive(Clone, Debug)]
pub struct State {
    /// The database.
    pub store: Store,
    /// The operator's choices.
    pub options: Options,
}

/// The routes that need a caller where the operator asks for one.
const CLOSED_WITH_AUTH: &[(Method, &str)] = &[(Method::GET, "/v1/sample")];

/// The service.
pub fn service(state: State) -> Service {
    let closed = if state.options.auth_enabled { CLOSED_WITH_AUTH } else { &[] };
    let store = state.store.clone();
    Service::new("template-api", "jan_template_api", routes::all().with_state(state))
        .about("The smallest complete service, to copy from.")
        .health(r#"{"status":"healthy"}"#)
        .ready(move || {
            let store = store.clone();
            async move { Ok(store.ping().await?) }
        })
        .closed(closed)
}
