//! A full disk under PostgreSQL. (SQLite's is in `src/error.rs`: only the store's own connection can be limited.)

use ::store::StoreError;
use domain::Kind;
use testkit::database::Database;

use crate::support::{a_user, insert_user, open};

/// What PostgreSQL answers when it cannot extend a file, raised by a trigger.
const NO_ROOM: &str = "
    CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER no_room BEFORE INSERT ON users EXECUTE FUNCTION no_room();";

#[tokio::test]
async fn a_full_postgres_can_be_waited_for_and_still_reads() {
    let database = Database::postgres().await;
    let store = open(&database).await;
    let first = insert_user(&store).await;
    database.execute(NO_ROOM).await;

    let mut tx = store.write().await.unwrap();
    let error = tx.insert_user(&a_user()).await.unwrap_err();
    drop(tx);
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert!(matches!(domain::Error::from(error).kind(), Kind::Unavailable(Some(_))));
    assert_eq!(store.read().await.unwrap().user(&first.id).await.unwrap(), Some(first));
}
