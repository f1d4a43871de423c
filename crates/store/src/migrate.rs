//! Brings the schema to this server's version.
//!
//! A database that is up to date costs one query. Otherwise everything happens in one transaction under a lock, so that
//! of several servers that start at once one migrates and the others find the work done, and a failure leaves the
//! database as it was. An existing SQLite file is copied first.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    Reader, StoreError,
    engine::{Conn, Engine},
    error::is_missing_table,
    sqlite::File,
    statement::query,
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
    15 "0015_search_due",
    16 "0016_bound_upgrades",
    17 "0017_along_indexes",
    18 "0018_groups",
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
    // One that is up to date is found to be so without its writer.
    if version(&mut Reader(engine.read().await?)).await? == Some(known()) {
        return Ok(());
    }
    let mut tx = Reader(engine.write().await?);
    if tx.is_postgres() {
        query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut tx).await?;
    }
    query(CREATE_TABLE).execute(&mut tx).await?;
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
            .map_err(|source| StoreError::Migration { name: migration.name, source: Box::new(source) })?;
        tracing::debug!(migration = migration.name, "Applied a migration");
    }
    tx.0.commit().await?;
    match found {
        0 => tracing::info!(schema = known(), "Made the database"),
        from => tracing::info!(from, to = known(), "Migrated the database"),
    }
    Ok(())
}

/// The schema's version; `None` before the first migration.
async fn version(reader: &mut Reader) -> Result<Option<i64>, StoreError> {
    match query(VERSION).fetch_one(reader).await {
        Ok(Some(found)) if found > known() => Err(StoreError::SchemaTooNew { found, known: known() }),
        Err(error) if is_missing_table(&error) => Ok(None),
        found => found,
    }
}

async fn apply(tx: &mut Reader, migration: &Migration, now: domain::Timestamp) -> Result<(), StoreError> {
    match tx.conn() {
        Conn::Sqlite(connection) => connection.execute_batch(migration.sqlite)?,
        Conn::Postgres(connection) => sqlx::raw_sql(migration.postgres).execute(connection).await.map(drop)?,
    }
    let record = query(RECORD).bind(migration.version).bind(migration.name).bind(now.micros());
    record.execute(tx).await.map(drop)
}

/// Copies the database to `<file>.before-<version>.bak`. The caller holds the write lock, so the copy is what the
/// migration begins with; `VACUUM INTO` includes what is still in the log. It needs a connection of its own: it cannot
/// run in the writer's transaction, nor on a reader, which may not write anywhere.
async fn back_up(file: &File) -> Result<(), StoreError> {
    let path = beside(&file.path, &format!(".before-{}.bak", known()));
    let partial = beside(&path, ".partial");
    let (file, to) = (file.clone(), path.clone());
    let copy = move || {
        // Left behind by a server that was killed at this very point.
        match std::fs::remove_file(&partial) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        file.open_writer()?.execute("VACUUM INTO ?1", [partial.to_string_lossy()])?;
        std::fs::File::open(&partial)?.sync_all()?;
        std::fs::rename(&partial, &to)?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    let copied = tokio::task::spawn_blocking(copy).await.unwrap_or_else(|error| Err(error.into()));
    copied.map_err(|source| StoreError::Backup { path: path.clone(), source })?;
    tracing::info!(path = %path.display(), "Copied the database before migrating it");
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}
