//! Bringing a schema up to date.

use std::{fs, path::PathBuf};

use ::store::{Store, StoreError};
use testkit::{database::Database, on_both_empty_databases};

use crate::support::{insert_user, open, options};

/// What the last migration made, undone: the database of a server one version older.
const UNDO_LAST: &str = "ALTER TABLE external_accounts DROP COLUMN group_names;
    ALTER TABLE external_accounts DROP COLUMN feature_flags;
    DELETE FROM schema_migrations WHERE version = 18;";
/// The version that this server migrates to.
const LATEST: i64 = 18;
const VERSIONS: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM schema_migrations";

/// The copies of the SQLite file.
fn copies(database: &Database) -> Vec<PathBuf> {
    let entries = fs::read_dir(database.directory().unwrap()).unwrap();
    let mut copies: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.to_string_lossy().contains(".bak")).collect();
    copies.sort();
    copies
}

on_both_empty_databases! {
    async fn a_second_start_changes_nothing(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        store.migrate().await.unwrap();
        store.close().await;
        let store = open(&database).await;
        assert_eq!(store.read().await.unwrap().user(&user.id).await.unwrap(), Some(user));
        assert_eq!(database.number(VERSIONS).await, LATEST);
    }

    async fn an_older_database_is_brought_up_with_its_rows(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        store.close().await;
        database.execute(UNDO_LAST).await;

        let store = open(&database).await;
        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.user(&user.id).await.unwrap(), Some(user));
        assert!(reader.sample().await.unwrap().is_some());
        assert_eq!(database.number(VERSIONS).await, LATEST);
    }

    async fn a_newer_schema_is_refused_in_plain_words(database: Database) {
        open(&database).await.close().await;
        database.execute("INSERT INTO schema_migrations (version, name, applied_at) VALUES (99, 'x', 0)").await;
        let error = Store::open(&options(&database)).await.unwrap_err();
        assert!(matches!(error, StoreError::SchemaTooNew { found: 99, known: LATEST }), "{error:?}");
        assert!(error.to_string().contains("version 99"), "{error}");
        assert!(error.to_string().contains("start the newer server"), "{error}");
    }

    async fn servers_that_start_at_once_migrate_once(database: Database) {
        // Each has pools of its own, as processes have; nothing in the store is shared between them.
        let options = options(&database);
        let start = async || Store::open(&options).await.unwrap();
        let stores = tokio::join!(start(), start(), start(), start());
        stores.0.ping().await.unwrap();
        stores.3.ping().await.unwrap();
        assert_eq!(database.number(VERSIONS).await, LATEST);
    }

    async fn a_failed_migration_leaves_the_database_as_it_was(database: Database) {
        // In the way of the second migration.
        database.execute("CREATE TABLE samples (id TEXT)").await;
        let error = Store::open(&options(&database)).await.unwrap_err();
        assert!(matches!(error, StoreError::Migration { name: "0002_samples", .. }), "{error:?}");
        database.execute("CREATE TABLE users (proof TEXT)").await; // The first one left no trace either.
        database.execute("DROP TABLE users; DROP TABLE samples").await;
        open(&database).await.ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_sqlite_file_is_copied_before_it_is_migrated() {
    let database = Database::sqlite();
    let store = open(&database).await;
    assert!(copies(&database).is_empty(), "a new file needs no copy");
    let user = insert_user(&store).await;
    store.close().await;
    database.execute(UNDO_LAST).await;
    let partial = database.directory().unwrap().join(format!("jan.db.before-{LATEST}.bak.partial"));
    fs::write(&partial, "left behind by a server that was killed").unwrap();

    open(&database).await.close().await;
    let copy = database.directory().unwrap().join(format!("jan.db.before-{LATEST}.bak"));
    assert_eq!(copies(&database), std::slice::from_ref(&copy));
    let connection = rusqlite::Connection::open(&copy).unwrap();
    let query = "SELECT (SELECT MAX(version) FROM schema_migrations), username FROM users";
    let (version, name): (i64, String) = connection.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!((version, name), (LATEST - 1, user.username), "the copy is what the migration began with");
}

#[tokio::test]
async fn without_a_copy_there_is_no_migration() {
    let database = Database::sqlite();
    open(&database).await.close().await;
    database.execute(UNDO_LAST).await;
    // The copy's place is taken by a directory.
    fs::create_dir_all(database.directory().unwrap().join(format!("jan.db.before-{LATEST}.bak/x"))).unwrap();
    let error = Store::open(&options(&database)).await.unwrap_err();
    assert!(matches!(error, StoreError::Backup { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("jan.db.before-{LATEST}.bak")), "{error}");
    assert_eq!(database.number(VERSIONS).await, LATEST - 1);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let database = Database::sqlite();
    let file = database.file().unwrap();
    let text = "Dear diary, ".repeat(1_000);
    fs::write(&file, &text).unwrap();
    Store::open(&options(&database)).await.unwrap_err();
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}
