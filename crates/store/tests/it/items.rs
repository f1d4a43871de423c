//! Items, as branches show them.

use domain::{
    Clock,
    ids::ItemId,
    item::{Head, Making, NewItem, Rating},
    page::Order,
};
use store::{Appended, ItemPage, ItemUpdate};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, a_conversation, a_message, append, insert_conversation, insert_user, open, text_of};

fn a_call(kind: &str, call_id: &str) -> NewItem {
    NewItem {
        id: ItemId::new(&Clock::System),
        head: Head { kind: kind.to_owned(), role: None, status: None, call_id: Some(call_id.to_owned()) },
        body: r#"{"name":"f", "arguments":"{}","n":1.0,"big":123456789012345678901234567890}"#.to_owned(),
        text: None,
        making: Making {
            model: Some("jan-tiny".to_owned()),
            usage: Some(r#"{"total_tokens":3}"#.to_owned()),
            finish_reason: Some("tool_calls".to_owned()),
        },
        created_at: NOW,
        ended_at: None,
    }
}

on_both_databases! {
    async fn items_come_back_as_they_went_in(database: Database) {
        let store = open(&database).await;
        let (ada, bob) = (insert_user(&store).await, insert_user(&store).await);
        let conversation = a_conversation(&ada, 0);
        insert_conversation(&store, &conversation).await;
        let new = vec![a_message("hello \u{1f469}"), a_call("function_call", "call_1")];
        let mut tx = store.write().await.unwrap();
        let appended = tx.append_items(&ada.id, &conversation.id, None, new.clone(), true, NOW + HOUR).await.unwrap();
        let Appended::Items(added) = appended else { panic!("{appended:?}") };
        tx.commit().await.unwrap();
        for (item, new) in added.iter().zip(&new) {
            assert_eq!((&item.id, &item.head, &item.body, &item.making), (&new.id, &new.head, &new.body, &new.making));
            assert_eq!((item.branch.as_str(), item.created_at, item.ended_at), ("MAIN", new.created_at, new.ended_at));
        }
        let mut reader = store.read().await.unwrap();
        let (after, history) = reader.history(&ada.id, &conversation.id, None).await.unwrap().unwrap();
        assert_eq!((after.item_count, after.updated_at), (2, NOW + HOUR));
        let history = history.unwrap();
        assert_eq!(history.branch(), "MAIN");
        let page = ItemPage { limit: 10, bytes: usize::MAX, after: None, order: Order::Asc };
        assert_eq!(reader.items(&history, page).await.unwrap().items, added);
        assert_eq!(reader.item(&history, &added[1].id).await.unwrap().as_ref(), Some(&added[1]));
        assert!(reader.history(&bob.id, &conversation.id, None).await.unwrap().is_none());
        let (_, none) = reader.history(&ada.id, &conversation.id, Some("other")).await.unwrap().unwrap();
        assert!(none.is_none());
    }

    async fn pages_follow_one_another(database: Database) {
        let store = open(&database).await;
        let ada = insert_user(&store).await;
        let conversation = a_conversation(&ada, 0);
        insert_conversation(&store, &conversation).await;
        let all = append(&store, &conversation, None, &["0", "1", "2", "3", "4"]).await;
        assert!(all.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
        let mut reader = store.read().await.unwrap();
        let (_, history) = reader.history(&ada.id, &conversation.id, None).await.unwrap().unwrap();
        let history = history.unwrap();
        for (order, expected) in [(Order::Asc, ["0", "1", "2", "3", "4"]), (Order::Desc, ["4", "3", "2", "1", "0"])] {
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let page = reader.items(&history, ItemPage { limit: 2, bytes: usize::MAX, after, order }).await.unwrap();
                after = page.items.last().map(|item| item.sequence);
                seen.extend(page.items.iter().map(text_of));
                if !page.has_more {
                    break;
                }
            }
            assert_eq!(seen, expected);
        }
    }

    async fn nothing_is_added_to_what_is_not_there(database: Database) {
        let store = open(&database).await;
        let (ada, bob) = (insert_user(&store).await, insert_user(&store).await);
        let conversation = a_conversation(&ada, 0);
        insert_conversation(&store, &conversation).await;
        let mut tx = store.write().await.unwrap();
        let id = &conversation.id;
        let done = tx.append_items(&bob.id, id, None, vec![a_message("x")], true, NOW).await.unwrap();
        assert_eq!(done, Appended::NoConversation);
        let done = tx.append_items(&ada.id, id, Some("other"), vec![a_message("x")], true, NOW).await.unwrap();
        assert_eq!(done, Appended::NoBranch);
    }

    async fn the_id_of_a_call_is_taken_once_for_each_type(database: Database) {
        let store = open(&database).await;
        let ada = insert_user(&store).await;
        let (one, two) = (a_conversation(&ada, 0), a_conversation(&ada, 1));
        insert_conversation(&store, &one).await;
        insert_conversation(&store, &two).await;
        let mut tx = store.write().await.unwrap();
        let pair = || vec![a_call("function_call", "c"), a_call("function_call_output", "c")];
        let done = tx.append_items(&ada.id, &one.id, None, pair(), true, NOW).await.unwrap();
        assert!(matches!(done, Appended::Items(_)));
        let done = tx.append_items(&ada.id, &two.id, None, pair(), true, NOW).await.unwrap();
        assert!(matches!(done, Appended::Items(_)), "another conversation has calls of its own");
        tx.commit().await.unwrap();
        let mut tx = store.write().await.unwrap();
        let done = tx.append_items(&ada.id, &one.id, None, vec![a_call("function_call_output", "c")], true, NOW);
        assert_eq!(done.await.unwrap(), Appended::CallIdExists("c".to_owned()));
        drop(tx);
        let mut tx = store.write().await.unwrap();
        let done = tx.append_items(&ada.id, &one.id, None, vec![a_call("function_call_output", "c")], false, NOW);
        assert!(matches!(done.await.unwrap(), Appended::Items(_)));
        tx.commit().await.unwrap();

        let mut reader = store.read().await.unwrap();
        let (_, history) = reader.history(&ada.id, &one.id, None).await.unwrap().unwrap();
        let history = history.unwrap();
        for (call_id, kind, found) in [
            ("c", None, Some("function_call")),
            ("c", Some("function_call_output"), Some("function_call_output")),
            ("c", Some("mcp_call"), None),
            ("d", None, None),
        ] {
            let item = reader.item_of_call(&history, call_id, kind).await.unwrap();
            assert_eq!(item.map(|item| item.head.kind).as_deref(), found);
        }
    }

    async fn a_call_has_the_outputs_before_the_next_of_its_id(database: Database) {
        let store = open(&database).await;
        let ada = insert_user(&store).await;
        let conversation = a_conversation(&ada, 0);
        insert_conversation(&store, &conversation).await;
        let kinds = ["function_call", "function_call_output", "function_call", "function_call_output"];
        let items = kinds.map(|kind| a_call(kind, "c")).into_iter().chain([a_call("function_call_output", "d")]);
        let mut tx = store.write().await.unwrap();
        let done = tx.append_items(&ada.id, &conversation.id, None, items.collect(), false, NOW).await.unwrap();
        let Appended::Items(items) = done else { panic!("{done:?}") };
        let (_, history) = tx.history(&ada.id, &conversation.id, None).await.unwrap().unwrap();
        let history = history.unwrap();
        for (call, output) in [(&items[0], &items[1]), (&items[2], &items[3])] {
            assert_eq!(tx.outputs_of_call(&history, call).await.unwrap(), std::slice::from_ref(&output.id));
        }
        let newest = tx.item_of_call(&history, "c", Some("function_call")).await.unwrap().unwrap();
        assert_eq!(newest.id, items[2].id);
    }

    async fn a_page_has_no_more_bytes_than_were_asked_for(database: Database) {
        let store = open(&database).await;
        let ada = insert_user(&store).await;
        let conversation = a_conversation(&ada, 0);
        insert_conversation(&store, &conversation).await;
        let texts = [10, 70_000, 10, 200_000, 70_000].map(|size| "x".repeat(size));
        let all = append(&store, &conversation, None, &texts.each_ref().map(String::as_str)).await;
        let mut reader = store.read().await.unwrap();
        let (_, history) = reader.history(&ada.id, &conversation.id, None).await.unwrap().unwrap();
        let history = history.unwrap();
        for (order, sizes) in [(Order::Asc, vec![3, 1, 1]), (Order::Desc, vec![1, 1, 3])] {
            let (mut seen, mut pages, mut after) = (Vec::new(), Vec::new(), None);
            loop {
                let wish = ItemPage { limit: 4, bytes: 100_000, after, order };
                let page = reader.items(&history, wish).await.unwrap();
                pages.push(page.items.len());
                after = page.items.last().map(|item| item.sequence);
                seen.extend(page.items);
                if !page.has_more {
                    break;
                }
            }
            if order == Order::Desc {
                seen.reverse();
            }
            assert_eq!((seen == all, pages), (true, sizes), "{order:?}");
        }
    }

    async fn items_of_two_at_once_do_not_mix(database: Database) {
        let store = open(&database).await;
        let ada = insert_user(&store).await;
        let conversation = a_conversation(&ada, 0);
        insert_conversation(&store, &conversation).await;
        let writer = async |name: &str| {
            for _ in 0..5 {
                append(&store, &conversation, None, &[&*format!("{name}0"), &*format!("{name}1"), &*format!("{name}2")])
                    .await;
            }
        };
        tokio::join!(writer("a"), writer("b"), writer("c"));
        let texts = crate::support::texts(&store, &conversation, None).await;
        assert_eq!(texts.len(), 45);
        for turn in texts.chunks(3) {
            let name = &turn[0][..1];
            assert_eq!(turn, [format!("{name}0"), format!("{name}1"), format!("{name}2")], "{texts:?}");
        }
    }

    async fn an_item_is_written_anew_and_rated(database: Database) {
        let store = open(&database).await;
        let (ada, bob) = (insert_user(&store).await, insert_user(&store).await);
        let conversation = a_conversation(&ada, 0);
        insert_conversation(&store, &conversation).await;
        let item = append(&store, &conversation, None, &["a"]).await.remove(0);
        let update = ItemUpdate {
            id: item.id.clone(),
            status: Some("incomplete".to_owned()),
            body: r#"{"content":[{"type":"output_text","text":"b"}]}"#.to_owned(),
            text: Some("b".to_owned()),
            making: Making { finish_reason: Some("length".to_owned()), ..Making::default() },
            ended_at: Some(NOW + HOUR),
        };
        let rating = Rating { like: false, comment: Some("no".to_owned()), at: NOW };
        let mut tx = store.write().await.unwrap();
        let id = &conversation.id;
        assert!(!tx.update_item(&bob.id, id, &update).await.unwrap());
        assert!(tx.update_item(&ada.id, id, &update).await.unwrap());
        assert!(!tx.rate_item(&bob.id, id, &item.id, Some(&rating)).await.unwrap());
        assert!(tx.rate_item(&ada.id, id, &item.id, Some(&rating)).await.unwrap());
        let (_, history) = tx.history(&ada.id, id, None).await.unwrap().unwrap();
        let history = history.unwrap();
        let found = tx.item(&history, &item.id).await.unwrap().unwrap();
        assert_eq!(found.head.status.as_deref(), Some("incomplete"));
        assert_eq!((found.body, found.making, found.ended_at), (update.body, update.making, update.ended_at));
        assert_eq!(found.rating, Some(rating));
        assert!(tx.rate_item(&ada.id, id, &item.id, None).await.unwrap());
        assert_eq!(tx.item(&history, &item.id).await.unwrap().unwrap().rating, None);
    }
}
