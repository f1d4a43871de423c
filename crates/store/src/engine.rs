//! The one place that knows two drivers: opening, pools, what is lent of them.

use std::{str::FromStr, time::Duration};

use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres, Transaction,
    pool::{PoolConnection, PoolOptions},
    postgres::PgConnectOptions,
};

use crate::{
    DatabaseOptions, StoreError,
    sqlite::{File, Lent, Readers},
    writer::{OPEN, Turn, Writer},
};

/// How long a connection to PostgreSQL lies unused until it is asked whether it still stands, which is a journey of its own: it
/// was asked when it was given back.
const UNASKED: Duration = Duration::from_millis(50);

/// The pools of an open database.
#[derive(Debug)]
pub(crate) enum Engine {
    Sqlite {
        file: File,
        /// SQLite has one writer, and waiting in our queue is fair where its busy handler is not.
        write: Writer,
        read: Readers,
    },
    Postgres(PgPool),
}

/// A connection that is held.
pub(crate) enum Held {
    Sqlite(Lent),
    SqliteTx(Turn),
    Postgres(PoolConnection<Postgres>),
    PostgresTx(Transaction<'static, Postgres>),
}

/// A connection that is lent to one statement.
pub(crate) enum Conn<'a> {
    Sqlite(&'a mut rusqlite::Connection),
    Postgres(&'a mut PgConnection),
}

impl Held {
    pub(crate) fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(lent) => Conn::Sqlite(lent.connection()),
            Self::SqliteTx(turn) => Conn::Sqlite(turn.connection()),
            Self::Postgres(held) => Conn::Postgres(held),
            Self::PostgresTx(held) => Conn::Postgres(held),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::PostgresTx(_))
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::SqliteTx(turn) => turn.commit().await,
            Self::PostgresTx(tx) => Ok(tx.commit().await?),
            Self::Sqlite(_) | Self::Postgres(_) => Ok(()),
        }
    }
}

impl Engine {
    /// Prepares the pools; the first use opens the first connection.
    pub(crate) fn prepare(options: &DatabaseOptions) -> Result<Self, StoreError> {
        let wait = Duration::from_secs(options.acquire_timeout_seconds);
        let size = options.max_connections.max(1);
        if let Some(path) = options.file() {
            let file = File { path: path.to_owned(), synchronous: options.synchronous };
            file.make()?;
            let write = Writer::new(file.clone(), wait, OPEN);
            return Ok(Self::Sqlite { read: Readers::new(file.clone(), size, wait), file, write });
        }
        let url = options.url.as_ref().map_or("", domain::Secret::expose);
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(StoreError::Address(None));
        }
        let connect = PgConnectOptions::from_str(url).map_err(|error| StoreError::Address(Some(error)))?;
        let pool = PoolOptions::new()
            .max_connections(size)
            .acquire_timeout(wait)
            .test_before_acquire(false)
            .before_acquire(|connection: &mut PgConnection, held| {
                Box::pin(async move {
                    if held.idle_for > UNASKED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(connect.application_name("jan-server"));
        Ok(Self::Postgres(pool))
    }

    // PostgreSQL's pool is asked behind a pointer: its futures are of four kilobytes, which every future that asks for a
    // connection would otherwise hold and be moved with, on SQLite, too.

    pub(crate) async fn read(&self) -> Result<Held, StoreError> {
        Ok(match self {
            Self::Sqlite { read, .. } => Held::Sqlite(read.lend().await?),
            Self::Postgres(pool) => Held::Postgres(Box::pin(pool.acquire()).await?),
        })
    }

    pub(crate) async fn write(&self) -> Result<Held, StoreError> {
        Ok(match self {
            Self::Sqlite { write, .. } => Held::SqliteTx(write.begin().await?),
            Self::Postgres(pool) => Held::PostgresTx(Box::pin(pool.begin()).await?),
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
