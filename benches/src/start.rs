//! How long the server takes from its start to its first answer, on a new data directory and on an
//! existing one; what it holds in memory at rest; how large it is.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::process::{self, Process};
use crate::report;
use crate::rows::median;
use crate::server::{self, Program};

/// Memory is read so long after readiness.
pub(crate) const SETTLING: Duration = Duration::from_secs(2);

/// How often, and which server.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: server::Options,
    /// Starts of each kind.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    times: u32,
}

/// What was found; times are medians, in seconds.
#[derive(Serialize, Clone, Debug, Default)]
pub(crate) struct Starts {
    /// On a directory that a server has used before.
    pub existing_s: Option<f64>,
    /// On an empty directory: the database is made and all migrations run.
    pub new_s: Option<f64>,
    /// Each start on an existing directory.
    pub existing_all_s: Vec<f64>,
    /// Each start on an empty one.
    pub new_all_s: Vec<f64>,
    /// Resident memory two seconds after the last start, in MB.
    pub rest_mb: Option<f64>,
    /// Size of the binary, in MB.
    pub binary_mb: f64,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let program = Program::find(options.server).await?;
    let (_mock, upstream) = Process::role(&["mock"]).await?;
    let starts = measure(&program, upstream, options.times).await?;
    println!("{}", serde_json::to_string_pretty(&starts)?);
    Ok(())
}

/// Starts and stops the server, `times` times on a new directory and each time once more on the same.
pub(crate) async fn measure(program: &Program, upstream: SocketAddr, times: u32) -> anyhow::Result<Starts> {
    let mut starts = Starts { binary_mb: program.size()? as f64 / 1e6, ..Starts::default() };
    for time in 1..=times {
        let data = tempfile::tempdir()?;
        let server = program.start(data.path(), upstream).await?;
        starts.new_all_s.push(server.ready_after().as_secs_f64());
        server.stop().await?;
        let server = program.start(data.path(), upstream).await?;
        starts.existing_all_s.push(server.ready_after().as_secs_f64());
        if time == times {
            tokio::time::sleep(SETTLING).await;
            starts.rest_mb = Some(report::megabytes(process::memory(server.pid())?.rss_kb));
        }
        server.stop().await?;
    }
    let middle = |times: &[f64]| {
        let mut sorted = times.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        median(&sorted)
    };
    starts.new_s = middle(&starts.new_all_s);
    starts.existing_s = middle(&starts.existing_all_s);
    Ok(starts)
}
