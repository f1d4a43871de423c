//! Readers, transactions, readiness.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use ::store::{DatabaseOptions, Store, StoreError};
use domain::Secret;
use testkit::{database::Database, on_both_databases};

use crate::support::{a_user, insert_user, open, options};

on_both_databases! {
    async fn nothing_is_seen_before_the_commit_and_nothing_stays_without_it(database: Database) {
        let store = open(&database).await;
        let user = a_user();

        let mut tx = store.write().await.unwrap();
        tx.insert_user(&user).await.unwrap();
        assert_eq!(tx.user(&user.id).await.unwrap().as_ref(), Some(&user), "a transaction sees its own writes");
        assert_eq!(store.read().await.unwrap().user(&user.id).await.unwrap(), None);
        drop(tx);

        // A dropped transaction holds its connection until it is rolled back; the next one waits for that.
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.user(&user.id).await.unwrap(), None);
        tx.insert_user(&user).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.read().await.unwrap().user(&user.id).await.unwrap(), Some(user));
    }

    async fn what_was_committed_is_there_after_a_restart(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        store.close().await;
        assert!(matches!(store.read().await, Err(StoreError::Unavailable(_))), "a closed store answers nothing");

        let store = open(&database).await;
        assert_eq!(store.read().await.unwrap().user(&user.id).await.unwrap(), Some(user));
    }

    async fn an_open_database_answers_a_ping(database: Database) {
        open(&database).await.ping().await.unwrap();
    }

    async fn before_the_migration_everything_is_unavailable(database: Database) {
        let store = Store::connect_lazy(&options(&database)).unwrap();
        assert!(matches!(store.read().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.write().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
        store.migrate().await.unwrap();
        store.ping().await.unwrap();
    }

    async fn readers_do_not_wait_for_the_writer(database: Database) {
        let store = open(&database).await;
        let mut tx = store.write().await.unwrap();
        tx.insert_user(&a_user()).await.unwrap();
        // Several at once: the pool of readers is not the writer's one connection.
        let (mut one, mut two) = (store.read().await.unwrap(), store.read().await.unwrap());
        assert!(one.sample().await.unwrap().is_some());
        assert!(two.sample().await.unwrap().is_some());
    }
}

#[tokio::test]
async fn sqlite_writers_queue() {
    let database = Database::sqlite();
    let store = open(&database).await;
    let first = store.write().await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(200), store.write()).await;
    assert!(waiting.is_err(), "there is one writer at a time");
    first.commit().await.unwrap();
    store.write().await.unwrap();
}

#[tokio::test]
async fn a_sqlite_file_in_a_new_directory_is_made_by_path_alone() {
    let database = Database::sqlite();
    let path = database.directory().unwrap().join("a/b/jan.db");
    let options = DatabaseOptions { path: path.clone(), ..DatabaseOptions::default() };
    Store::open(&options).await.unwrap().ping().await.unwrap();
    assert!(path.is_file());
}

#[tokio::test]
async fn an_address_of_another_kind_is_refused_without_showing_it() {
    for address in ["mysql://u:hunter2@host/db", "jan.db", "sqlite://", "postgres://u:hunter2@[::bad/db"] {
        let options = DatabaseOptions { url: Some(Secret::new(address)), ..DatabaseOptions::default() };
        let error = Store::connect_lazy(&options).unwrap_err();
        assert!(matches!(error, StoreError::Address(_)), "{address}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_says_so() {
    let database = Database::sqlite();
    let file = database.directory().unwrap().join("a-file");
    std::fs::write(&file, "").unwrap();
    let options = DatabaseOptions { path: file.join("jan.db"), ..DatabaseOptions::default() };
    let error = Store::connect_lazy(&options).unwrap_err();
    assert!(matches!(error, StoreError::Directory(_)), "{error}");
}

/// There are hashes of passwords in it.
#[tokio::test]
async fn the_file_is_its_owners_only() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("new").join("jan.db").display());
    let options = DatabaseOptions { url: Some(Secret::new(url)), ..DatabaseOptions::default() };
    let store = Store::open(&options).await.unwrap();
    insert_user(&store).await;
    let mut files = 0;
    for file in std::fs::read_dir(directory.path().join("new")).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}: {mode:o}", file.path().display());
        files += 1;
    }
    assert!(files >= 2, "the log is there too");
}
