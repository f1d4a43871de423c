//! The load generator: a fixed number of keep-alive connections, driven as fast as they go
//! ([`closed`]), at a given rate ([`open`]), or cut off in the middle ([`abort`]).
//!
//! It talks HTTP/1.1 to loopback addresses and reads every answer to its end; it never retries, so an
//! error is counted where it happened.

pub(crate) mod abort;
pub(crate) mod closed;
pub(crate) mod connection;
pub(crate) mod open;
pub(crate) mod samples;
pub(crate) mod stream;
pub(crate) mod target;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::requests::Size;
use connection::Connection;
use samples::Samples;
use target::{Prepared, Target};

/// One kind of load against one address.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where to, such as 127.0.0.1:8080. Loopback only.
    #[arg(long)]
    address: SocketAddr,
    /// The key to send as a bearer token.
    #[arg(long)]
    key: Option<String>,
    /// The model to ask for; the mock's names say what comes back.
    #[arg(long, default_value = "mock-json")]
    model: String,
    /// Send the agent's body of 67 KB rather than the small one.
    #[arg(long)]
    agent: bool,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=2048))]
    connections: u16,
    /// Requests a second on a schedule, rather than as fast as answers come.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// How long.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    ensure!(options.address.ip().is_loopback(), "only loopback addresses are loaded");
    let target = Target::new(options.address, options.key.as_deref())?;
    let size = if options.agent { Size::Agent } else { Size::Small };
    let request = target.chat(size, &options.model)?;
    let pool = Pool::new(&target, options.connections);
    let length = Duration::from_secs(options.seconds);
    let (outcome, _) = match options.rate {
        Some(rate) => open::run(pool, &request, rate, length).await?,
        None => closed::run(pool, &request, closed::Until::For(length), Duration::ZERO).await?,
    };
    println!("{}", serde_json::to_string_pretty(&outcome.figures())?);
    Ok(())
}

/// A fixed number of connections, opened when first used and again after an error.
pub(crate) struct Pool {
    address: SocketAddr,
    connections: Vec<Option<Connection>>,
}

impl Pool {
    /// `count` connections to `target`, none of them open yet.
    pub(crate) fn new(target: &Target, count: u16) -> Self {
        Self { address: target.address(), connections: (0..count).map(|_| None).collect() }
    }

    /// The connections again, and all outcomes in one, when every worker has ended.
    async fn regather(
        address: SocketAddr,
        mut workers: JoinSet<(Outcome, Option<Connection>)>,
    ) -> anyhow::Result<(Outcome, Self)> {
        let mut all = Outcome::default();
        let mut connections = Vec::with_capacity(workers.len());
        while let Some(worker) = workers.join_next().await {
            let (outcome, connection) = worker?;
            all.merge(outcome);
            connections.push(connection);
        }
        Ok((all, Self { address, connections }))
    }
}

/// What a run of load saw. Durations are in milliseconds.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Exchanges that ended as they should.
    pub requests: u64,
    /// Exchanges that did not: refused, cut, late or malformed.
    pub errors: u64,
    /// The first error's text.
    pub first_error: Option<String>,
    /// Stream chunks received.
    pub events: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Whole exchanges.
    pub latency: Samples,
    /// From the request to the first chunk of a stream.
    pub first: Samples,
    /// From the making of a chunk in the mock to its receipt.
    pub transit: Samples,
}

impl Outcome {
    fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.events += other.events;
        self.latency.merge(other.latency);
        self.first.merge(other.first);
        self.transit.merge(other.transit);
    }

    /// One exchange on a connection, opened here if need be; the connection is given up on an error.
    /// `lead` is how long the request had been due before it was sent.
    async fn exchange(
        &mut self,
        connection: &mut Option<Connection>,
        address: SocketAddr,
        request: &Prepared,
        lead: impl FnOnce() -> Duration,
    ) {
        let result = async {
            if connection.is_none() {
                *connection = Some(Connection::open(address).await?);
            }
            let open = connection.as_mut().ok_or_else(|| anyhow::anyhow!("no connection"))?;
            let due = lead();
            open.exchange(request, &mut self.transit).await.map(|exchange| (due, exchange))
        };
        match result.await {
            Ok((due, exchange)) => {
                self.requests += 1;
                self.events += u64::from(exchange.chunks);
                self.latency.push(due + exchange.whole);
                if request.chunks().is_some() {
                    self.first.push(due + exchange.first);
                }
            }
            Err(error) => {
                *connection = None;
                self.errors += 1;
                self.first_error.get_or_insert_with(|| format!("{error:#}"));
                // A peer that refuses at once must not be asked a million times.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// The figures to report.
    pub(crate) fn figures(&self) -> Figures {
        let seconds = self.elapsed.as_secs_f64();
        Figures {
            requests: self.requests,
            errors: self.errors,
            first_error: self.first_error.clone(),
            seconds,
            rate: self.requests as f64 / seconds,
            events: self.events,
            event_rate: self.events as f64 / seconds,
            latency: self.latency.percentiles(),
            first: self.first.percentiles(),
            transit: self.transit.percentiles(),
        }
    }
}

/// A run of load in figures.
#[derive(Serialize, Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Exchanges that ended as they should.
    pub requests: u64,
    /// Exchanges that did not.
    pub errors: u64,
    /// The first error's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
    /// Length of the run.
    pub seconds: f64,
    /// Good exchanges a second.
    pub rate: f64,
    /// Stream chunks received.
    pub events: u64,
    /// Stream chunks a second.
    pub event_rate: f64,
    /// Whole exchanges, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Percentiles>,
    /// To the first chunk, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Percentiles>,
    /// A chunk's way from the mock, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transit: Option<Percentiles>,
}

pub(crate) use samples::Percentiles;
