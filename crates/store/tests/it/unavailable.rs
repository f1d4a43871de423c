//! A database that does not answer: the caller hears so in time, and it mends itself.

use std::time::{Duration, Instant};

use ::store::{DatabaseOptions, Store, StoreError};
use domain::{Kind, Secret};
use testkit::database::Database;
use tokio::net::TcpListener;

use crate::support::{open, options};

/// What is added to the time in question on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn postgres_at(port: u16) -> DatabaseOptions {
    DatabaseOptions {
        url: Some(Secret::new(format!("postgres://jan@127.0.0.1:{port}/jan"))),
        acquire_timeout_seconds: 1,
        ..DatabaseOptions::default()
    }
}

async fn must_be_unavailable(options: &DatabaseOptions) {
    let store = Store::connect_lazy(options).expect("preparing touches no database");
    let begun = Instant::now();
    let error = store.migrate().await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(1) + PATIENCE);
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(matches!(domain::Error::from(error).kind(), Kind::Unavailable(Some(_))));
}

#[tokio::test]
async fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    must_be_unavailable(&postgres_at(port)).await;
}

#[tokio::test]
async fn somebody_listens_and_is_silent() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    must_be_unavailable(&postgres_at(silent.local_addr().unwrap().port())).await;
}

#[tokio::test]
async fn every_connection_is_in_use() {
    let database = Database::postgres().await;
    let options = DatabaseOptions { max_connections: 1, acquire_timeout_seconds: 1, ..options(&database) };
    let store = Store::open(&options).await.unwrap();
    let held = store.read().await.unwrap();
    assert!(matches!(store.write().await.err(), Some(StoreError::Unavailable(_))));
    drop(held);
    store.write().await.unwrap();
}

#[tokio::test]
async fn a_cut_connection_is_replaced() {
    let database = Database::postgres().await;
    let store = open(&database).await;
    let mut reader = store.read().await.unwrap();
    database.cut_connections().await;
    let error = reader.sample().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    drop(reader);
    assert!(store.read().await.unwrap().sample().await.unwrap().is_some());
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_an_error_of_its_own() {
    let database = Database::postgres().await;
    let url = database.url.replacen("/test_", "/no_such_", 1);
    let options = DatabaseOptions { url: Some(Secret::new(url)), ..DatabaseOptions::default() };
    let error = Store::open(&options).await.unwrap_err();
    assert!(matches!(error, StoreError::Statement(_)), "waiting does not mend it: {error:?}");
}
