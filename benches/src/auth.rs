//! What it costs to know a caller: from a credential to a verdict, without HTTP around it, on a SQLite database in a
//! temporary directory.
//!
//! *Warm* is what a request pays whose caller was there a moment ago, the regular looking again included; *cold* is the
//! first request of each caller. CPU time is that of the whole process, the database's threads included.

use std::time::{Duration, Instant};

use anyhow::Context;
use domain::{Clock, Principal, Secret};
use identity::{Credentials, Identity, NewKey, Options as Settings};
use serde::Serialize;
use store::{DatabaseOptions, Store};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{process, rows::median};

/// Parts of the callers, of which the median counts: other work of the machine comes in bursts.
const PARTS: usize = 5;
/// How long the database has to come to rest.
const SETTLING: Duration = Duration::from_secs(2);

/// How much is measured.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds of the warm measurements.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Callers of each kind.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1_000..=100_000))]
    callers: u32,
}

/// What was found, in microseconds of CPU time for each verdict.
#[derive(Serialize, Clone, Debug)]
struct Costs {
    /// At most 10 is the goal.
    key_warm: f64,
    /// At most 150 is the goal.
    key_cold: f64,
    /// At most 10 is the goal.
    token_warm: f64,
    /// No goal: the signature's verification is part of it.
    token_cold: f64,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite://{}", directory.path().join("jan.db").display());
    let database = DatabaseOptions { url: Some(Secret::new(url)), ..DatabaseOptions::default() };
    let store = Store::open(&database).await?;
    let issuer = "http://127.0.0.1:8080".to_owned();
    let settings = Settings { guest_logins_per_hour: 0, api_keys_per_user: u32::MAX, ..Settings::default() };
    let identity = Identity::open(settings, store.clone(), directory.path(), issuer, Clock::System)?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (background, token) = (identity.clone(), stop.clone());
    tasks.spawn(async move { background.run(token).await });
    tasks.close();

    let (keys, tokens) = callers(&identity, options.callers).await?;
    // What the making of so many rows leaves to do is not to be measured.
    tokio::time::sleep(SETTLING).await;
    let warm = Duration::from_secs(options.seconds);
    let costs = Costs {
        key_cold: cold(&identity, &keys).await?,
        key_warm: hot(&identity, &keys, warm).await?,
        token_cold: cold(&identity, &tokens).await?,
        token_warm: hot(&identity, &tokens, warm).await?,
    };
    println!("{}", serde_json::to_string_pretty(&costs)?);
    stop.cancel();
    tasks.wait().await;
    store.close().await;
    Ok(())
}

/// As many keys, and as many access tokens, as there are to be callers. None of them was used.
async fn callers(identity: &Identity, count: u32) -> anyhow::Result<(Vec<Secret>, Vec<Secret>)> {
    let (mut keys, mut tokens) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let guest = identity.guest_login(None).await?;
        let owner: Principal = Identity::act_as(guest.user);
        let wish = NewKey { name: "bench".to_owned(), ..NewKey::default() };
        keys.push(identity.create_key(&owner, wish).await?.1);
        tokens.push(guest.access_token);
    }
    Ok((keys, tokens))
}

/// The first verdict on each. The note that a key was used is part of it, which a thread beside writes.
async fn cold(identity: &Identity, callers: &[Secret]) -> anyhow::Result<f64> {
    let mut found = Vec::new();
    for part in callers.chunks(callers.len() / PARTS) {
        let before = process::cpu_micros(std::process::id())?;
        for caller in part {
            verdict(identity, caller).await?;
        }
        found.push(per(before, part.len() as u64)?);
    }
    found.sort_by(f64::total_cmp);
    median(&found).context("nobody called")
}

/// Verdicts on a hundred of them, again and again, as the edge asks for them.
async fn hot(identity: &Identity, callers: &[Secret], life: Duration) -> anyhow::Result<f64> {
    let callers = &callers[..callers.len().min(100)];
    let (before, end, mut count) = (process::cpu_micros(std::process::id())?, Instant::now() + life, 0);
    while Instant::now() < end {
        for caller in callers {
            verdict(identity, caller).await?;
            count += 1;
        }
    }
    per(before, count)
}

async fn verdict(identity: &Identity, caller: &Secret) -> anyhow::Result<()> {
    let offered = Credentials { bearer: Some(caller.expose()), api_key: None };
    match identity.cached(offered) {
        Some(verdict) => verdict?,
        // On the heap, as the edge has it.
        None => Box::pin(identity.verify(offered, None)).await?,
    };
    Ok(())
}

fn per(before: u64, count: u64) -> anyhow::Result<f64> {
    let spent = process::cpu_micros(std::process::id())? - before;
    Ok(spent as f64 / count.max(1) as f64)
}
