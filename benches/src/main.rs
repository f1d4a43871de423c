//! Measures the server beside what it could at best be: a bare reverse proxy on the same machine, in
//! the same minutes, in front of the same mock upstream.
//!
//! Figures are ratios and CPU time per request, because absolutes on a shared machine say little.
//! Nothing here is a test: no figure fails a build, and no address but the loopback is ever used.
//!
//! | module | what it is |
//! |---|---|
//! | [`mock`] | a fast OpenAI-compatible upstream |
//! | [`passthrough`] | a reverse proxy without duties: the limit, called P |
//! | [`load`] | closed-loop and open-loop load, streams, hang-ups |
//! | [`process`], [`server`] | the children, their CPU time and memory |
//! | [`cases`], [`rows`] | what is measured, and the goals it is held against |
//! | [`run`], [`soak`], [`start`] | the three things to ask for |
//! | [`auth`] | what it costs to know a caller, without HTTP around it |
//! | [`conversations`] | what conversations cost, small and large |
#![expect(clippy::print_stdout, reason = "a command's result goes to standard output")]

mod accept;
mod auth;
mod cases;
mod clock;
mod conversations;
mod load;
mod mock;
mod passthrough;
mod process;
mod report;
mod requests;
mod rows;
mod run;
mod server;
mod soak;
mod start;

use clap::{Parser, Subcommand};

/// Measures the server beside a bare pass-through.
#[derive(Parser)]
#[command(name = "benches", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Interleaved rounds of direct, pass-through and server; prints the table of goals.
    Run(run::Options),
    /// Mixed load with hang-ups for minutes; memory per minute.
    Soak(soak::Options),
    /// Time from start to ready, memory at rest, size of the binary.
    Start(start::Options),
    /// CPU time from a credential to a verdict, warm and cold, by key and by token.
    Auth(auth::Options),
    /// CPU time and latency of conversations and their items, from few to very many.
    Conversations(conversations::Options),
    /// One kind of load against any loopback address.
    Load(load::Options),
    /// The mock upstream alone.
    Mock(mock::Options),
    /// The bare reverse proxy alone.
    Passthrough(passthrough::Options),
}

fn main() -> anyhow::Result<()> {
    let command = Cli::parse().command;
    // The same runtime for every role, and the one the server uses: one worker for each core.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Run(options) => run::run(options).await,
            Command::Soak(options) => soak::run(options).await,
            Command::Start(options) => start::run(options).await,
            Command::Auth(options) => auth::run(options).await,
            Command::Conversations(options) => conversations::run(options).await,
            Command::Load(options) => load::run(options).await,
            Command::Mock(options) => mock::run(options).await,
            Command::Passthrough(options) => passthrough::run(options).await,
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
