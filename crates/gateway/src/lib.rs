//! The gateway: one door to every service, in-process.
//!
//! It reads a request's path, looks the service up in one table (`routes.rs`) and calls it as a function: no second
//! socket, no copy of the body, no second edge. What every request passes (its id, CORS, limits, callers, the log) is
//! the service's own edge, so that a request through the gateway is counted and logged once, under the service that
//! answered it. The gateway authenticates nobody and reads no body.
//!
//! A service that does not run in this process (`--only`) is answered for with 503 `service_unavailable`, by the
//! gateway itself: the path is right, the server's line-up is not. A path that the table does not have is a 404.

mod own;
mod routes;

use std::{
    borrow::Cow,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use domain::{Error, Kind};
use http::Request;
use http_kit::{Edge, MountedService, path};

use routes::{PROBES, Row};

/// The mounted services behind one door. Clones share them.
#[derive(Clone)]
pub struct Gateway(Arc<Services>);

struct Services {
    /// Answers what no other service does.
    own: MountedService,
    others: Vec<MountedService>,
}

/// Where a request goes.
enum Verdict<'a> {
    To(&'a MountedService),
    Refuse(Error),
}

impl Gateway {
    /// A gateway to `services`, whichever of them there are. Its own answers pass `edge`.
    pub fn new(edge: &Edge, services: impl IntoIterator<Item = MountedService>) -> Self {
        Self(Arc::new(Services { own: own::service().mount(edge), others: services.into_iter().collect() }))
    }

    /// The service by which the gateway answers itself.
    pub fn own(&self) -> &MountedService {
        &self.0.own
    }
}

impl tower::Service<Request<Body>> for Gateway {
    type Response = <MountedService as tower::Service<Request<Body>>>::Response;
    type Error = Infallible;
    type Future = <MountedService as tower::Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match self.0.judge(&mut request) {
            Verdict::To(service) => service.answer(request, None),
            Verdict::Refuse(error) => self.0.own.answer(request, Some(error)),
        }
    }
}

impl Services {
    /// Finds the request's service and gives the request the path that the service knows.
    ///
    /// The path is judged in the very spelling that the service's edge and router will see, so that no way of writing
    /// it leads to one service here and to another route there.
    fn judge(&self, request: &mut Request<Body>) -> Verdict<'_> {
        let respelt = match path::normalize(request.uri().path()) {
            Ok(Cow::Borrowed(_)) => None,
            Ok(Cow::Owned(normal)) => Some(normal),
            Err(error) => return Verdict::Refuse(error),
        };
        let normal = respelt.as_deref().unwrap_or(request.uri().path());
        let Some(row) = Row::find(normal) else { return Verdict::To(&self.own) };
        let Some(service) = self.find(row.to) else {
            return if PROBES.contains(&normal) { Verdict::To(&self.own) } else { Verdict::Refuse(absent(row.to)) };
        };
        let rewritten = row.rewrite(normal).or(respelt.map(Cow::Owned));
        match rewritten.map(|path| path::respell(request, &path)) {
            Some(Err(error)) => Verdict::Refuse(error),
            Some(Ok(())) | None => Verdict::To(service),
        }
    }

    fn find(&self, name: &str) -> Option<&MountedService> {
        self.others.iter().find(|service| service.name() == name)
    }
}

#[cold]
fn absent(service: &str) -> Error {
    let message = format!("The service {service} does not run on this server.");
    Error::new(Kind::Unavailable(None), "service_unavailable", message)
}
