//! Commands of this repository, run as `cargo xtask COMMAND`. Nothing needs to be installed first.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to the person who runs it")]

mod bench;
mod cache;
mod check;
mod debian;
mod floors;
mod generate;
mod new_service;
mod node;
mod process;
mod python;
mod test;
mod tidy;
mod tree;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Commands of this repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs every test there is, and gets what they need: PostgreSQL, the SDKs, the models. What cannot run fails.
    Test,
    /// Checks formatting, lints, the rules of the house, and that generated files are up to date.
    Check,
    /// Checks the rules of the house alone.
    Tidy,
    /// Writes the generated files: openapi/, docs/reference/, config/.
    Generate,
    /// Makes something new from the smallest complete one.
    #[command(subcommand)]
    New(New),
    /// Runs the benchmarks; further arguments are theirs.
    Bench {
        /// Arguments of the benchmarks.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[derive(Subcommand)]
enum New {
    /// A service, as a copy of the Template API that is mounted beside it.
    Service {
        /// Its name, such as `audit-api`.
        name: String,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Test => test::run(),
        Command::Check => check::run(),
        Command::Tidy => tidy::run(),
        Command::Generate => generate::run(),
        Command::New(New::Service { name }) => new_service::run(&tree::root(), &name),
        Command::Bench { arguments } => bench::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
