//! The table `user_settings`.

use ::store::{ChangedSettings, StoreError};
use domain::{Clock, ids::UserId};
use serde_json::{Map, Value, json};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, insert_user, open};

fn changes(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

on_both_databases! {
    async fn settings_are_the_owners(database: Database) {
        let store = open(&database).await;
        let (user, stranger) = (insert_user(&store).await, insert_user(&store).await);
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.user_settings(&user.id).await.unwrap(), None);
        let first = ChangedSettings { changes: changes(json!({"a": {"b": [1, null, 0.75, "\u{1f469}"]}})), updated_at: NOW };
        tx.put_user_settings(&user.id, &first).await.unwrap();
        assert_eq!(tx.user_settings(&user.id).await.unwrap(), Some(first));
        let second = ChangedSettings { changes: Map::new(), updated_at: NOW + HOUR };
        tx.put_user_settings(&user.id, &second).await.unwrap();
        tx.commit().await.unwrap();

        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.user_settings(&user.id).await.unwrap(), Some(second));
        assert_eq!(reader.user_settings(&stranger.id).await.unwrap(), None);
    }

    async fn what_holds_a_nul_is_refused_and_not_kept(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        for json in [json!({"a": ["b\u{0}"]}), json!({"\u{0}": 1})] {
            let mut tx = store.write().await.unwrap();
            let settings = ChangedSettings { changes: changes(json), updated_at: NOW };
            let error = tx.put_user_settings(&user.id, &settings).await.unwrap_err();
            assert!(matches!(error, StoreError::Nul), "{error:?}");
        }
        let like_one = ChangedSettings { changes: changes(json!({"a": "\\u0000"})), updated_at: NOW };
        let mut tx = store.write().await.unwrap();
        tx.put_user_settings(&user.id, &like_one).await.unwrap();
        tx.commit().await.unwrap();
        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.user_settings(&user.id).await.unwrap(), Some(like_one));
        assert!(matches!(reader.account("a\u{0}").await.unwrap_err(), StoreError::Nul));
    }

    async fn settings_are_somebodys(database: Database) {
        let store = open(&database).await;
        let mut tx = store.write().await.unwrap();
        let nobodys = ChangedSettings { changes: Map::new(), updated_at: NOW };
        tx.put_user_settings(&UserId::new(&Clock::System), &nobodys).await.unwrap_err();
    }
}
