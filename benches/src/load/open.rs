//! Open loop: requests are due on a schedule, whether or not earlier ones are answered, and latency
//! counts from when a request was due. A server that stalls is charged for everyone who waited, which
//! a closed loop hides (“coordinated omission”).
//!
//! Requests become due at whole milliseconds, the timer's grain, so up to a millisecond of lateness is
//! in every figure, for all servers alike: compare them, do not read them as absolutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::target::Prepared;
use super::{Outcome, Pool};

/// Sends `rate` requests a second for `length`. The pool's connections take the next due request each
/// as they become free; when all are busy, requests wait and their waiting counts.
pub(crate) async fn run(
    pool: Pool,
    request: &Prepared,
    rate: u32,
    length: Duration,
) -> anyhow::Result<(Outcome, Pool)> {
    let address = pool.address;
    let total = (f64::from(rate) * length.as_secs_f64()) as u32;
    let interval = Duration::from_secs(1) / rate;
    let next = Arc::new(AtomicU32::new(0));
    let started = Instant::now();
    let mut workers = JoinSet::new();
    for mut connection in pool.connections {
        let (request, next) = (request.clone(), next.clone());
        workers.spawn(async move {
            let mut outcome = Outcome::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= total {
                    return (outcome, connection);
                }
                let due = started + interval * number;
                tokio::time::sleep_until(due).await;
                outcome.exchange(&mut connection, address, &request, || due.elapsed()).await;
            }
        });
    }
    let (mut all, pool) = Pool::regather(address, workers).await?;
    all.elapsed = started.elapsed();
    Ok((all, pool))
}
