//! One process takes something back, another learns of it.

use std::time::Duration;

use ::store::{Revocation, Revocations};
use testkit::{database::Database, on_both_databases};

use crate::support::{NOW, a_key, a_session, insert_key, insert_user, open};

/// How long a message may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

async fn next(revocations: &mut Revocations) -> Revocation {
    tokio::time::timeout(PATIENCE, revocations.next()).await.expect("a message in time").unwrap()
}

#[tokio::test]
async fn the_other_process_is_told_at_the_commit() {
    let database = Database::postgres().await;
    let (here, there) = (open(&database).await, open(&database).await);
    let mut revocations = there.listen_revocations().await.unwrap();
    let user = insert_user(&here).await;
    let (key, session) = (a_key(&user, 1), a_session(&user));
    insert_key(&here, &key).await;

    let mut tx = here.write().await.unwrap();
    tx.insert_session(&session).await.unwrap();
    tx.revoke_session(&user.id, &session.id, NOW).await.unwrap();
    drop(tx); // Never committed: nobody hears of it.
    let mut tx = here.write().await.unwrap();
    tx.revoke_api_key(&user.id, &key.id, NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(next(&mut revocations).await, Revocation::ApiKey(key.id.clone()));

    let mut tx = here.write().await.unwrap();
    tx.revoke_api_key(&user.id, &key.id, NOW).await.unwrap(); // Changes nothing, says nothing.
    tx.insert_session(&session).await.unwrap();
    tx.revoke_session(&user.id, &session.id, NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(next(&mut revocations).await, Revocation::Session(session.id));
}

#[tokio::test]
async fn a_message_of_another_version_means_anything() {
    let database = Database::postgres().await;
    let mut revocations = open(&database).await.listen_revocations().await.unwrap();
    database.execute("SELECT pg_notify('jan_revoked', 'grant_0123456789')").await;
    assert_eq!(next(&mut revocations).await, Revocation::Unknown);
}

#[tokio::test]
async fn a_lost_connection_means_anything_and_listening_goes_on() {
    let database = Database::postgres().await;
    let store = open(&database).await;
    let mut revocations = store.listen_revocations().await.unwrap();
    database.cut_connections().await;
    assert_eq!(next(&mut revocations).await, Revocation::Unknown);

    let user = insert_user(&store).await;
    let key = a_key(&user, 1);
    insert_key(&store, &key).await;
    // The listener connects anew as it waits; the message is sent until it is there.
    let announce = async {
        loop {
            let mut tx = store.write().await.unwrap();
            tx.revoke_api_key(&user.id, &key.id, NOW).await.unwrap();
            tx.commit().await.unwrap();
            database.execute("UPDATE api_keys SET revoked_at = NULL").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = announce => unreachable!("announces until it is heard"),
        heard = next(&mut revocations) => assert_eq!(heard, Revocation::ApiKey(key.id.clone())),
    }
}

on_both_databases! {
    async fn silence_when_nothing_is_taken_back(database: Database) {
        let store = open(&database).await;
        let mut revocations = store.listen_revocations().await.unwrap();
        let user = insert_user(&store).await;
        insert_key(&store, &a_key(&user, 1)).await;
        let heard = tokio::time::timeout(Duration::from_millis(200), revocations.next()).await;
        assert!(heard.is_err(), "{heard:?}");
    }
}
