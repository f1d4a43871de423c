//! What a connection is doing, as seen at its socket and at its requests, so that one watchdog can tell a slow head from
//! an idle connection and a long stream from a reader that went away.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use domain::Error;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{ListenerOptions, head::Head};
use crate::body::EdgeBody;

/// A connection's state. Moments are milliseconds since the connection was made, plus one; 0 is "not now".
pub(super) struct Activity {
    max_head: usize,
    made: Instant,
    /// Requests whose answers have not ended.
    busy: AtomicUsize,
    /// Since when there has been no request; at first since the connection was made.
    idle_since: AtomicU64,
    /// Whether there ever was a request.
    served: AtomicBool,
    /// Whether the connection speaks HTTP/2.
    multiplexed: AtomicBool,
    /// When the first byte of an unfinished head came.
    head_since: AtomicU64,
    /// Since when the client takes nothing.
    stuck_since: AtomicU64,
    /// Whether the last request was answered without its body having been read to the end.
    unread: AtomicBool,
    /// The head that is being read.
    head: Head,
    /// Since when the connection only waits for the client to take in the last answer.
    lingering_since: AtomicU64,
}

/// How long a client that is still sending may go on after the answer, in seconds.
const LINGER: u64 = 5;

impl Activity {
    pub(super) fn new(options: &ListenerOptions) -> Self {
        Self {
            max_head: options.max_head_bytes,
            made: Instant::now(),
            busy: AtomicUsize::new(0),
            idle_since: AtomicU64::new(1),
            served: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            head_since: AtomicU64::new(0),
            stuck_since: AtomicU64::new(0),
            unread: AtomicBool::new(false),
            head: Head::default(),
            lingering_since: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// A request is there; it is being served until the result is dropped.
    pub(super) fn begin(self: &Arc<Self>, version: Version) -> Busy {
        self.busy.fetch_add(1, Relaxed);
        self.multiplexed.store(version == Version::HTTP_2, Relaxed);
        self.head_since.store(0, Relaxed);
        self.unread.store(false, Relaxed);
        self.served.store(true, Relaxed);
        Busy(Arc::clone(self))
    }

    /// When to look again; `None` when the connection has waited too long for something.
    pub(super) fn next_check(&self, options: &ListenerOptions, is_draining: bool) -> Option<Instant> {
        let now = self.now();
        let stuck = self.stuck_since.load(Relaxed);
        let lingering = self.lingering_since.load(Relaxed);
        let (since, limit) = if lingering != 0 {
            (lingering, LINGER)
        } else if stuck != 0 {
            (stuck, options.write_timeout)
        } else if self.busy.load(Relaxed) > 0 {
            // What a request waits for is bounded where it is served.
            return Some(Instant::now() + Duration::from_secs(options.write_timeout.clamp(1, 5)));
        } else {
            match (self.head_since.load(Relaxed), self.served.load(Relaxed)) {
                (0, false) if is_draining => return None,
                (0, false) => (1, options.first_byte_timeout),
                (0, true) => (self.idle_since.load(Relaxed), options.idle_timeout),
                (head, _) => (head, options.header_timeout),
            }
        };
        let due = since + limit.saturating_mul(1_000);
        // A connection that was idle when the timer was set may since have begun a head: looking every few seconds is
        // exact enough and costs one timer.
        let step = Duration::from_millis(due.saturating_sub(now).clamp(10, 5_000));
        (now < due).then(|| Instant::now() + step)
    }

    pub(super) fn read(&self, bytes: &[u8]) {
        // On HTTP/2 other frames than a request's come and go between requests.
        if self.multiplexed.load(Relaxed) {
            return;
        }
        if self.busy.load(Relaxed) > 0 {
            self.head.miss();
            return;
        }
        let is_first = self.head_since.load(Relaxed) == 0;
        if is_first {
            self.head_since.store(self.now(), Relaxed);
        }
        self.head.add(bytes, is_first, self.unread.load(Relaxed), self.max_head);
    }

    /// Whether the head of a request that has begun can be read in one way only.
    pub(super) fn check_head(&self, request: &Request<Incoming>) -> Result<(), Error> {
        if request.version() == Version::HTTP_2 { Ok(()) } else { self.head.check(request.headers()) }
    }

    /// Whether the library may be answering a head that it could not read: there is one, and no request came of it.
    pub(super) fn has_bad_head(&self) -> bool {
        self.busy.load(Relaxed) == 0 && self.head_since.load(Relaxed) != 0
    }

    /// Whether a client is to be given time to take in its answer; notes that it now gets it.
    pub(super) fn linger(&self) -> bool {
        let is_needed = self.unread.load(Relaxed) && !self.multiplexed.load(Relaxed);
        if is_needed && self.lingering_since.load(Relaxed) == 0 {
            self.lingering_since.store(self.now(), Relaxed);
        }
        is_needed
    }

    pub(super) fn wrote(&self, is_stuck: bool) {
        let stuck = self.stuck_since.load(Relaxed);
        if is_stuck && stuck == 0 {
            self.stuck_since.store(self.now(), Relaxed);
        } else if !is_stuck && stuck != 0 {
            self.stuck_since.store(0, Relaxed);
        }
    }
}

/// A request in service.
pub(super) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.idle_since.store(self.0.now(), Relaxed);
        self.0.busy.fetch_sub(1, Relaxed);
    }
}

/// An answer's body that keeps its request in service until it ends.
pub(super) struct Observed {
    body: EdgeBody,
    _busy: Busy,
}

impl Observed {
    pub(super) fn new(body: EdgeBody, busy: Busy) -> Self {
        Self { body, _busy: busy }
    }
}

impl Body for Observed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request's body that notes whether it was read to its end.
pub(super) struct Arriving {
    body: Incoming,
    activity: Arc<Activity>,
    ended: bool,
}

impl Arriving {
    pub(super) fn new(body: Incoming, activity: &Arc<Activity>) -> Self {
        Self { body, activity: Arc::clone(activity), ended: false }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.ended = matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.activity.unread.store(true, Relaxed);
        }
    }
}
