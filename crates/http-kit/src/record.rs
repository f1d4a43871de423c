//! A request's account: what it came to, written down when the answer's body is dropped.

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use domain::{Error, Kind};
use http::{Method, StatusCode};
use http_body::Body as _;
use tracing::Span;

use crate::{
    context::Context,
    edge::Edge,
    request_log::{self, Outcome},
};

/// A request's account, closed when the answer's body is dropped: by its end, or because the client left.
pub(crate) struct Record {
    context: Arc<Context>,
    /// The answer's status; none when the client left before there was one.
    status: Option<StatusCode>,
    head: Duration,
    bytes: u64,
    complete: bool,
    counted: Option<Edge>,
    span: Span,
}

/// Shown as the status of a request whose client left before the answer began, as nginx does.
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl Record {
    pub(crate) fn new(context: Arc<Context>, span: Span) -> Self {
        Self { context, status: None, head: Duration::ZERO, bytes: 0, complete: false, counted: None, span }
    }

    /// Takes a place among the requests in flight.
    pub(crate) fn enter(&mut self, edge: &Edge) -> Result<(), Error> {
        self.counted = Some(edge.clone());
        if edge.enter() {
            return Ok(());
        }
        let pause = Some(Duration::from_secs(1));
        Err(Error::new(Kind::Unavailable(pause), "service_unavailable", "The server has too much to do right now."))
    }

    pub(crate) fn head(&mut self, response: &Response) {
        self.status = Some(response.status());
        self.head = self.context.started.elapsed();
        // An answer without a body is whole as soon as it has a head; nobody asks for its end.
        self.complete = response.body().is_end_stream() || self.context.method == Method::HEAD;
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some(edge) = &self.counted {
            edge.leave();
        }
        let total = self.context.started.elapsed();
        let outcome = Outcome {
            status: self.status.map_or(CLIENT_CLOSED_REQUEST, |status| status.as_u16()),
            bytes: self.bytes,
            head: if self.status.is_some() { self.head } else { total },
            total,
            complete: self.complete,
        };
        self.context.service.metrics.observe(&self.context, &outcome);
        request_log::write(&self.context, &outcome);
        if !self.span.is_none() {
            finish_span(&self.span, &self.context, &outcome);
        }
    }
}

fn finish_span(span: &Span, context: &Context, outcome: &Outcome) {
    span.record("otel.name", format!("{} {}", context.method, context.route()));
    span.record("http.route", context.route());
    span.record("http.response.status_code", outcome.status);
    span.record("request_id", context.request_id.as_str());
    if outcome.status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}
