//! The table `user_settings`.

use ::store::ChangedSettings;
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

    async fn settings_are_somebodys(database: Database) {
        let store = open(&database).await;
        let mut tx = store.write().await.unwrap();
        let nobodys = ChangedSettings { changes: Map::new(), updated_at: NOW };
        tx.put_user_settings(&UserId::new(&Clock::System), &nobodys).await.unwrap_err();
    }
}
