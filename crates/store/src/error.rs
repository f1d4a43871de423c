//! What can go wrong with the database.

use std::path::PathBuf;

use domain::Kind;
use rusqlite::{
    ErrorCode,
    ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE},
};

/// What a database says itself.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error of the database. Becomes a [`domain::Error`] where it leaves for a caller.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The address in the configuration is of no known form.
    #[error("the database address is not understood: it begins with postgres:// or sqlite://")]
    Address(#[source] Option<sqlx::Error>),
    /// The SQLite file's directory cannot be made.
    #[error("its directory cannot be made: give this user the right to, or name another file")]
    Directory(#[source] std::io::Error),
    /// A directory is where the SQLite file is to be.
    #[error("it is a directory: name a file, such as jan.db in it")]
    IsDirectory,
    /// The SQLite file cannot be opened, or not to write.
    #[error(
        "its file cannot be opened: give this user the right to read and write it and its directory, or name another"
    )]
    Closed(#[source] Source),
    /// No connection, or none in time.
    #[error("the database does not answer")]
    Unavailable(#[source] Option<Source>),
    /// Others wrote the same at the same moment, and one of them had to give way.
    #[error("another transaction was in the way")]
    Contended(#[source] Source),
    /// The disk is full.
    #[error("the database has no room left on its disk")]
    Full(#[source] Source),
    /// The SQLite file holds what no SQLite wrote.
    #[error("its file is damaged: bring it back from a copy, or move it away to begin with an empty one")]
    Damaged(#[source] Source),
    /// The disk refuses to read or write.
    #[error("its disk fails or is full: make room or mend it, and start again")]
    Disk(#[source] Source),
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
        source: Source,
    },
    /// A migration did not apply; the database is as it was.
    #[error("migration {name} failed")]
    Migration {
        /// The migration's file name, without its ending.
        name: &'static str,
        /// What the database says.
        source: Box<StoreError>,
    },
    /// A text holds the character NUL, which PostgreSQL does not keep.
    #[error("a text holds the character NUL")]
    Nul,
    /// A row holds what no server wrote.
    #[error("a row's {column} cannot be read")]
    Corrupt {
        /// The column.
        column: &'static str,
    },
    /// Another row has the same where none may.
    #[error("there is another row with the same {key}")]
    Taken {
        /// The unique key: its name on PostgreSQL, its columns on SQLite.
        key: String,
        /// What the database says.
        source: Source,
    },
    /// A statement failed.
    #[error("a statement failed")]
    Statement(#[source] Source),
}

/// PostgreSQL's code for a key that another row has; for transactions that wait for each other, and for those whose order
/// mattered; for a table that is not there.
const POSTGRES_UNIQUE: &str = "23505";
const POSTGRES_CONTENDED: [&str; 2] = ["40P01", "40001"];
const POSTGRES_NO_TABLE: &str = "42P01";
/// PostgreSQL's codes for a full disk; connections refused, cut or used up; shutting down or starting.
const POSTGRES_FULL: &str = "53100";
const POSTGRES_AWAY: [&str; 6] = ["53300", "57P01", "57P02", "57P03", "08006", "08003"];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let database = match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => {
                return Self::Unavailable(Some(error.into()));
            }
            sqlx::Error::Database(database) => database,
            _ => return Self::Statement(error.into()),
        };
        match database.code().as_deref() {
            Some(POSTGRES_UNIQUE) => {
                Self::Taken { key: database.constraint().unwrap_or_default().to_owned(), source: error.into() }
            }
            Some(POSTGRES_FULL) => Self::Full(error.into()),
            Some(code) if POSTGRES_CONTENDED.contains(&code) => Self::Contended(error.into()),
            Some(code) if POSTGRES_AWAY.contains(&code) => Self::Unavailable(Some(error.into())),
            _ => Self::Statement(error.into()),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, message) = &error else { return Self::Statement(error.into()) };
        match (failure.code, failure.extended_code) {
            (_, SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY) => {
                // "UNIQUE constraint failed: users.email_folded"
                let key = message.as_deref().and_then(|text| text.split_once(": ")).map_or("", |(_, key)| key);
                Self::Taken { key: key.to_owned(), source: error.into() }
            }
            (ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt, _) => Self::Damaged(error.into()),
            (ErrorCode::SystemIoFailure, _) => Self::Disk(error.into()),
            (ErrorCode::DiskFull, _) => Self::Full(error.into()),
            (ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied, _) => {
                Self::Closed(error.into())
            }
            (ErrorCode::DatabaseBusy, _) => Self::Unavailable(Some(error.into())),
            _ => Self::Statement(error.into()),
        }
    }
}

/// Whether a statement named a table that is not there.
pub(crate) fn is_missing_table(error: &StoreError) -> bool {
    let StoreError::Statement(source) = error else { return false };
    if let Some(sqlx::Error::Database(error)) = source.downcast_ref() {
        return error.code().as_deref() == Some(POSTGRES_NO_TABLE);
    }
    let sqlite = source.downcast_ref::<rusqlite::Error>();
    sqlite.is_some_and(|error| error.to_string().starts_with("no such table"))
}

impl StoreError {
    /// The same error once more, for others whom it struck. What the database says in detail went to the first.
    pub(crate) fn echo(&self) -> Self {
        let detail = || self.to_string().into();
        match self {
            Self::Full(_) => Self::Full(detail()),
            Self::Disk(_) => Self::Disk(detail()),
            Self::Damaged(_) => Self::Damaged(detail()),
            Self::Closed(_) => Self::Closed(detail()),
            Self::Unavailable(_) => Self::Unavailable(None),
            _ => Self::Statement(detail()),
        }
    }
}

impl From<StoreError> for domain::Error {
    fn from(error: StoreError) -> Self {
        let message = match error {
            StoreError::Nul => return Self::invalid("invalid_request", "A text holds the character NUL."),
            StoreError::Unavailable(_) | StoreError::Closed(_) => "The database does not answer at the moment.",
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
    use crate::{DatabaseOptions, Store, engine::Engine, statement::query};

    /// A file that may not grow: what SQLite says is what it says when the disk is full.
    #[tokio::test]
    async fn a_full_sqlite_file_can_be_waited_for_and_stays_whole() {
        let directory = tempfile::tempdir().unwrap();
        let url = Secret::new(format!("sqlite://{}", directory.path().join("jan.db").display()));
        let store = Store::open(&DatabaseOptions { url: Some(url), ..Default::default() }).await.unwrap();
        let Engine::Sqlite { write, .. } = &store.0.engine else { unreachable!("the address says sqlite") };
        let limit = async |pages| write.bare().await.pragma_update(None, "max_page_count", pages).unwrap();
        limit(60).await;

        let insert = async |row: i64| -> crate::Result<()> {
            let mut tx = store.write().await?;
            query("INSERT INTO samples (id, message) VALUES ($1, $2)")
                .bind(format!("sample_{row:08}"))
                .bind("x".repeat(10_000))
                .execute(&mut tx)
                .await?;
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
        let kept: i64 = query(kept).fetch_one(&mut reader).await.unwrap();
        assert_eq!(kept, rows);
        limit(6_000).await;
        insert(rows).await.unwrap();
        let verdict: String = query("PRAGMA integrity_check").fetch_one(&mut reader).await.unwrap();
        assert_eq!(verdict, "ok");
    }
}
