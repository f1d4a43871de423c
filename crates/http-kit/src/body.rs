//! Bodies in both directions: what arrives is bounded in size and time, what leaves is counted.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context as TaskContext, Poll, ready},
    time::{Duration, Instant},
};

use axum::body::Body;
use bytes::Bytes;
use domain::Error;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::{context::Context, error, gated::Gated, record::Record};

/// A body may take its grace, and a second more for each so many bytes that came (`security.md` G2). The deadline is
/// absolute: a client that drips bytes does not move it.
const BYTES_PER_SECOND: u64 = 64 * 1024;

/// How far a request's body is, in microseconds since the request's arrival.
#[derive(Default)]
pub(crate) struct Arrival(AtomicU64);

impl Arrival {
    const READING: u64 = u64::MAX;

    fn begin(&self) {
        self.0.store(Self::READING, Ordering::Relaxed);
    }

    fn end(&self, context: &Context) {
        let at = u64::try_from(context.started.elapsed().as_micros()).unwrap_or(Self::READING - 1);
        self.0.store(at, Ordering::Relaxed);
    }

    /// Since when the answer is owed; `None` while the body is still on its way.
    pub(crate) fn ended(&self, started: Instant) -> Option<Instant> {
        match self.0.load(Ordering::Relaxed) {
            Self::READING => None,
            at => Some(started + Duration::from_micros(at)),
        }
    }
}

/// Why a request's body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is longer than the route takes, in bytes.
    TooLarge(u64),
    /// It came too slowly.
    TooSlow,
}

impl Refusal {
    pub(crate) fn to_error(self) -> Error {
        match self {
            Self::TooLarge(limit) => Error::new(
                domain::Kind::TooLarge,
                "payload_too_large",
                format!("The body may have {limit} bytes on this route."),
            ),
            Self::TooSlow => Error::new(domain::Kind::RequestTimeout, "request_timeout", "The body came too slowly."),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge(_) => "the body is too large",
            Self::TooSlow => "the body came too slowly",
        })
    }
}

impl std::error::Error for Refusal {}

/// A request's body, bounded.
pub(crate) struct Bounded {
    inner: Body,
    context: Arc<Context>,
    limit: u64,
    received: u64,
    grace: Duration,
    /// Made when the body is first waited for: most bodies come with the head.
    wait: Option<Pin<Box<Sleep>>>,
}

impl Bounded {
    pub(crate) fn new(inner: Body, context: Arc<Context>, limit: u64) -> Self {
        context.arrival.begin();
        let grace = Duration::from_secs(context.service.edge.options().body_grace);
        Self { inner, context, limit, received: 0, grace, wait: None }
    }

    fn deadline(&self) -> Instant {
        self.context.started + self.grace + Duration::from_secs(self.received / BYTES_PER_SECOND)
    }

    fn poll_deadline(&mut self, cx: &mut TaskContext<'_>) -> Poll<Refusal> {
        loop {
            let deadline = self.deadline().into();
            let wait = self.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            ready!(wait.as_mut().poll(cx));
            if wait.deadline() >= deadline {
                return Poll::Ready(Refusal::TooSlow);
            }
            // Bytes have come since the timer was set.
            wait.as_mut().reset(deadline);
        }
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                if self.received > self.limit {
                    return Poll::Ready(Some(Err(Refusal::TooLarge(self.limit).into())));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => self.poll_deadline(cx).map(|refusal| Some(Err(refusal.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Bounded {
    /// Read to its end or given up: from here on the answer is owed.
    fn drop(&mut self) {
        self.context.arrival.end(&self.context);
    }
}

/// An answer's body. When it is dropped, because it ended or because the client left, the request is over: the line is
/// written and its place among the requests in flight is free.
pub struct EdgeBody {
    inner: Body,
    record: Record,
    /// For event streams: the moment when the server will wait no longer.
    closing: Option<Gated<Pin<Box<WaitForCancellationFutureOwned>>>>,
    closed: bool,
}

impl EdgeBody {
    pub(crate) fn new(inner: Body, record: Record, is_stream: bool) -> Self {
        let closing = is_stream.then(|| {
            let token = record.context().service.edge.closing().clone();
            Gated::new(Box::pin(token.cancelled_owned()))
        });
        Self { inner, record, closing, closed: false }
    }
}

impl http_body::Body for EdgeBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.closed {
            return Poll::Ready(None);
        }
        let polled = {
            let Self { inner, record, .. } = &mut *self;
            let _in_span = record.span().enter();
            Pin::new(inner).poll_frame(cx)
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.record.add(data.len() as u64);
                }
                if self.inner.is_end_stream() {
                    self.record.complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.record.complete();
                Poll::Ready(None)
            }
            Poll::Ready(error) => Poll::Ready(error),
            Poll::Pending => {
                let Some(closing) = &mut self.closing else { return Poll::Pending };
                ready!(Pin::new(closing).poll(cx));
                self.closed = true;
                let stopping =
                    Error::new(domain::Kind::Unavailable(None), "service_unavailable", "The server is stopping.");
                let envelope = error::envelope(&stopping, &self.record.context().request_id);
                Poll::Ready(Some(Ok(Frame::data(wire::sse::data(&envelope)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.closed || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
