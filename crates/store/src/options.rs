//! Which database, and how many connections to it.

use std::path::{Path, PathBuf};

use domain::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

/// Where the data is kept.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseOptions {
    /// `postgres://user:password@host/name` or `sqlite://path`; without it the SQLite file at `path`. It may hold a
    /// password.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub url: Option<Secret>,
    /// The SQLite file, where `url` names no database. Made when absent, together with its directory.
    pub path: PathBuf,
    /// When a change to the SQLite file counts as kept.
    pub synchronous: Synchronous,
    /// Connections at most: to PostgreSQL, or readers of the SQLite file (whose writer is always one).
    pub max_connections: u32,
    /// How long a caller waits for a connection before the database counts as unavailable, in seconds.
    pub acquire_timeout_seconds: u64,
}

/// What an acknowledged change to the SQLite file survives. On PostgreSQL its own `synchronous_commit` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// The end of the process and the loss of power: each commit waits for the disk.
    #[default]
    Full,
    /// The end of the process. When the power is lost the last seconds may be, while the file stays whole.
    Normal,
}

impl Synchronous {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
        }
    }
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self {
            url: None,
            path: PathBuf::from("data/jan.db"),
            synchronous: Synchronous::default(),
            max_connections: 16,
            acquire_timeout_seconds: 5,
        }
    }
}

impl DatabaseOptions {
    /// The SQLite file; none where the database is a PostgreSQL, which may come later than this process.
    pub fn file(&self) -> Option<&Path> {
        match &self.url {
            None => Some(&self.path),
            Some(url) => url.expose().strip_prefix("sqlite://").filter(|path| !path.is_empty()).map(Path::new),
        }
    }
}
