//! Closed loop: every connection sends its next request when the last one is answered. Says what a
//! server can do at most, and what it costs; its latencies are those of a server at its limit.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::target::{Prepared, Target};
use super::{Outcome, Pool};

/// When a connection stops.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// No request is begun after this time; those under way are finished.
    For(Duration),
    /// So many requests for each connection.
    Times(u32),
}

/// Drives all connections; connection number i begins `i × stagger` later than the first. The pool
/// comes back with its connections open.
pub(crate) async fn run(
    pool: Pool,
    request: &Prepared,
    until: Until,
    stagger: Duration,
) -> anyhow::Result<(Outcome, Pool)> {
    let started = Instant::now();
    let address = pool.address;
    let mut workers = JoinSet::new();
    for (index, mut connection) in (0..).zip(pool.connections) {
        let request = request.clone();
        workers.spawn(async move {
            let mut outcome = Outcome::default();
            if !stagger.is_zero() {
                tokio::time::sleep(stagger * index).await;
            }
            let mut times = 0;
            while match until {
                Until::For(length) => started.elapsed() < length,
                Until::Times(limit) => times < limit,
            } {
                outcome.exchange(&mut connection, address, &request, || Duration::ZERO).await;
                times += 1;
            }
            (outcome, connection)
        });
    }
    let (mut all, pool) = Pool::regather(address, workers).await?;
    all.elapsed = started.elapsed();
    Ok((all, pool))
}

/// A connection for each list of requests, which it sends from first to last, `times` times.
pub(crate) async fn each(target: &Target, lists: Vec<Vec<Prepared>>, times: u32) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let address = target.address();
    let mut workers = JoinSet::new();
    for list in lists {
        workers.spawn(async move {
            let (mut outcome, mut connection) = (Outcome::default(), None);
            for _ in 0..times {
                for request in &list {
                    outcome.exchange(&mut connection, address, request, || Duration::ZERO).await;
                }
            }
            (outcome, connection)
        });
    }
    let (mut all, _) = Pool::regather(address, workers).await?;
    all.elapsed = started.elapsed();
    Ok(all)
}
