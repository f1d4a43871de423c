//! The table `signing_keys`.

use ::store::SigningKey;
use serde_json::json;
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, open};

fn key(kid: &str) -> SigningKey {
    // Members in this order: what a server published is what its peers read.
    let public_jwk = json!({"kty": "EC", "kid": kid, "crv": "P-256", "x": "\u{e9}", "n": 1});
    SigningKey { kid: kid.to_owned(), public_jwk }
}

on_both_databases! {
    async fn the_latest_seen_comes_first_and_the_old_are_left_out(database: Database) {
        let store = open(&database).await;
        let mut tx = store.write().await.unwrap();
        tx.publish_signing_key(&key("one"), NOW).await.unwrap();
        tx.publish_signing_key(&key("two"), NOW + HOUR).await.unwrap();
        tx.publish_signing_key(&key("three"), NOW + HOUR * 2).await.unwrap();
        tx.commit().await.unwrap();

        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.signing_keys(NOW).await.unwrap(), [key("three"), key("two")]);
        assert_eq!(reader.signing_keys(NOW + HOUR * 2).await.unwrap(), []);
    }

    async fn publishing_again_moves_the_time_and_makes_no_second_row(database: Database) {
        let store = open(&database).await;
        let mut tx = store.write().await.unwrap();
        tx.publish_signing_key(&key("one"), NOW).await.unwrap();
        tx.publish_signing_key(&key("one"), NOW + HOUR).await.unwrap();
        tx.commit().await.unwrap();
        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.signing_keys(NOW).await.unwrap(), [key("one")]);
        assert_eq!(reader.signing_key_created_at("one").await.unwrap(), Some(NOW), "it is as old as it is");
        assert_eq!(reader.signing_key_created_at("two").await.unwrap(), None);
        assert_eq!(database.number("SELECT COUNT(*) FROM signing_keys").await, 1);
    }

    async fn a_key_that_was_taken_back_stays_so(database: Database) {
        let store = open(&database).await;
        let mut tx = store.write().await.unwrap();
        assert!(tx.publish_signing_key(&key("one"), NOW).await.unwrap());
        assert!(tx.publish_signing_key(&key("two"), NOW + HOUR).await.unwrap());
        assert!(!tx.is_signing_key_revoked("one").await.unwrap());
        assert!(tx.revoke_signing_key("one", NOW + HOUR).await.unwrap());
        assert!(!tx.revoke_signing_key("one", NOW + HOUR).await.unwrap());
        assert!(!tx.revoke_signing_key("three", NOW).await.unwrap());
        assert!(!tx.publish_signing_key(&key("one"), NOW + HOUR * 2).await.unwrap(), "whoever says so");
        assert!(tx.is_signing_key_revoked("one").await.unwrap());
        assert_eq!(tx.signing_keys(NOW).await.unwrap(), [key("two")]);
        assert_eq!(tx.delete_signing_keys(NOW + HOUR * 9).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let states = store.read().await.unwrap().signing_key_states().await.unwrap();
        let [state] = states.try_into().unwrap();
        assert_eq!((state.kid.as_str(), state.created_at), ("one", NOW));
        assert_eq!((state.seen_at, state.revoked_at), (NOW + HOUR * 2, Some(NOW + HOUR)));
    }

    async fn keys_nobody_signs_with_are_forgotten(database: Database) {
        let store = open(&database).await;
        let mut tx = store.write().await.unwrap();
        tx.publish_signing_key(&key("old"), NOW).await.unwrap();
        tx.publish_signing_key(&key("new"), NOW + HOUR).await.unwrap();
        assert_eq!(tx.delete_signing_keys(NOW).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let left = store.read().await.unwrap().signing_keys(domain::Timestamp::from_micros(0)).await.unwrap();
        assert_eq!(left, [key("new")]);
    }
}
