//! What the command line can do: one file for each command.

pub(crate) mod access;
pub(crate) mod config;
pub(crate) mod docs;
pub(crate) mod env;
pub(crate) mod healthcheck;
pub(crate) mod key;
pub(crate) mod migrate;
pub(crate) mod model;
pub(crate) mod openapi;
pub(crate) mod serve;
pub(crate) mod signing_key;
pub(crate) mod transfer;
pub(crate) mod user;

use std::io::Write;

use anyhow::Context;
use domain::{
    Clock,
    audit::{Actor, Origin},
};
use identity::Identity;
use store::{DatabaseOptions, Store, StoreError};

use crate::{cli::Common, data, parts};

/// Writes a command's result. Who reads it may have heard enough: a closed pipe is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

/// Writes a line for the person in front of it.
pub(crate) fn say(text: &str) {
    // Standard error that is closed has no reader.
    _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// What came of opening a database; of a file, an error says which one.
pub(crate) fn of_file<T>(database: &DatabaseOptions, done: Result<T, StoreError>) -> anyhow::Result<T> {
    match database.file() {
        Some(file) => done.with_context(|| format!("the database {}", file.display())),
        None => Ok(done?),
    }
}

/// The database and who knows its users, for a command that works beside a running server or without one.
pub(crate) async fn open(common: &Common) -> anyhow::Result<(Store, Identity)> {
    let config = crate::config::load(common.sources(Vec::new()))?.config;
    data::make(&config.server.data_dir)?;
    let store = of_file(&config.database, Store::open(&config.database).await)?;
    let identity = parts::identity(&config, &store, &Clock::System)?;
    let origin = Origin { actor: Actor::CommandLine, ..Origin::default() };
    Ok((store, identity.acting(origin)))
}

/// A runtime for a command that asks the network or the database.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
