//! Minutes of mixed load, a third of it clients that hang up, and the memory of the subject minute by
//! minute. Growth after the second minute is what a leak looks like; caches and pools have filled by
//! then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::task::JoinSet;

use crate::load::abort;
use crate::load::connection::Connection;
use crate::load::samples::Samples;
use crate::load::target::{Prepared, Target};
use crate::passthrough;
use crate::process::{self, Memory, Process};
use crate::report::megabytes;
use crate::requests::Size;
use crate::server::{self, Program};

/// Clients at work at a time.
const CLIENTS: u64 = 24;
/// Between two looks at the memory.
const SAMPLE: Duration = Duration::from_secs(5);
/// A pause of each client between two exchanges: the soak is about memory, not about speed.
const PAUSE: Duration = Duration::from_millis(10);
/// Minutes that caches and pools may take to fill.
const FILLING: usize = 2;

/// How long, and what.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: server::Options,
    /// Soak the bare pass-through instead of the server.
    #[arg(long)]
    passthrough: bool,
    /// How long.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=240))]
    minutes: u16,
}

/// A minute of the soak.
#[derive(Serialize, Clone, Debug)]
pub(crate) struct Minute {
    /// Mean resident memory, in MB.
    pub rss_mb: f64,
    /// Most open descriptors.
    pub descriptors: usize,
    /// Good exchanges so far.
    pub requests: u64,
    /// Hang-ups so far.
    pub hang_ups: u64,
    /// Failed exchanges so far.
    pub errors: u64,
}

/// What a soak came to.
#[derive(Serialize, Clone, Debug)]
pub(crate) struct Growth {
    /// Minute by minute.
    pub minutes: Vec<Minute>,
    /// From the mean of minute three to the mean of the last; `None` for a soak too short to tell.
    pub grown_mb: Option<f64>,
    /// Answers that the mock was still busy with a moment after the last client had left.
    pub left_behind: u64,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let (_mock, upstream) = Process::role(&["mock"]).await?;
    let growth = if options.passthrough {
        let (proxy, address) = passthrough::child(upstream).await?;
        soak(&Target::new(address, None)?, proxy.pid(), upstream, options.minutes).await?
    } else {
        let program = Program::find(options.server).await?;
        let data = tempfile::tempdir()?;
        let server = program.start(data.path(), upstream).await?;
        let growth = soak(&server.target().await?, server.pid(), upstream, options.minutes).await?;
        server.stop().await?;
        growth
    };
    println!("{}", serde_json::to_string_pretty(&growth)?);
    Ok(())
}

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    hang_ups: AtomicU64,
    errors: AtomicU64,
}

/// Soaks a target whose process is `pid`.
pub(crate) async fn soak(target: &Target, pid: u32, mock: SocketAddr, minutes: u16) -> anyhow::Result<Growth> {
    abort::quiet(mock).await?;
    let requests = Arc::new(Requests::prepare(target)?);
    let counters = Arc::new(Counters::default());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client(number, target.address(), requests.clone(), counters.clone()));
    }
    println!("minute  RSS MB  descriptors  requests  hang-ups  errors");
    let mut seen = Vec::new();
    for number in 1..=minutes {
        let minute = watch(pid, &counters).await?;
        println!(
            "{number:>6} {:>7.1} {:>12} {:>9} {:>9} {:>7}",
            minute.rss_mb, minute.descriptors, minute.requests, minute.hang_ups, minute.errors
        );
        seen.push(minute);
    }
    clients.shutdown().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(Growth {
        grown_mb: seen
            .get(FILLING..)
            .filter(|rest| rest.len() > 1)
            .and_then(|rest| Some(rest.last()?.rss_mb - rest.first()?.rss_mb)),
        minutes: seen,
        left_behind: abort::stats(mock).await?.active,
    })
}

async fn watch(pid: u32, counters: &Counters) -> anyhow::Result<Minute> {
    let started = Instant::now();
    let mut samples: Vec<Memory> = Vec::new();
    while started.elapsed() < Duration::from_mins(1) {
        tokio::time::sleep(SAMPLE).await;
        samples.push(process::memory(pid)?);
    }
    Ok(Minute {
        rss_mb: samples.iter().map(|memory| megabytes(memory.rss_kb)).sum::<f64>() / samples.len() as f64,
        descriptors: samples.iter().map(|memory| memory.descriptors).max().unwrap_or_default(),
        requests: counters.requests.load(Ordering::Relaxed),
        hang_ups: counters.hang_ups.load(Ordering::Relaxed),
        errors: counters.errors.load(Ordering::Relaxed),
    })
}

/// What the clients ask for.
struct Requests {
    small: Prepared,
    agent: Prepared,
    stream: Prepared,
    slow: Prepared,
    long: Prepared,
}

impl Requests {
    fn prepare(target: &Target) -> anyhow::Result<Self> {
        Ok(Self {
            small: target.chat(Size::Small, "mock-json")?,
            agent: target.chat(Size::Agent, "mock-json")?,
            stream: target.chat(Size::Small, "mock-st64")?,
            slow: target.chat(Size::Agent, "mock-slow")?,
            long: target.chat(Size::Small, "mock-st2000-p5")?,
        })
    }
}

/// One client after the other, for ever: two small requests, a large one and a stream read to the end,
/// then one that leaves before its answer and one that leaves within its stream.
async fn client(number: u64, address: SocketAddr, requests: Arc<Requests>, counters: Arc<Counters>) {
    let mut open = None;
    let mut unread = Samples::default();
    for turn in number.. {
        let (request, leaves_after) = match turn % 6 {
            0 | 1 => (&requests.small, None),
            2 => (&requests.agent, None),
            3 => (&requests.stream, None),
            4 => (&requests.slow, Some(Duration::from_millis(turn * 37 % 200))),
            _ => (&requests.long, Some(Duration::from_millis(turn * 53 % 400))),
        };
        let result = async {
            let connection = match open.take() {
                Some(connection) => open.insert(connection),
                None => open.insert(Connection::open(address).await?),
            };
            match leaves_after {
                None => connection.exchange(request, &mut unread).await.map(drop),
                Some(wait) => connection.begin(request, u32::MAX, wait).await,
            }
        };
        let counter = match (result.await, leaves_after) {
            (Ok(()), None) => &counters.requests,
            (Ok(()), Some(_)) => {
                open = None;
                &counters.hang_ups
            }
            (Err(_), _) => {
                open = None;
                &counters.errors
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        unread = Samples::default();
        tokio::time::sleep(PAUSE).await;
    }
}
