//! What branches change of what others show, too.

use ::store::{Fork, History, Shows, Store};
use domain::{conversation::Conversation, item::Item};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, a_conversation, append, insert_conversation, insert_user, open, texts};

const ITEMS: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM conversation_items";

async fn start(store: &Store, texts: &[&str]) -> (Conversation, Vec<Item>) {
    let user = insert_user(store).await;
    let conversation = a_conversation(&user, 0);
    insert_conversation(store, &conversation).await;
    let items = append(store, &conversation, None, texts).await;
    (conversation, items)
}

async fn history(store: &Store, conversation: &Conversation, branch: Option<&str>) -> History {
    let mut reader = store.read().await.unwrap();
    reader.history(&conversation.user_id, &conversation.id, branch).await.unwrap().unwrap().1.unwrap()
}

async fn fork(store: &Store, conversation: &Conversation, from: Option<&str>, name: &str, shows: Shows<'_>) {
    let history = history(store, conversation, from).await;
    let mut tx = store.write().await.unwrap();
    tx.fork(&history, &Fork { name, description: None, from: None, shows }, NOW).await.unwrap();
    tx.commit().await.unwrap();
}

async fn hide(store: &Store, conversation: &Conversation, branch: Option<&str>, item: &Item) -> bool {
    let history = history(store, conversation, branch).await;
    let mut tx = store.write().await.unwrap();
    let done = tx.hide_item(&history, &item.id, NOW).await.unwrap();
    tx.commit().await.unwrap();
    done
}

async fn change(store: &Store, conversation: &Conversation, branch: Option<&str>, item: &Item, text: &str) -> bool {
    let history = history(store, conversation, branch).await;
    let body = format!(r#"{{"content":[{{"type":"output_text","text":"{text}"}}]}}"#);
    let mut tx = store.write().await.unwrap();
    let done = tx.change_item(&history, &item.id, &body, text, NOW + HOUR).await.unwrap();
    tx.commit().await.unwrap();
    done
}

on_both_databases! {
    async fn an_item_that_nobody_shows_is_gone_for_good(database: Database) {
        let store = open(&database).await;
        let (conversation, items) = start(&store, &["0", "1", "2"]).await;
        assert!(hide(&store, &conversation, None, &items[1]).await);
        assert!(!hide(&store, &conversation, None, &items[1]).await);
        assert_eq!(texts(&store, &conversation, None).await, ["0", "2"]);
        assert_eq!(database.number(ITEMS).await, 2);
        let mut reader = store.read().await.unwrap();
        let found = reader.conversation(&conversation.user_id, &conversation.id).await.unwrap().unwrap();
        assert_eq!(found.item_count, 2);
    }

    async fn what_one_branch_hides_others_show(database: Database) {
        let store = open(&database).await;
        let (conversation, items) = start(&store, &["0", "1", "2"]).await;
        fork(&store, &conversation, None, "b", Shows::UpTo(&items[1])).await;
        append(&store, &conversation, Some("b"), &["b0"]).await;
        assert!(hide(&store, &conversation, None, &items[0]).await);
        assert!(hide(&store, &conversation, Some("b"), &items[1]).await);
        assert!(!hide(&store, &conversation, Some("b"), &items[2]).await, "b does not show it");
        assert_eq!(texts(&store, &conversation, None).await, ["1", "2"]);
        assert_eq!(texts(&store, &conversation, Some("b")).await, ["0", "b0"]);
        // A fork has what its origin had, as it was changed there.
        fork(&store, &conversation, None, "c", Shows::UpTo(&items[1])).await;
        assert_eq!(texts(&store, &conversation, Some("c")).await, ["1"]);
        let counts: Vec<_> = store
            .read()
            .await
            .unwrap()
            .branches(&conversation.user_id, &conversation.id)
            .await
            .unwrap()
            .unwrap()
            .iter()
            .map(|branch| branch.item_count)
            .collect();
        assert_eq!(counts, [2, 2, 1]);
        assert_eq!(database.number(ITEMS).await, 4);
        // The last two to show an item of all three.
        assert!(hide(&store, &conversation, None, &items[1]).await);
        assert_eq!(database.number(ITEMS).await, 4);
        assert!(hide(&store, &conversation, Some("c"), &items[1]).await);
        assert_eq!(database.number(ITEMS).await, 3);
    }

    async fn a_hidden_item_goes_with_the_last_branch_that_shows_it(database: Database) {
        let store = open(&database).await;
        let (conversation, items) = start(&store, &["0", "1"]).await;
        fork(&store, &conversation, None, "b", Shows::All).await;
        assert!(hide(&store, &conversation, None, &items[0]).await);
        assert_eq!(database.number(ITEMS).await, 2);
        let b = history(&store, &conversation, Some("b")).await;
        let mut tx = store.write().await.unwrap();
        tx.delete_branch(&b).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(database.number(ITEMS).await, 1);
        assert_eq!(texts(&store, &conversation, None).await, ["1"]);
    }

    async fn one_branch_shows_another_body(database: Database) {
        let store = open(&database).await;
        let (conversation, items) = start(&store, &["0", "1", "2"]).await;
        fork(&store, &conversation, None, "before", Shows::All).await;
        assert!(change(&store, &conversation, None, &items[1], "one").await);
        assert!(change(&store, &conversation, None, &items[1], "ONE").await);
        fork(&store, &conversation, None, "after", Shows::All).await;
        assert_eq!(texts(&store, &conversation, None).await, ["0", "ONE", "2"]);
        assert_eq!(texts(&store, &conversation, Some("before")).await, ["0", "1", "2"]);
        assert_eq!(texts(&store, &conversation, Some("after")).await, ["0", "ONE", "2"]);
        let main = history(&store, &conversation, None).await;
        let mut reader = store.read().await.unwrap();
        let changed = reader.item(&main, &items[1].id).await.unwrap().unwrap();
        assert_eq!((changed.edited_at, changed.sequence), (Some(NOW + HOUR), items[1].sequence));
        assert_eq!(reader.item(&main, &items[0].id).await.unwrap().unwrap().edited_at, None);
    }
}
