//! Brings the schema to this server's version.
//!
//! A database that is up to date costs one query. Otherwise everything happens in one transaction under a lock, so that
//! of several servers that start at once one migrates and the others find the work done, and a failure leaves the
//! database as it was. An existing SQLite file is copied first.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    StoreError,
    engine::{Conn, Engine, Held, on},
};

/// One step of the schema, in both dialects.
struct Migration {
    version: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),* $(,)?) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $name, ".sql")),
        }),*]
    };
}

const MIGRATIONS: &[Migration] = migrations![
    1 "0001_identity", 2 "0002_samples", 3 "0003_refresh_families", 4 "0004_user_settings", 5 "0005_accounts",
    6 "0006_code_flow", 7 "0007_setup_links", 8 "0008_audit_logs",
    9 "0009_conversations",
    10 "0010_projects",
    11 "0011_prompts",
    12 "0012_external_sign_in",
    13 "0013_identity_upkeep",
    14 "0014_deleted_projects",
];

/// Locks out other servers while one migrates a PostgreSQL database. The number means nothing; it must not change.
const LOCK: i64 = 0x6a61_6e5f_6d69_6772;

const VERSION: &str = "SELECT MAX(version) FROM schema_migrations";
const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)";
const RECORD: &str = "INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)";

/// The newest schema version this server knows.
fn known() -> i64 {
    MIGRATIONS.last().map_or(0, |newest| newest.version)
}

/// Applies what is missing.
pub(crate) async fn run(engine: &Engine, now: domain::Timestamp) -> Result<(), StoreError> {
    // A file that is not there yet is made by its writer; a reader would only fail.
    let fresh = matches!(engine, Engine::Sqlite { file, .. } if !file.exists());
    if !fresh && version(&mut engine.read().await?).await? == Some(known()) {
        return Ok(());
    }
    let mut tx = engine.write().await?;
    if let Conn::Postgres(c) = tx.conn() {
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(c).await?;
    }
    on!(tx, c => sqlx::query(CREATE_TABLE).execute(c).await.map(drop))?;
    let found = version(&mut tx).await?.unwrap_or(0);
    if found == known() {
        return Ok(()); // Another server was faster.
    }
    if let Engine::Sqlite { file, .. } = engine
        && found > 0
    {
        back_up(file).await?;
    }
    for migration in MIGRATIONS.iter().filter(|m| m.version > found) {
        apply(&mut tx, migration, now)
            .await
            .map_err(|source| StoreError::Migration { name: migration.name, source })?;
        tracing::info!(migration = migration.name, "Applied a migration");
    }
    tx.commit().await
}

/// The schema's version; `None` before the first migration.
async fn version(held: &mut Held) -> Result<Option<i64>, StoreError> {
    let found = on!(held, c => sqlx::query_scalar::<_, Option<i64>>(VERSION).fetch_one(c).await);
    match found {
        Ok(Some(found)) if found > known() => Err(StoreError::SchemaTooNew { found, known: known() }),
        Ok(found) => Ok(found),
        Err(sqlx::Error::Database(error)) if is_missing_table(&*error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_missing_table(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().as_deref() == Some("42P01") || error.message().starts_with("no such table")
}

async fn apply(tx: &mut Held, migration: &Migration, now: domain::Timestamp) -> Result<(), sqlx::Error> {
    match tx.conn() {
        Conn::Sqlite(c) => sqlx::raw_sql(migration.sqlite).execute(c).await.map(drop)?,
        Conn::Postgres(c) => sqlx::raw_sql(migration.postgres).execute(c).await.map(drop)?,
    }
    on!(tx, c => sqlx::query(RECORD).bind(migration.version).bind(migration.name).bind(now.micros())
        .execute(c).await.map(drop))
}

/// Copies the database to `<file>.before-<version>.bak`. The caller holds the write lock, so the copy is what the
/// migration begins with; `VACUUM INTO` includes what is still in the log. It needs a connection of its own: it cannot
/// run in the writer's transaction, nor on a reader, which may not write anywhere.
async fn back_up(file: &Path) -> Result<(), StoreError> {
    let path = beside(file, &format!(".before-{}.bak", known()));
    let partial = beside(&path, ".partial");
    let copy = async {
        // Left behind by a server that was killed at this very point.
        match std::fs::remove_file(&partial) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await?;
        let into = sqlx::query("VACUUM INTO $1").bind(partial.to_string_lossy().into_owned());
        into.execute(&mut connection).await?;
        connection.close().await?;
        std::fs::File::open(&partial)?.sync_all()?;
        std::fs::rename(&partial, &path)?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    copy.await.map_err(|source| StoreError::Backup { path: path.clone(), source })?;
    tracing::info!(path = %path.display(), "Copied the database before migrating it");
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}
