//! One line for each request, written when the answer's body ends. `docs/reference/request-log.md` documents it as an
//! interface. It never holds bodies, tokens, query strings or addresses of upstreams.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::{ApiError, context::Context};

/// What a handler adds to its request's line and metrics. Take it as an argument; it may be filled in until the body ends,
/// also by the stream that the body is made of.
#[derive(Clone)]
pub struct LogFields(pub(crate) Arc<Context>);

/// The fields a handler may fill in.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The model's public id, once it is known to exist: it becomes a metric's label.
    pub model: Option<Arc<str>>,
    /// Whether the answer is a stream of events.
    pub stream: Option<bool>,
    /// The provider that answered.
    pub provider: Option<Arc<str>>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer.
    pub completion_tokens: Option<u64>,
    /// From the request's arrival to the model's first token.
    pub first_token: Option<Duration>,
}

impl LogFields {
    /// Fills in fields.
    pub fn set(&self, change: impl FnOnce(&mut Fields)) {
        change(&mut self.0.fields());
    }

    /// Notes that the model's first token is here, unless that was noted before; gives the time since the request's
    /// arrival.
    pub fn first_token(&self) -> Duration {
        let elapsed = self.0.started.elapsed();
        self.0.fields().first_token.get_or_insert(elapsed).to_owned()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for LogFields {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(Arc::clone(Context::of(&parts.extensions)?)))
    }
}

/// The fields behind a lock that a panic elsewhere does not take away.
#[derive(Default)]
pub(crate) struct Shared(Mutex<Fields>);

impl Shared {
    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, Fields> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the answer went.
pub(crate) struct Outcome {
    pub(crate) status: u16,
    /// Bytes of the body that were handed to the connection.
    pub(crate) bytes: u64,
    /// Until the answer's head.
    pub(crate) head: Duration,
    /// Until the body's end.
    pub(crate) total: Duration,
    /// Whether the body ended by itself; otherwise the client left or the stream broke.
    pub(crate) complete: bool,
}

/// Writes the line.
pub(crate) fn write(context: &Context, outcome: &Outcome) {
    if !tracing::enabled!(target: "request", tracing::Level::INFO) {
        return;
    }
    let caller = context.caller();
    let fields = context.fields();
    tracing::info!(
        target: "request",
        service = context.service.name(),
        method = context.method.as_str(),
        route = context.route(),
        status = outcome.status,
        request_id = context.request_id.as_str(),
        caller = caller.map(|caller| caller.user_id.as_str()),
        auth = caller.map(|caller| caller.method.as_str()),
        client = context.client.map(tracing::field::display),
        duration_ms = millis(outcome.total),
        head_ms = millis(outcome.head),
        bytes = outcome.bytes,
        complete = outcome.complete,
        model = fields.model.as_deref(),
        stream = fields.stream,
        provider = fields.provider.as_deref(),
        prompt_tokens = fields.prompt_tokens,
        completion_tokens = fields.completion_tokens,
        first_token_ms = fields.first_token.map(millis),
    );
}

/// Milliseconds with three decimals.
fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}
