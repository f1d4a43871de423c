//! The one place that knows two drivers: opening, settings of a connection, pools.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::PathBuf, str::FromStr, time::Duration};

use sqlx::{
    Connection as _, Database, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction,
    pool::{PoolConnection, PoolOptions},
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    DatabaseOptions, StoreError,
    writer::{Turn, Writer},
};

/// How long SQLite waits for another process's write before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The pools of an open database.
#[derive(Debug)]
pub(crate) enum Engine {
    Sqlite {
        file: PathBuf,
        /// SQLite has one writer, and waiting in our queue is fair where its busy handler is not.
        write: Writer,
        read: SqlitePool,
    },
    Postgres(PgPool),
}

/// A connection that is held.
pub(crate) enum Held {
    Sqlite(PoolConnection<Sqlite>),
    SqliteTx(Turn),
    Postgres(PoolConnection<Postgres>),
    PostgresTx(Transaction<'static, Postgres>),
}

/// A connection that is lent to one statement.
pub(crate) enum Conn<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

impl Held {
    pub(crate) fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(held) => Conn::Sqlite(held),
            Self::SqliteTx(turn) => Conn::Sqlite(turn.conn()),
            Self::Postgres(held) => Conn::Postgres(held),
            Self::PostgresTx(held) => Conn::Postgres(held),
        }
    }
}

/// Runs one body against whichever driver is open; the body is compiled for each.
macro_rules! on {
    ($reader:expr, $c:ident => $body:expr) => {
        match $reader.conn() {
            $crate::engine::Conn::Sqlite($c) => $body,
            $crate::engine::Conn::Postgres($c) => $body,
        }
    };
}
pub(crate) use on;

impl Engine {
    /// Prepares the pools; the first use opens the first connection.
    pub(crate) fn prepare(options: &DatabaseOptions) -> Result<Self, StoreError> {
        let wait = Duration::from_secs(options.acquire_timeout_seconds);
        let size = options.max_connections.max(1);
        if let Some(file) = options.file() {
            return Self::sqlite(file.to_owned(), size, wait);
        }
        let url = options.url.as_ref().map_or("", domain::Secret::expose);
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(StoreError::Address(None));
        }
        let connect = PgConnectOptions::from_str(url).map_err(|error| StoreError::Address(Some(error)))?;
        let pool = PoolOptions::new()
            .max_connections(size)
            .acquire_timeout(wait)
            .connect_lazy_with(connect.application_name("jan-server"));
        Ok(Self::Postgres(pool))
    }

    fn sqlite(file: PathBuf, readers: u32, wait: Duration) -> Result<Self, StoreError> {
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)
                .map_err(|source| StoreError::Directory { path: file.clone(), source })?;
        }
        // Made here for its mode, which SQLite gives to the log beside it too: other users of the machine have no
        // business with hashes of passwords. What cannot be made is said by the first connection.
        _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
        let connect = SqliteConnectOptions::new()
            .filename(&file)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            // Readers and the writer do not wait for each other.
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged survives a power cut. NORMAL would spare an fsync for each commit and lose the
            // last ones then.
            .synchronous(SqliteSynchronous::Full);
        Ok(Self::Sqlite {
            file,
            write: Writer::new(connect.clone().create_if_missing(true), wait),
            read: lasting(wait).max_connections(readers).connect_lazy_with(connect.pragma("query_only", "on")),
        })
    }

    pub(crate) async fn read(&self) -> Result<Held, StoreError> {
        Ok(match self {
            Self::Sqlite { read, .. } => Held::Sqlite(read.acquire().await?),
            Self::Postgres(pool) => Held::Postgres(pool.acquire().await?),
        })
    }

    pub(crate) async fn write(&self) -> Result<Held, StoreError> {
        Ok(match self {
            Self::Sqlite { write, .. } => Held::SqliteTx(write.begin().await?),
            Self::Postgres(pool) => Held::PostgresTx(pool.begin().await?),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { write, read, .. } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A pool that keeps its connections: the last one to close would fold the log back into the file each time. They are to a
/// file, and are not asked before each use whether they still live.
pub(crate) fn lasting<DB: Database>(wait: Duration) -> PoolOptions<DB> {
    PoolOptions::new().acquire_timeout(wait).idle_timeout(None).max_lifetime(None).test_before_acquire(false)
}

/// Whether a writer that was given back can be used again. On a full disk SQLite ends the transaction by itself; the
/// driver's own roll-back then fails, and it goes on believing that a transaction is open and refuses to begin another.
pub(crate) async fn is_whole(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        connection.ping().await?; // Answered after the roll-back, which waits in the same queue.
    }
    Ok(!connection.is_in_transaction())
}

impl Held {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::SqliteTx(turn) => turn.commit().await?,
            Self::PostgresTx(tx) => tx.commit().await?,
            Self::Sqlite(_) | Self::Postgres(_) => {}
        }
        Ok(())
    }
}
