//! Which database, and how many connections to it.

use std::path::PathBuf;

use domain::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

/// Where the data is kept.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseOptions {
    /// `postgres://user:password@host/name` or `sqlite://path`; without it the SQLite file at `path`. A secret: it
    /// may hold a password.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub url: Option<Secret>,
    /// The SQLite file, where `url` names no database. Made when absent, together with its directory.
    pub path: PathBuf,
    /// Connections at most: to PostgreSQL, or readers of the SQLite file (whose writer is always one).
    pub max_connections: u32,
    /// How long a caller waits for a connection before the database counts as unavailable, in seconds.
    pub acquire_timeout_seconds: u64,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self { url: None, path: PathBuf::from("data/jan.db"), max_connections: 16, acquire_timeout_seconds: 5 }
    }
}
