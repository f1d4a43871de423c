//! The table `conversations`.

use std::{collections::BTreeMap, time::Duration};

use domain::{Clock, Kind, conversation::Conversation, ids::ProjectId};
use testkit::{database::Database, on_both_databases};

use crate::support::{HOUR, NOW, a_conversation, append, insert_conversation, insert_user, open, somebody_waits};

on_both_databases! {
    async fn conversations_come_back_as_they_went_in(database: Database) {
        let store = open(&database).await;
        let (ada, bob) = (insert_user(&store).await, insert_user(&store).await);
        let bare = a_conversation(&ada, 0);
        let full = Conversation {
            title: Some("Caf\u{e9} \u{1f469}".to_owned()),
            project_id: Some(ProjectId::new(&Clock::System)),
            referrer: Some("web".to_owned()),
            metadata: BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]),
            is_private: true,
            ..a_conversation(&ada, 1)
        };
        for conversation in [&bare, &full] {
            insert_conversation(&store, conversation).await;
            let mut reader = store.read().await.unwrap();
            let found = reader.conversation(&ada.id, &conversation.id).await.unwrap();
            assert_eq!(found.as_ref(), Some(conversation));
            assert_eq!(reader.conversation(&bob.id, &conversation.id).await.unwrap(), None);
        }
    }

    async fn only_the_owner_changes_one(database: Database) {
        let store = open(&database).await;
        let (ada, bob) = (insert_user(&store).await, insert_user(&store).await);
        let before = a_conversation(&ada, 0);
        insert_conversation(&store, &before).await;
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.lock_conversation(&bob.id, &before.id).await.unwrap(), None);
        assert_eq!(tx.lock_conversation(&ada.id, &before.id).await.unwrap().as_ref(), Some(&before));
        let foreign = Conversation { user_id: bob.id.clone(), title: Some("mine".to_owned()), ..before.clone() };
        assert!(!tx.update_conversation(&foreign).await.unwrap());
        let after = Conversation {
            title: Some("other".to_owned()),
            referrer: Some("r".to_owned()),
            metadata: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
            updated_at: NOW + HOUR,
            ..before
        };
        assert!(tx.update_conversation(&after).await.unwrap());
        tx.commit().await.unwrap();
        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.conversation(&ada.id, &after.id).await.unwrap(), Some(after));
    }

    async fn what_is_deleted_is_gone_at_once(database: Database) {
        let store = open(&database).await;
        let (ada, bob) = (insert_user(&store).await, insert_user(&store).await);
        let one = a_conversation(&ada, 0);
        insert_conversation(&store, &one).await;
        append(&store, &one, None, &["hello"]).await;
        let mut tx = store.write().await.unwrap();
        assert!(!tx.delete_conversation(&bob.id, &one.id, NOW).await.unwrap());
        assert!(tx.delete_conversation(&ada.id, &one.id, NOW).await.unwrap());
        assert!(!tx.delete_conversation(&ada.id, &one.id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.conversation(&ada.id, &one.id).await.unwrap(), None);
        assert_eq!(tx.lock_conversation(&ada.id, &one.id).await.unwrap(), None);
        assert!(tx.history(&ada.id, &one.id, None).await.unwrap().is_none());
        assert!(tx.branches(&ada.id, &one.id).await.unwrap().is_none());
        assert!(!tx.update_conversation(&one).await.unwrap());
    }

    async fn many_are_deleted_in_one_statement(database: Database) {
        let store = open(&database).await;
        let (ada, bob) = (insert_user(&store).await, insert_user(&store).await);
        let (one, two, other) = (a_conversation(&ada, 0), a_conversation(&ada, 1), a_conversation(&bob, 2));
        for conversation in [&one, &two, &other] {
            insert_conversation(&store, conversation).await;
        }
        let unknown = a_conversation(&ada, 3).id;
        let mut tx = store.write().await.unwrap();
        let ids = [one.id.clone(), other.id.clone(), unknown];
        let deleted = tx.delete_conversations(&ada.id, &ids, NOW).await.unwrap();
        assert_eq!(deleted, std::slice::from_ref(&one.id));
        assert!(tx.delete_conversations(&ada.id, &ids, NOW).await.unwrap().is_empty());
        assert!(tx.delete_conversations(&ada.id, &[], NOW).await.unwrap().is_empty());
        assert_eq!(tx.delete_all_conversations(&ada.id, NOW).await.unwrap(), 1);
        assert_eq!(tx.delete_all_conversations(&ada.id, NOW).await.unwrap(), 0);
        assert!(tx.conversation(&bob.id, &other.id).await.unwrap().is_some());
    }

    async fn what_was_deleted_long_ago_is_purged_in_small_steps(database: Database) {
        let store = open(&database).await;
        let ada = insert_user(&store).await;
        let (old, young, alive) = (a_conversation(&ada, 0), a_conversation(&ada, 1), a_conversation(&ada, 2));
        for conversation in [&old, &young, &alive] {
            insert_conversation(&store, conversation).await;
            append(&store, conversation, None, &["a", "b", "c"]).await;
        }
        store.catch_up_index(&ada.id).await.unwrap();
        let mut tx = store.write().await.unwrap();
        tx.delete_conversation(&ada.id, &old.id, NOW).await.unwrap();
        tx.delete_conversation(&ada.id, &young.id, NOW + HOUR).await.unwrap();
        tx.commit().await.unwrap();
        let mut steps = Vec::new();
        loop {
            let mut tx = store.write().await.unwrap();
            let gone = tx.purge_conversations(NOW + Duration::from_secs(1), 2).await.unwrap();
            tx.commit().await.unwrap();
            if gone == 0 {
                break;
            }
            steps.push(gone);
        }
        assert_eq!(steps, [2, 1, 1]);
        assert_eq!(database.number("SELECT CAST(COUNT(*) AS BIGINT) FROM conversations").await, 2);
        assert_eq!(database.number("SELECT CAST(COUNT(*) AS BIGINT) FROM conversation_items").await, 6);
        let words = "SELECT CAST(COUNT(*) AS BIGINT) FROM conversation_item_search";
        assert_eq!(database.number(words).await, 6, "the words go with the items");
    }

    async fn everything_goes_with_its_owner(database: Database) {
        let store = open(&database).await;
        let ada = insert_user(&store).await;
        let one = Conversation { title: Some("title".to_owned()), ..a_conversation(&ada, 0) };
        insert_conversation(&store, &one).await;
        append(&store, &one, None, &["indexed"]).await;
        store.catch_up_index(&ada.id).await.unwrap();
        append(&store, &one, None, &["not yet indexed"]).await;
        store.close().await;
        database.execute(&format!("DELETE FROM users WHERE id = '{}'", ada.id)).await;
        for query in [
            "SELECT CAST(COUNT(*) AS BIGINT) FROM conversations",
            "SELECT CAST(COUNT(*) AS BIGINT) FROM conversation_items",
            "SELECT CAST(COUNT(*) AS BIGINT) FROM conversation_search",
            "SELECT CAST(COUNT(*) AS BIGINT) FROM conversation_item_search",
        ] {
            assert_eq!(database.number(query).await, 0, "{query}");
        }
        if !database.is_postgres() {
            assert_eq!(database.number("SELECT COUNT(*) FROM conversation_search_due").await, 0);
        }
    }
}

#[tokio::test]
async fn two_who_want_each_others_conversation_do_not_wait_for_ever() {
    let database = Database::postgres().await;
    let store = open(&database).await;
    let ada = insert_user(&store).await;
    let (one, two) = (a_conversation(&ada, 0), a_conversation(&ada, 1));
    insert_conversation(&store, &one).await;
    insert_conversation(&store, &two).await;
    let (mut first, mut second) = (store.write().await.unwrap(), store.write().await.unwrap());
    first.lock_conversation(&ada.id, &one.id).await.unwrap();
    second.lock_conversation(&ada.id, &two.id).await.unwrap();
    let both = (first.lock_conversation(&ada.id, &two.id), second.lock_conversation(&ada.id, &one.id));
    // The one that has to give way ends its transaction, and the other gets on.
    let (first, second) = tokio::join!(async { both.0.await.map_err(domain::Error::from).err() }, async {
        both.1.await.map_err(domain::Error::from).err()
    });
    let error = first.xor(second).expect("one of them gives way");
    assert!(matches!(error.kind(), Kind::Unavailable(Some(_))), "{error:?}");
}

#[tokio::test]
async fn many_are_deleted_in_the_order_in_which_others_take_them() {
    let database = Database::postgres().await;
    let store = open(&database).await;
    let ada = insert_user(&store).await;
    // The first is the younger one, and is written anew: every other order that the database could follow begins with
    // the second.
    let (one, two) = (a_conversation(&ada, 1), a_conversation(&ada, 0));
    insert_conversation(&store, &one).await;
    insert_conversation(&store, &two).await;
    append(&store, &one, None, &["hello"]).await;
    for all in [false, true] {
        let mut first = store.write().await.unwrap();
        first.lock_conversation(&ada.id, &one.id).await.unwrap().unwrap();
        let ids = [two.id.clone(), one.id.clone()];
        let deleting = async {
            let mut second = store.write().await.unwrap();
            if all {
                second.delete_all_conversations(&ada.id, NOW).await.unwrap()
            } else {
                second.delete_conversations(&ada.id, &ids, NOW).await.unwrap().len() as u64
            }
        };
        let locking = async {
            somebody_waits(&database).await;
            first.lock_conversation(&ada.id, &two.id).await.unwrap().unwrap();
            drop(first);
        };
        assert_eq!(tokio::join!(deleting, locking).0, 2);
    }
}
