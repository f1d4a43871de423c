//! The connection pools.
//!
//! A pool keeps one HTTP/2 connection per server, and servers commonly allow about a hundred streams on it;
//! the next request would wait. So there are several pools, lanes, and a request over TLS takes the first one
//! with room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::body::Body;
use crate::connector::Connector;

/// Requests in flight that fill a lane; a little below the usual limit of 100 streams.
const LANE: usize = 96;

/// Pools of keep-alive connections, unbounded in idle connections, bounded in their idle time.
pub(crate) struct Lanes(Vec<Lane>);

struct Lane {
    pool: Pool<Connector, Body>,
    in_flight: Arc<AtomicUsize>,
}

/// A place in a lane; free again when dropped.
#[derive(Debug)]
pub(crate) struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    pub(crate) fn new(count: usize, connector: &Connector, idle: Duration) -> Self {
        let lane = |_| Lane { pool: pool(connector.clone(), idle), in_flight: Arc::default() };
        Self((0..count.max(1)).map(lane).collect())
    }

    /// The pool to use. When every lane is full, the least busy one, whose connection then queues.
    pub(crate) fn pick(&self) -> (&Pool<Connector, Body>, Busy) {
        let load = |lane: &Lane| lane.in_flight.load(Ordering::Relaxed);
        let first = &self.0[0];
        let free = self.0.iter().find(|lane| load(lane) < LANE);
        let lane = free.or_else(|| self.0.iter().min_by_key(|lane| load(lane))).unwrap_or(first);
        lane.in_flight.fetch_add(1, Ordering::Relaxed);
        (&lane.pool, Busy(Arc::clone(&lane.in_flight)))
    }
}

fn pool(connector: Connector, idle: Duration) -> Pool<Connector, Body> {
    Pool::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(idle)
        // A dead HTTP/2 connection would otherwise take every stream on it down silently.
        .http2_keep_alive_interval(Duration::from_secs(30))
        .http2_keep_alive_timeout(Duration::from_secs(10))
        .build(connector)
}
