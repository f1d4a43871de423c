//! Hang-ups: clients that leave in the middle of an answer. What counts is how soon the upstream, at
//! the far end, is let go.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::Method;
use serde::Serialize;
use tokio::task::JoinSet;

use super::connection::Connection;
use super::target::{Prepared, Target};
use crate::mock::Stats;

/// How long clients stay, and how long the upstream is watched after they left.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long answers may be left over from before: the mock's slowest takes 30 seconds.
const QUIET: Duration = Duration::from_secs(40);
/// What the goals call letting go in time.
const IN_TIME: Duration = Duration::from_secs(1);

/// What became of a crowd that hung up at one moment.
#[derive(Serialize, Clone, Copy, Debug)]
pub(crate) struct HangUps {
    /// Clients that left.
    pub clients: u64,
    /// Upstream answers let go within a second.
    pub released_in_time: u64,
    /// Until the last was let go; `None` if it had not happened after ten seconds.
    pub all_released_ms: Option<f64>,
}

impl HangUps {
    /// The share let go in time, from 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        self.released_in_time as f64 / self.clients as f64
    }
}

/// `clients` begin the same request, wait until the mock works on all of them, and leave together.
pub(crate) async fn hang_up(
    target: &Target,
    request: &Prepared,
    clients: u64,
    mock: SocketAddr,
) -> anyhow::Result<HangUps> {
    quiet(mock).await?;
    let address = target.address();
    let mut crowd: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for _ in 0..clients {
        let request = request.clone();
        crowd.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let chunks = u32::from(request.chunks().is_some());
            connection.begin(&request, chunks, PATIENCE).await?;
            bail!("the others did not arrive in time")
        });
    }
    while stats(mock).await?.active < clients {
        // A client ends by itself only when something went wrong.
        if let Some(ended) = crowd.try_join_next() {
            ended?.context("a client could not begin")?;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    crowd.shutdown().await;

    let left = Instant::now();
    let mut hang_ups = HangUps { clients, released_in_time: 0, all_released_ms: None };
    while left.elapsed() < PATIENCE {
        let waiting = stats(mock).await?.active;
        if left.elapsed() <= IN_TIME {
            hang_ups.released_in_time = clients.saturating_sub(waiting);
        }
        if waiting == 0 {
            hang_ups.all_released_ms = Some(left.elapsed().as_secs_f64() * 1e3);
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(hang_ups)
}

/// Waits until the mock works on nothing, so that what is counted next is nobody else's.
pub(crate) async fn quiet(mock: SocketAddr) -> anyhow::Result<()> {
    let started = Instant::now();
    while stats(mock).await?.active > 0 {
        ensure!(started.elapsed() < QUIET, "the mock is still at work after {QUIET:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// What the mock has seen so far.
pub(crate) async fn stats(mock: SocketAddr) -> anyhow::Result<Stats> {
    let request = Target::new(mock, None)?.prepare(Method::GET, "/stats", Bytes::new(), None)?;
    let (_, stats) = Connection::open(mock).await?.json(&request).await?;
    serde_json::from_value(stats).context("the mock's stats are not what they should be")
}
