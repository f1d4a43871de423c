//! What is known about a request while it is served: one allocation, shared by the edge, the guard and the log.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::extract::MatchedPath;
use domain::{Error, Principal, rate_limit::Standing};
use http::{Extensions, HeaderMap, Method};

use crate::{
    ApiError, RequestId, authenticate,
    body::Arrival,
    concurrency::Place,
    request_log::{Fields, Shared},
    service::Mount,
};

pub(crate) struct Context {
    pub(crate) request_id: RequestId,
    pub(crate) method: Method,
    pub(crate) started: Instant,
    /// The client's address.
    pub(crate) client: Option<IpAddr>,
    pub(crate) service: Arc<Mount>,
    /// How far the request's body is.
    pub(crate) arrival: Arrival,
    route: OnceLock<MatchedPath>,
    caller: OnceLock<Arc<Principal>>,
    /// Where the caller stands with its rate limit.
    standing: OnceLock<Standing>,
    /// A place among the caller's chats, until the answer has ended.
    place: OnceLock<Place>,
    fields: Shared,
}

impl Context {
    pub(crate) fn new(request_id: RequestId, method: Method, client: Option<IpAddr>, service: Arc<Mount>) -> Self {
        Self {
            request_id,
            method,
            started: Instant::now(),
            client,
            service,
            arrival: Arrival::default(),
            route: OnceLock::new(),
            caller: OnceLock::new(),
            standing: OnceLock::new(),
            place: OnceLock::new(),
            fields: Shared::default(),
        }
    }

    /// The context that the edge put into a request.
    pub(crate) fn of(extensions: &Extensions) -> Result<&Arc<Self>, ApiError> {
        extensions.get::<Arc<Self>>().ok_or_else(|| Error::internal("a route is served without the edge").into())
    }

    pub(crate) fn caller(&self) -> Option<&Arc<Principal>> {
        self.caller.get()
    }

    /// Verifies the request's credentials and remembers the caller.
    pub(crate) async fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Principal>, Error> {
        let credentials = authenticate::from_headers(headers)?;
        let authenticator = self.service.edge.authenticator();
        let principal = match authenticator.cached(credentials) {
            Some(verdict) => verdict?,
            None => authenticator.verify(credentials, self.client).await?,
        };
        Ok(Arc::clone(self.caller.get_or_init(|| principal)))
    }

    pub(crate) fn standing(&self) -> Option<&Standing> {
        self.standing.get()
    }

    pub(crate) fn set_standing(&self, standing: Standing) {
        // One limit is told of.
        let _first = self.standing.set(standing);
    }

    pub(crate) fn hold(&self, place: Place) {
        // A request passes one guard.
        let _first = self.place.set(place);
    }

    pub(crate) fn set_route(&self, route: MatchedPath) {
        // A request matches once; a second match would be of the same route.
        let _first = self.route.set(route);
    }

    /// The route's template; `unmatched` for none. Never the path itself, which may hold ids and has no bound as a label.
    pub(crate) fn route(&self) -> &str {
        self.route.get().map_or("unmatched", MatchedPath::as_str)
    }

    pub(crate) fn matched_path(&self) -> Option<&MatchedPath> {
        self.route.get()
    }

    pub(crate) fn fields(&self) -> std::sync::MutexGuard<'_, Fields> {
        self.fields.lock()
    }
}
