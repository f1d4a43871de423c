//! What can go wrong with the database.

use std::path::PathBuf;

use domain::Kind;
use sqlx::error::DatabaseError as _;

/// An error of the database. Becomes a [`domain::Error`] where it leaves for a caller.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The address in the configuration is of no known form.
    #[error("the database address is not understood: it begins with postgres:// or sqlite://")]
    Address(#[source] Option<sqlx::Error>),
    /// The SQLite file's directory cannot be made.
    #[error("the directory of {} cannot be made", path.display())]
    Directory {
        /// The SQLite file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// No connection, or none in time.
    #[error("the database does not answer")]
    Unavailable(#[source] Option<sqlx::Error>),
    /// Others wrote the same at the same moment, and one of them had to give way.
    #[error("another transaction was in the way")]
    Contended(#[source] sqlx::Error),
    /// The disk is full.
    #[error("the database has no room left on its disk")]
    Full(#[source] sqlx::Error),
    /// The SQLite file holds what no SQLite wrote.
    #[error("its file is damaged: bring it back from a copy, or move it away to begin with an empty one")]
    Damaged(#[source] sqlx::Error),
    /// The disk refuses to read or write.
    #[error("its disk fails or is full: make room or mend it, and start again")]
    Disk(#[source] sqlx::Error),
    /// The database was migrated by a newer server.
    #[error(
        "the database has schema version {found} and this server knows versions up to {known}: \
         start the newer server, or restore the copy made before the migration"
    )]
    SchemaTooNew {
        /// The version found in the database.
        found: i64,
        /// The newest version this server knows.
        known: i64,
    },
    /// The copy that is made before a migration could not be made; the database is as it was.
    #[error("the copy {} of the database could not be made, so it was not migrated", path.display())]
    Backup {
        /// Where the copy was to go.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A migration did not apply; the database is as it was.
    #[error("migration {name} failed")]
    Migration {
        /// The migration's file name, without its ending.
        name: &'static str,
        /// What the database says.
        source: sqlx::Error,
    },
    /// A row holds what no server wrote.
    #[error("a row's {column} cannot be read")]
    Corrupt {
        /// The column.
        column: &'static str,
    },
    /// A statement failed.
    #[error("a statement failed")]
    Statement(#[source] sqlx::Error),
}

/// SQLite's result codes for files that it cannot read, for disks that fail and for full ones; their further details are
/// in higher bits.
const SQLITE_DAMAGED: &[i32] = &[11, 26];
const SQLITE_DISK: &[i32] = &[10];
const SQLITE_FULL: &[i32] = &[13];
/// PostgreSQL's codes for transactions that wait for each other, and for those whose order mattered.
const POSTGRES_CONTENDED: [&str; 2] = ["40P01", "40001"];
/// PostgreSQL's codes for a full disk; connections refused, cut or used up; shutting down or starting.
const POSTGRES_FULL: &str = "53100";
const POSTGRES_AWAY: [&str; 6] = ["53300", "57P01", "57P02", "57P03", "08006", "08003"];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => {
                Self::Unavailable(Some(error))
            }
            sqlx::Error::Database(database) if is_sqlite(&**database, SQLITE_DAMAGED) => Self::Damaged(error),
            sqlx::Error::Database(database) if is_sqlite(&**database, SQLITE_DISK) => Self::Disk(error),
            sqlx::Error::Database(database) if is_sqlite(&**database, SQLITE_FULL) => Self::Full(error),
            sqlx::Error::Database(database) => match database.code().as_deref() {
                Some(POSTGRES_FULL) => Self::Full(error),
                Some(code) if POSTGRES_CONTENDED.contains(&code) => Self::Contended(error),
                Some(code) if POSTGRES_AWAY.contains(&code) => Self::Unavailable(Some(error)),
                _ => Self::Statement(error),
            },
            _ => Self::Statement(error),
        }
    }
}

impl StoreError {
    /// The same error once more, for others whom it struck. What the database says in detail went to the first.
    pub(crate) fn echo(&self) -> Self {
        let detail = || sqlx::Error::Protocol(self.to_string());
        match self {
            Self::Full(_) => Self::Full(detail()),
            Self::Disk(_) => Self::Disk(detail()),
            Self::Damaged(_) => Self::Damaged(detail()),
            Self::Unavailable(_) => Self::Unavailable(None),
            _ => Self::Statement(detail()),
        }
    }
}

fn is_sqlite(error: &dyn sqlx::error::DatabaseError, codes: &[i32]) -> bool {
    let code =
        error.try_downcast_ref::<sqlx::sqlite::SqliteError>().and_then(|error| error.code()?.parse::<i32>().ok());
    code.is_some_and(|code| codes.contains(&(code & 0xff)))
}

impl From<StoreError> for domain::Error {
    fn from(error: StoreError) -> Self {
        let message = match error {
            StoreError::Unavailable(_) => "The database does not answer at the moment.",
            StoreError::Contended(_) => "Somebody else was changing the same at this moment. Try again.",
            StoreError::Full(_) | StoreError::Disk(_) => "The server cannot store anything at the moment.",
            other => return Self::internal(other),
        };
        Self::new(Kind::Unavailable(Some(std::time::Duration::from_secs(1))), "service_unavailable", message)
            .source(error)
    }
}

#[cfg(test)]
mod tests {
    use domain::Secret;

    use super::*;
    use crate::{
        DatabaseOptions, Store,
        engine::{Engine, on},
    };

    /// A file that may not grow: what SQLite says is what it says when the disk is full.
    #[tokio::test]
    async fn a_full_sqlite_file_can_be_waited_for_and_stays_whole() {
        let directory = tempfile::tempdir().unwrap();
        let url = Secret::new(format!("sqlite://{}", directory.path().join("jan.db").display()));
        let store = Store::open(&DatabaseOptions { url: Some(url), ..Default::default() }).await.unwrap();
        let Engine::Sqlite { write, .. } = &store.0.engine else { unreachable!("the address says sqlite") };
        let write = write.pool();
        sqlx::query("PRAGMA max_page_count = 60").execute(write).await.unwrap();

        let insert = async |row: i64| -> crate::Result<()> {
            let mut tx = store.write().await?;
            on!(tx, c => sqlx::query("INSERT INTO samples (id, message) VALUES ($1, $2)")
                .bind(format!("sample_{row:08}"))
                .bind("x".repeat(10_000))
                .execute(c).await.map(drop))?;
            tx.commit().await
        };
        let mut rows = 0;
        let error = loop {
            match insert(rows).await {
                Ok(()) => rows += 1,
                Err(error) => break error,
            }
            assert!(rows < 1_000, "the file grows without limit");
        };
        assert!(matches!(error, StoreError::Full(_)), "{error:?}");
        assert!(matches!(domain::Error::from(error).kind(), Kind::Unavailable(Some(_))));

        // What was acknowledged is there, and with room again writing goes on.
        let kept = "SELECT COUNT(*) FROM samples WHERE id LIKE 'sample_0000____' AND length(message) = 10000";
        let mut reader = store.read().await.unwrap();
        let kept: i64 = on!(reader, c => sqlx::query_scalar(kept).fetch_one(c).await).unwrap();
        assert_eq!(kept, rows);
        sqlx::query("PRAGMA max_page_count = 6000").execute(write).await.unwrap();
        insert(rows).await.unwrap();
        let verdict: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(write).await.unwrap();
        assert_eq!(verdict, "ok");
    }
}
