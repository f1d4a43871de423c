//! `jan-server`: reads configuration, builds each part once, mounts the services asked for.
//!
//! Parsing and dispatching is all that happens here. `services.rs` lists what can run, `parts.rs` builds what the
//! services share and hands each its state, `lifecycle.rs` ends it all in order.

mod cli;
mod client;
mod commands;
mod config;
mod data;
mod hint;
mod lifecycle;
mod parts;
#[cfg(feature = "embedded")]
mod progress;
mod services;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use commands::{print, say};
use config::Problems;

/// A request's larger pieces, its futures and buffers, are beyond what the C library keeps at hand for each thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A wrong command line or configuration, as clap has it.
const MISUSE: u8 = 2;

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = if error.is::<Problems>() { MISUSE } else { 1 };
            say(&format!("jan-server: {error:#}"));
            ExitCode::from(code)
        }
    }
}

fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(serve) => commands::serve::run(serve),
        Command::Env(env) => commands::env::run(env),
        Command::Model(model) => commands::model::run(model),
        Command::Config(config) => commands::config::run(config),
        Command::Key(key) => commands::key::run(key),
        Command::SigningKey(key) => commands::signing_key::run(key),
        Command::User(user) => commands::user::run(user),
        Command::Export(export) => commands::transfer::export(export),
        Command::Import(import) => commands::transfer::import(import),
        Command::Migrate(common) => commands::migrate::run(common),
        Command::Healthcheck(check) => commands::healthcheck::run(check),
        Command::Openapi { service } => commands::openapi::run(*service),
        Command::Version => print(concat!("jan-server ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Docs { page } => commands::docs::run(*page),
    }
}
