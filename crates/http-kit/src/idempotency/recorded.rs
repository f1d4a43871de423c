//! A stream of events that is kept while it passes, to be given again as a whole.
//!
//! When the client leaves, the stream goes on without it: the client will ask again. The stream's end waits until it is
//! kept, so that who has seen the end can rely on it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

use super::{Answering, Idempotency, MAX_ANSWER};
use crate::sse;

/// The stream. Its parts are gone one after the other: first the source, then the tape, then what keeps it.
pub(super) struct Recorded {
    keys: Idempotency,
    source: Option<Body>,
    tape: Option<Tape>,
    keeping: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// What passed so far.
struct Tape {
    answering: Answering,
    status: StatusCode,
    headers: HeaderMap,
    events: Vec<u8>,
    fits: bool,
    failed: bool,
}

impl Tape {
    fn add(&mut self, frame: &[u8]) {
        if sse::is_comment(frame) {
            return;
        }
        self.failed = sse::is_failure(frame);
        self.fits = self.fits && self.events.len() + frame.len() <= MAX_ANSWER;
        if self.fits {
            self.events.extend_from_slice(frame);
        } else {
            self.events = Vec::new();
        }
    }

    /// Keeps the stream, which is whole; what failed is given up instead.
    async fn keep(mut self) {
        if self.failed {
            self.answering.claim.release().await;
            return;
        }
        let events = self.fits.then(|| Bytes::from(self.events));
        self.answering.finish(self.status, &self.headers, events.as_ref()).await;
    }

    /// Takes the rest of the stream for a client that left.
    async fn go_on(mut self, mut source: Body) {
        let closing = self.answering.claim.keys().0.closing.clone();
        let rest = async {
            while let Some(frame) = source.frame().await {
                match frame {
                    Ok(frame) => self.add(frame.data_ref().map_or(&[][..], |data| data)),
                    Err(_) => return false,
                }
            }
            true
        };
        // Cut off, it is given up.
        if closing.run_until_cancelled(rest).await == Some(true) {
            self.keep().await;
        }
    }
}

impl Recorded {
    pub(super) fn new(source: Body, answering: Answering, status: StatusCode, headers: HeaderMap) -> Self {
        let keys = answering.claim.keys().clone();
        let tape = Tape { answering, status, headers, events: Vec::new(), fits: true, failed: false };
        Self { keys, source: Some(source), tape: Some(tape), keeping: None }
    }
}

impl http_body::Body for Recorded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Some(source) = &mut this.source {
            match ready!(Pin::new(source).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let (Some(tape), Some(data)) = (&mut this.tape, frame.data_ref()) {
                        tape.add(data);
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => {
                    (this.source, this.tape) = (None, None);
                    return Poll::Ready(Some(Err(error)));
                }
                None => this.source = None,
            }
        }
        if let Some(tape) = this.tape.take() {
            this.keeping = Some(Box::pin(tape.keep()));
        }
        if let Some(keeping) = &mut this.keeping {
            ready!(keeping.as_mut().poll(cx));
            this.keeping = None;
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none() && self.tape.is_none() && self.keeping.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for Recorded {
    /// The client left, or has all it wanted.
    fn drop(&mut self) {
        let tasks = &self.keys.0.tasks;
        if let Some(keeping) = self.keeping.take() {
            tasks.spawn(keeping);
        }
        let (Some(tape), Some(source)) = (self.tape.take(), self.source.take()) else { return };
        if let Ok(place) = self.keys.0.left.clone().try_acquire_owned() {
            tasks.spawn(async move {
                tape.go_on(source).await;
                drop(place);
            });
        }
    }
}
