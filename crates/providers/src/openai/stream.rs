//! The upstream's answer as a stream of frames, polled by whoever sends them on: no task and no queue in between.
//!
//! Dropping the stream drops the upstream's body, which closes its connection.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use futures_util::Stream;
use http_body::Body;
use outbound::ResponseBody;
use tokio::time::{Instant, Sleep};
use wire::sse::Decoder;

use super::{
    chunks::{Chunks, Step},
    options::Limits,
};
use crate::{Error, Frame, Result};

/// How long the end of a body may take after the end mark. It comes at once from a well-behaved server, and lets its
/// connection be used again.
const DRAIN: Duration = Duration::from_millis(250);
/// Frames are cut from buffers of this size.
const BUFFER: usize = 8 * 1024;

/// A stream under way.
pub(super) struct ChunkStream {
    body: ResponseBody,
    decoder: Decoder,
    chunks: Chunks,
    out: BytesMut,
    state: State,
    /// What was looked at before anybody asked.
    held: Option<Result<Frame>>,
    patience: Patience,
}

enum State {
    Open,
    /// Failed with frames still to be handed out.
    Failing(Error),
    /// The end mark was seen; the body may still have an end of its own.
    Draining,
    Ended,
}

impl ChunkStream {
    pub(super) fn new(body: ResponseBody, chunks: Chunks, limits: Limits, begun: Instant) -> Self {
        Self {
            body,
            decoder: Decoder::default(),
            chunks,
            out: BytesMut::new(),
            state: State::Open,
            held: None,
            patience: Patience::new(limits, begun),
        }
    }

    /// Waits for the first frame and keeps it; an error in its place is the result. An end in its place is an error.
    pub(super) async fn first(&mut self) -> Result<()> {
        match poll_fn(|cx| self.poll_frames(cx)).await {
            Some(Ok(frame)) => {
                self.held = Some(Ok(frame));
                Ok(())
            }
            Some(Err(error)) => Err(error),
            None => Err(Error::failed("the upstream's stream is empty")),
        }
    }

    fn poll_frames(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Open => self.state = State::Open,
                State::Failing(error) => return Poll::Ready(Some(Err(error))),
                State::Draining => return self.poll_drain(cx),
                State::Ended => return Poll::Ready(None),
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.patience.heard();
                    match self.decoder.push(data) {
                        Ok(()) => self.decode(),
                        Err(_) => self.break_off("an event of the upstream is too large"),
                    }
                }
                Poll::Ready(Some(Err(error))) => self.break_off(error),
                Poll::Ready(None) => self.close(),
                Poll::Pending => match self.patience.poll(cx) {
                    Poll::Ready(error) => self.state = State::Failing(error),
                    Poll::Pending => return Poll::Pending,
                },
            }
            if !self.out.is_empty() {
                let usage = self.chunks.take_usage();
                return Poll::Ready(Some(Ok(Frame { bytes: self.out.split().freeze(), usage })));
            }
        }
    }

    /// Turns the events at hand into frames.
    fn decode(&mut self) {
        while let Some(event) = self.decoder.next_event() {
            if self.out.capacity() < event.frame.len() + 256 {
                self.out.reserve(BUFFER.max(event.frame.len() + 256));
            }
            match self.chunks.push(&event.data, &mut self.out) {
                Ok(Step::More) => {}
                Ok(Step::Done) => {
                    self.state = State::Draining;
                    self.patience.drain();
                    return;
                }
                Err(error) => {
                    self.state = State::Failing(error);
                    return;
                }
            }
        }
    }

    /// The connection broke: whatever was said before, the upstream did not end.
    fn break_off(&mut self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        self.state = State::Failing(Error::failed(error));
    }

    /// The body ended without an end mark: well if a choice had ended, otherwise it was cut.
    fn close(&mut self) {
        if self.decoder.has_rest() {
            // Some servers leave out the last blank line.
            let _small = self.decoder.push(bytes::Bytes::from_static(b"\n\n"));
            self.decode();
            if !matches!(self.state, State::Open) {
                return;
            }
        }
        if self.chunks.has_finished() {
            self.chunks.end(&mut self.out);
            self.state = State::Ended;
        } else {
            self.break_off("the upstream's stream ended before its answer did");
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        // Whatever comes now other than the end is not ours: such a connection is better closed.
        if Pin::new(&mut self.body).poll_frame(cx).is_ready() || self.patience.poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        self.state = State::Draining;
        Poll::Pending
    }
}

impl Stream for ChunkStream {
    type Item = Result<Frame>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        match self.held.take() {
            Some(held) => Poll::Ready(Some(held)),
            None => self.poll_frames(cx),
        }
    }
}

/// How long a stream may be silent, and how long it may last. The timer is looked at only in silence, and set anew only
/// when it fires: a frame costs a flag.
struct Patience {
    timer: Pin<Box<Sleep>>,
    limits: Limits,
    /// When the whole must have ended.
    end: Instant,
    quiet_since: Instant,
    /// The silence allowed now: until the first event more than between events.
    silence: Duration,
    heard: bool,
}

impl Patience {
    fn new(limits: Limits, begun: Instant) -> Self {
        let end = begun + limits.total;
        let first = (begun + limits.first_byte).min(end);
        Self {
            timer: Box::pin(tokio::time::sleep_until(first)),
            limits,
            end,
            quiet_since: begun,
            silence: limits.first_byte,
            heard: false,
        }
    }

    fn heard(&mut self) {
        self.heard = true;
    }

    fn drain(&mut self) {
        self.quiet_since = Instant::now();
        self.silence = DRAIN;
        self.heard = false;
        self.timer.as_mut().reset(self.quiet_since + DRAIN);
    }

    /// Ready with an error when the patience is at its end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if std::mem::take(&mut self.heard) {
            self.quiet_since = Instant::now();
            if self.silence != self.limits.idle {
                // The first event may be waited for longer than the others, or less long.
                self.silence = self.limits.idle;
                let due = self.due();
                self.timer.as_mut().reset(due);
            }
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let due = self.due();
            if due <= Instant::now() {
                let what =
                    if due == self.end { "the upstream's stream takes too long" } else { "the upstream fell silent" };
                return Poll::Ready(Error::Timeout(what.into()));
            }
            self.timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    fn due(&self) -> Instant {
        (self.quiet_since + self.silence).min(self.end)
    }
}
