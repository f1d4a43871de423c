//! Finding items by a name, on whichever branch shows them.

use ::store::{Fork, Shows};
use domain::ids::ItemId;
use testkit::on_both_databases;

use crate::support::{NOW, a_conversation, a_message, append, insert_conversation, insert_user, open};

on_both_databases! {
    async fn an_item_is_found_on_any_branch(database: Database) {
        let store = open(&database).await;
        let (ada, bob) = (insert_user(&store).await, insert_user(&store).await);
        let (conversation, other) = (a_conversation(&ada, 0), a_conversation(&ada, 1));
        insert_conversation(&store, &conversation).await;
        insert_conversation(&store, &other).await;
        let items = append(&store, &conversation, None, &["0", "1"]).await;
        let foreign = append(&store, &other, None, &["x"]).await;
        let id = &conversation.id;
        let mut tx = store.write().await.unwrap();
        let (_, main) = tx.history(&ada.id, id, None).await.unwrap().unwrap();
        let fork = Fork { name: "b", description: None, from: None, shows: Shows::Before(&items[1]) };
        let forked = tx.fork(&main.unwrap(), &fork, NOW).await.unwrap();
        tx.activate_branch(&forked, NOW).await.unwrap();
        tx.commit().await.unwrap();

        let mut reader = store.read().await.unwrap();
        let branch = async |reader: &mut ::store::Reader, item: &ItemId| {
            reader.find_item(&ada.id, id, item).await.unwrap().map(|(_, item)| item.branch)
        };
        assert_eq!(branch(&mut reader, &items[0].id).await.as_deref(), Some("b"));
        assert_eq!(branch(&mut reader, &items[1].id).await.as_deref(), Some("MAIN"));
        assert_eq!(branch(&mut reader, &foreign[0].id).await, None);
        assert!(reader.find_item(&bob.id, id, &items[0].id).await.unwrap().is_none());
        assert!(reader.find_item(&ada.id, &other.id, &items[0].id).await.unwrap().is_none());
    }

    async fn a_call_is_found_on_any_branch(database: Database) {
        let store = open(&database).await;
        let (ada, bob) = (insert_user(&store).await, insert_user(&store).await);
        let conversation = a_conversation(&ada, 0);
        insert_conversation(&store, &conversation).await;
        let id = &conversation.id;
        let mut call = a_message("call");
        "mcp_call".clone_into(&mut call.head.kind);
        call.head.call_id = Some("c".to_owned());
        let mut tx = store.write().await.unwrap();
        tx.append_items(&ada.id, id, None, vec![a_message("0"), call.clone()], true, NOW).await.unwrap();
        let (_, main) = tx.history(&ada.id, id, None).await.unwrap().unwrap();
        let main = main.unwrap();
        let first = tx.item(&main, &call.id).await.unwrap().unwrap();
        let fork = Fork { name: "b", description: None, from: None, shows: Shows::Before(&first) };
        let forked = tx.fork(&main, &fork, NOW).await.unwrap();
        tx.activate_branch(&forked, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let mut reader = store.read().await.unwrap();
        let found = reader.find_call(&ada.id, id, "c", None).await.unwrap();
        assert_eq!(found.map(|item| (item.id, item.branch)), Some((call.id, "MAIN".to_owned())));
        assert_eq!(reader.find_call(&ada.id, id, "c", Some("function_call")).await.unwrap(), None);
        assert_eq!(reader.find_call(&bob.id, id, "c", None).await.unwrap(), None);
    }
}
