//! What stands before each route: a caller who may, as the route says (`access.rs`); a bound on how often the caller may
//! come; bounds on the body; and a bound on the time until the answer begins.
//!
//! It stands inside the router, so that it decides by the very route that is going to answer. A stream's length is not
//! bounded here: its head comes at once, and what it leans on has time-outs of its own.

use std::{
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    extract::MatchedPath,
    response::{IntoResponse, Response},
};
use domain::{Error, Kind};
use http::{Request, header};
use http_body::Body as _;
use tower::{Layer, Service};

use crate::{
    ApiError,
    body::{Bounded, Refusal},
    context::Context,
    idempotency,
    service::Mount,
};

/// Puts a [`Guard`] before each route of a service.
#[derive(Clone)]
pub(crate) struct GuardLayer(pub(crate) Arc<Mount>);

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { mount: Arc::clone(&self.0), inner }
    }
}

/// Stands before one route.
#[derive(Clone)]
pub(crate) struct Guard<S> {
    mount: Arc<Mount>,
    inner: S,
}

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The instance that was polled ready is the one to call.
        let ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, ready);
        let mount = Arc::clone(&self.mount);
        Box::pin(async move {
            let answer = tokio::select! {
                biased;
                answer = guarded(&mount, inner, request) => answer,
                () = mount.edge.closing().cancelled() => Err(stopping().into()),
            };
            Ok(answer.unwrap_or_else(IntoResponse::into_response))
        })
    }
}

async fn guarded<S>(mount: &Mount, mut inner: S, mut request: Request<Body>) -> Result<Response, ApiError>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    let context = Arc::clone(Context::of(request.extensions())?);
    if let Some(route) = request.extensions().get::<MatchedPath>() {
        context.set_route(route.clone());
    }
    let route = context.route();
    let access = mount.access(request.method(), route);
    if access.wants_caller() {
        let caller = context.authenticate(request.headers()).await?;
        access.check(&caller, mount.edge.authenticator())?;
    }
    mount.edge.admit(&context)?;
    let limits = mount.limits(route);
    bound_body(&mut request, &context, limits.body)?;
    if idempotency::is_asked(&request)
        && let (Some(keys), Some(caller)) = (mount.edge.idempotency(), context.caller())
    {
        let caller = Arc::clone(caller);
        let of_handler = Arc::clone(&context);
        let handler =
            move |request| async move { in_time(pin!(inner.call(request)), of_handler, limits.answer_within).await };
        // On the heap, for the few that ask for it.
        return Box::pin(keys.serve(&caller, context, request, handler)).await;
    }
    in_time(pin!(inner.call(request)), context, limits.answer_within).await
}

/// The handler's answer, or 504 when it does not begin within the limit. The answer is pinned where it was made: moved in
/// here it would be held twice.
async fn in_time(
    mut answer: Pin<&mut impl Future<Output = Result<Response, Infallible>>>,
    context: Arc<Context>,
    limit: Duration,
) -> Result<Response, ApiError> {
    let mut wait = pin!(tokio::time::sleep(limit));
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return match answer { Ok(response) => Ok(response), Err(never) => match never {} },
            () = &mut wait => {
                // The time counts from the end of the body, which has a deadline of its own.
                let due = match context.arrival.ended(context.started) {
                    Some(ended) => ended + limit,
                    None => std::time::Instant::now() + limit,
                };
                if due <= std::time::Instant::now() {
                    return Err(too_late(limit).into());
                }
                wait.as_mut().reset(due.into());
            }
        }
    }
}

/// Refuses a body that says it is too large before any of it is read, and bounds one that does not say.
fn bound_body(request: &mut Request<Body>, context: &Arc<Context>, limit: u64) -> Result<(), Error> {
    if let Some(coding) = request.headers().get(header::CONTENT_ENCODING)
        && coding != "identity"
    {
        // A compressed body could unfold to anything (`security.md` G3).
        let message = "A body is accepted as it is, without Content-Encoding.";
        return Err(Error::new(Kind::UnsupportedMediaType, "unsupported_content_encoding", message));
    }
    if request.body().is_end_stream() {
        return Ok(());
    }
    if request.body().size_hint().lower() > limit {
        return Err(Refusal::TooLarge(limit).to_error());
    }
    let body = std::mem::take(request.body_mut());
    *request.body_mut() = Body::new(Bounded::new(body, Arc::clone(context), limit));
    Ok(())
}

/// The time to finish is over, and the answer has not begun.
#[cold]
fn stopping() -> Error {
    let pause = Some(Duration::from_secs(1));
    Error::new(Kind::Unavailable(pause), "service_unavailable", "The server is stopping.")
}

#[cold]
fn too_late(limit: Duration) -> Error {
    let message = format!("The answer was not ready within {} seconds.", limit.as_secs());
    Error::new(Kind::UpstreamTimeout, "upstream_timeout", message)
}
