//! The whole comparison: the mock, the pass-through and the server as children, rounds in which they
//! take turns, then what is measured once, then the tables.
//!
//! Turns matter more than length: a machine's mood changes within minutes, and a ratio is only worth
//! something between neighbours.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;

use crate::cases::{self, Case, Pace, Round, Subject};
use crate::load::abort;
use crate::load::target::Target;
use crate::passthrough;
use crate::process::{self, Process};
use crate::report::{Report, megabytes};
use crate::requests::Size;
use crate::rows::{Once, ROWS};
use crate::server::{self, Program};
use crate::soak;
use crate::start;

/// Clients that hang up together.
const CROWD: u64 = 32;

/// What to measure, and for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: server::Options,
    /// Measure the pass-through alone: what this machine can do, and how quiet it is.
    #[arg(long)]
    without_server: bool,
    /// Rounds; the median of their ratios counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// Rows of the table to fill.
    #[arg(long, value_delimiter = ',', default_values_t = ROWS)]
    rows: Vec<u8>,
    /// Seconds of each measure.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Requests a second in the open loop.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    open_rate: u32,
    /// Starts of each kind for row 12.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    starts: u32,
    /// Minutes of soak for the growth in row 11; none by default.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=240))]
    soak_minutes: u16,
    /// Where to write all figures as JSON. By default beside this program.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    for row in &options.rows {
        ensure!(ROWS.contains(row), "row {row} is not measured here; there are {ROWS:?}");
    }
    let wanted = |row: u8| options.rows.contains(&row);
    let program = if options.without_server { None } else { Some(Program::find(options.server.clone()).await?) };
    let (mock, upstream) = Process::role(&["mock"]).await?;
    let (proxy, proxy_address) = passthrough::child(upstream).await?;
    let data = tempfile::tempdir()?;
    let server = match &program {
        Some(program) => Some(program.start(data.path(), upstream).await?),
        None => None,
    };

    let mut once = Once::default();
    let mut contest = Contest { entrants: Vec::new(), family: vec![std::process::id(), mock.pid(), proxy.pid()] };
    contest.enter(Subject::Direct, Target::new(upstream, None)?, mock.pid());
    contest.enter(Subject::Passthrough, Target::new(proxy_address, None)?, proxy.pid());
    if let Some(server) = &server {
        tokio::time::sleep(start::SETTLING).await;
        once.idle_mb = Some(megabytes(process::memory(server.pid())?.rss_kb));
        contest.enter(Subject::Server, server.target().await?, server.pid());
        contest.family.push(server.pid());
    }

    let pace = Pace { window: Duration::from_secs(options.seconds), open_rate: options.open_rate };
    let mut rounds = Vec::new();
    for number in 1..=options.rounds {
        println!("round {number} of {}", options.rounds);
        rounds.push(contest.round(&options.rows, pace).await?);
        contest.entrants.rotate_left(1);
    }
    // What follows may fail without taking the rounds with it.
    let mut failures = Vec::new();
    if wanted(10) {
        println!("hang-ups");
        for entrant in contest.entrants.iter().filter(|entrant| entrant.subject != Subject::Direct) {
            for (kind, model) in [("json", "mock-slow"), ("sse", "mock-st2000-p5")] {
                let request = entrant.target.chat(Size::Small, model)?;
                match abort::hang_up(&entrant.target, &request, CROWD, upstream).await {
                    Ok(hang_ups) => once.hang_ups.push((entrant.subject, kind, hang_ups)),
                    Err(error) => {
                        failures.push(format!("hang-ups, {kind}, {:?}: {error:#}", entrant.subject));
                    }
                }
            }
        }
    }
    if wanted(11) {
        for entrant in contest.entrants.iter().filter(|entrant| entrant.subject != Subject::Direct) {
            match process::memory(entrant.pid) {
                Ok(memory) => once.peak_mb.push((entrant.subject, megabytes(memory.peak_kb))),
                Err(error) => failures.push(format!("memory, {:?}: {error:#}", entrant.subject)),
            }
        }
        let soaked = contest.entrants.iter().find(|entrant| entrant.subject == Subject::Server);
        if let (Some(server), 1..) = (soaked, options.soak_minutes) {
            println!("soak");
            match soak::soak(&server.target, server.pid, upstream, options.soak_minutes).await {
                Ok(growth) => once.soak = Some(growth),
                Err(error) => failures.push(format!("soak: {error:#}")),
            }
        }
    }
    if let Some(server) = server
        && let Err(error) = server.stop().await
    {
        failures.push(format!("stopping the server: {error:#}"));
    }
    if let Some(program) = program.filter(|_| wanted(12) || wanted(14)) {
        println!("starts");
        match start::measure(&program, upstream, options.starts).await {
            Ok(starts) => once.starts = Some(starts),
            Err(error) => failures.push(format!("starts: {error:#}")),
        }
    }

    let cores = std::thread::available_parallelism()?.get();
    let report = Report { cores, rows: options.rows, rounds, once, failures };
    println!("\n{}", report.markdown()?);
    println!("All figures: {}", report.write(options.json)?.display());
    Ok(())
}

/// Those who take turns.
struct Contest {
    entrants: Vec<Entrant>,
    /// All processes of this run, to tell them from others on the machine.
    family: Vec<u32>,
}

struct Entrant {
    subject: Subject,
    target: Target,
    pid: u32,
}

impl Contest {
    fn enter(&mut self, subject: Subject, target: Target, pid: u32) {
        self.entrants.push(Entrant { subject, target, pid });
    }

    /// Each case that the rows need, each entrant in turn.
    async fn round(&self, rows: &[u8], pace: Pace) -> anyhow::Result<Round> {
        let mut round = Round::new();
        for case in Case::ALL {
            if !case.rows().iter().any(|row| rows.contains(row)) {
                continue;
            }
            for entrant in &self.entrants {
                let measure = cases::measure(case, pace, &entrant.target, entrant.pid, &self.family).await?;
                println!(
                    "  {case:?} {:?}: {:.0} requests/s, {:.0} events/s, CPU {:.1} µs, {} errors",
                    entrant.subject,
                    measure.figures.rate,
                    measure.figures.event_rate,
                    measure.cpu_micros,
                    measure.figures.errors
                );
                round.entry(case).or_default().insert(entrant.subject, measure);
            }
        }
        Ok(round)
    }
}
