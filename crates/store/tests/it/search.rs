//! Finding conversations by their words.

use domain::{
    conversation::{Conversation, Filter, Sort},
    page::{Order, PageRequest},
    user::User,
};
use store::Store;
use testkit::on_both_databases;

use crate::support::{NOW, a_conversation, append, insert_conversation, insert_user, open};

/// How many texts wait to be indexed.
const DUE: &str = "SELECT COUNT(*) FROM conversation_search_due";

/// The titles that are found.
async fn found(store: &Store, user: &User, text: &str) -> Vec<String> {
    let filter = Filter { text: Some(text.to_owned()), ..Filter::default() };
    let request = PageRequest { limit: 10, after: None, order: Order::Desc };
    store.catch_up_index(&user.id).await.unwrap();
    let mut reader = store.read().await.unwrap();
    let page = reader.conversations(&user.id, &filter, Sort::Created, &request, 0).await.unwrap().unwrap();
    page.items.into_iter().map(|one| one.title.unwrap_or_default()).collect()
}

async fn titled(store: &Store, user: &User, n: u64, title: &str) -> Conversation {
    let conversation = Conversation { title: Some(title.to_owned()), ..a_conversation(user, n) };
    insert_conversation(store, &conversation).await;
    conversation
}

on_both_databases! {
    async fn titles_and_messages_are_found(database: Database) {
        let store = open(&database).await;
        let (ada, bob) = (insert_user(&store).await, insert_user(&store).await);
        let one = titled(&store, &ada, 0, "Quarterly report").await;
        let two = titled(&store, &ada, 1, "Holiday").await;
        let other = titled(&store, &bob, 2, "Quarterly report of another").await;
        append(&store, &two, None, &["Where is the report on the Caf\u{e9} de Flore?", "In \u{6771}\u{4eac}\u{90fd}."]).await;
        append(&store, &other, None, &["secret"]).await;
        for (text, expected) in [
            ("report", &["Holiday", "Quarterly report"][..]),
            ("REP", &["Holiday", "Quarterly report"]),
            ("quarterly report", &["Quarterly report"]),
            ("report quarterly", &["Quarterly report"]),
            ("cafe flore", &["Holiday"]),
            ("CAF\u{c9}", &["Holiday"]),
            ("\u{4eac}\u{90fd}", &["Holiday"]),
            ("\u{6771}", &["Holiday"]),
            ("\u{90fd}", &["Holiday"]),
            ("\u{4eac}\u{6771}", &[]),
            ("holiday report", &[]),
            ("secret", &[]),
            ("eport", &[]),
            ("\u{a7}", &[]),
            ("\"report\" OR *", &[]),
            ("' OR '1", &[]),
            ("NOT report", &[]),
        ] {
            assert_eq!(found(&store, &ada, text).await, expected, "{text}");
        }
        let _ = one;
    }

    async fn what_is_changed_is_found_anew(database: Database) {
        let store = open(&database).await;
        let ada = insert_user(&store).await;
        let one = titled(&store, &ada, 0, "Apples").await;
        let mut tx = store.write().await.unwrap();
        let renamed = Conversation { title: Some("Pears".to_owned()), updated_at: NOW, ..one.clone() };
        tx.update_conversation(&renamed).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found(&store, &ada, "apples").await, [] as [&str; 0]);
        assert_eq!(found(&store, &ada, "pears").await, ["Pears"]);
        let mut tx = store.write().await.unwrap();
        tx.update_conversation(&Conversation { title: None, ..renamed }).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found(&store, &ada, "pears").await, [] as [&str; 0]);
    }

    async fn what_is_deleted_is_not_found(database: Database) {
        let store = open(&database).await;
        let ada = insert_user(&store).await;
        let (one, two) = (titled(&store, &ada, 0, "Apples").await, titled(&store, &ada, 1, "Pears").await);
        let items = append(&store, &one, None, &["grow on trees"]).await;
        append(&store, &two, None, &["grow on trees"]).await;
        let mut tx = store.write().await.unwrap();
        let (_, history) = tx.history(&ada.id, &one.id, None).await.unwrap().unwrap();
        assert!(tx.hide_item(&history.unwrap(), &items[0].id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(found(&store, &ada, "trees").await, ["Pears"]);
        let mut tx = store.write().await.unwrap();
        tx.delete_conversation(&ada.id, &two.id, NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found(&store, &ada, "trees").await, [] as [&str; 0]);
        assert_eq!(found(&store, &ada, "pears").await, [] as [&str; 0]);
    }

    async fn what_is_due_is_indexed_for_one_owner_or_for_all(database: Database) {
        let store = open(&database).await;
        let (ada, bob) = (insert_user(&store).await, insert_user(&store).await);
        let (one, two) = (titled(&store, &ada, 0, "Apples").await, titled(&store, &bob, 1, "Pears").await);
        let many: Vec<String> = (0..600).map(|n| format!("tree{n} grows")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        append(&store, &one, None, &many).await;
        append(&store, &two, None, &["grow on trees"]).await;
        let due = async || if database.is_postgres() { 0 } else { database.number(DUE).await };
        assert_eq!(due().await, if database.is_postgres() { 0 } else { 603 });

        assert_eq!(found(&store, &bob, "trees").await, ["Pears"]);
        assert_eq!(due().await, if database.is_postgres() { 0 } else { 601 }, "Ada's can wait");
        assert_eq!(store.has_due(None).await.unwrap(), !database.is_postgres());
        let mut batches = 1;
        while store.index_due(None).await.unwrap() {
            batches += 1;
        }
        assert_eq!(batches, if database.is_postgres() { 1 } else { 3 });
        assert_eq!((due().await, store.has_due(None).await.unwrap()), (0, false));
        assert_eq!(found(&store, &ada, "tree599").await, ["Apples"]);
    }

    async fn a_row_that_takes_a_deleted_ones_number_is_not_found_by_its_words(database: Database) {
        let store = open(&database).await;
        let ada = insert_user(&store).await;
        let one = titled(&store, &ada, 0, "Apples").await;
        for index_first in [true, false] {
            let items = append(&store, &one, None, &["grow on trees"]).await;
            if index_first {
                store.catch_up_index(&ada.id).await.unwrap();
            }
            let mut tx = store.write().await.unwrap();
            let (_, history) = tx.history(&ada.id, &one.id, None).await.unwrap().unwrap();
            assert!(tx.hide_item(&history.unwrap(), &items[0].id, NOW).await.unwrap());
            tx.commit().await.unwrap();
            append(&store, &one, None, &["ripen"]).await;
            assert_eq!(found(&store, &ada, "trees").await, [] as [&str; 0]);
            assert_eq!(found(&store, &ada, "ripen").await, ["Apples"]);
        }
    }
}
