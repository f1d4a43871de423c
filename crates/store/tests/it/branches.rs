//! Branches of conversations.

use ::store::{Fork, History, Shows, Store};
use domain::{
    conversation::{Branch, Conversation},
    item::Item,
};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, a_conversation, append, insert_conversation, insert_user, open, texts};

/// Forks the named branch; with `activate` the fork becomes the active one.
async fn fork(
    store: &Store,
    of: (&Conversation, Option<&str>),
    name: &str,
    shows: Shows<'_>,
    activate: bool,
) -> History {
    let (conversation, branch) = of;
    let (owner, id) = (&conversation.user_id, &conversation.id);
    let mut tx = store.write().await.unwrap();
    tx.lock_conversation(owner, id).await.unwrap().unwrap();
    let (_, history) = tx.history(owner, id, branch).await.unwrap().unwrap();
    let fork = Fork { name, description: None, from: None, shows };
    let forked = tx.fork(&history.unwrap(), &fork, NOW).await.unwrap();
    if activate {
        tx.activate_branch(&forked, NOW).await.unwrap();
    }
    tx.commit().await.unwrap();
    forked
}

async fn delete(store: &Store, conversation: &Conversation, branch: &str) {
    let mut tx = store.write().await.unwrap();
    let (_, history) = tx.history(&conversation.user_id, &conversation.id, Some(branch)).await.unwrap().unwrap();
    tx.delete_branch(&history.unwrap()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn branches(store: &Store, conversation: &Conversation) -> Vec<Branch> {
    let mut reader = store.read().await.unwrap();
    reader.branches(&conversation.user_id, &conversation.id).await.unwrap().unwrap()
}

async fn start(store: &Store, texts: &[&str]) -> (Conversation, Vec<Item>) {
    let user = insert_user(store).await;
    let conversation = a_conversation(&user, 0);
    insert_conversation(store, &conversation).await;
    let items = append(store, &conversation, None, texts).await;
    (conversation, items)
}

const ITEMS: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM conversation_items";

on_both_databases! {
    async fn a_fork_shows_what_was_before_it_and_copies_nothing(database: Database) {
        let store = open(&database).await;
        let (conversation, items) = start(&store, &["0", "1", "2", "3"]).await;
        fork(&store, (&conversation, None), "up to", Shows::UpTo(&items[1]), false).await;
        fork(&store, (&conversation, None), "before", Shows::Before(&items[1]), false).await;
        fork(&store, (&conversation, None), "all", Shows::All, false).await;
        fork(&store, (&conversation, None), "none", Shows::Before(&items[0]), false).await;
        append(&store, &conversation, None, &["4"]).await;
        append(&store, &conversation, Some("up to"), &["x"]).await;
        append(&store, &conversation, Some("none"), &["y"]).await;
        for (branch, expected) in [
            (None, &["0", "1", "2", "3", "4"][..]),
            (Some("MAIN"), &["0", "1", "2", "3", "4"]),
            (Some("up to"), &["0", "1", "x"]),
            (Some("before"), &["0"]),
            (Some("all"), &["0", "1", "2", "3"]),
            (Some("none"), &["y"]),
        ] {
            assert_eq!(texts(&store, &conversation, branch).await, expected, "{branch:?}");
        }
        let counts: Vec<_> = branches(&store, &conversation).await.iter().map(|b| (b.name.clone(), b.item_count)).collect();
        let expected = [("MAIN", 5), ("up to", 3), ("before", 1), ("all", 4), ("none", 1)];
        assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
        assert_eq!(database.number(ITEMS).await, 7);
    }

    async fn forks_of_forks_show_their_whole_history(database: Database) {
        let store = open(&database).await;
        let (conversation, items) = start(&store, &["0", "1"]).await;
        let mut last = items[1].clone();
        for n in 0..10 {
            fork(&store, (&conversation, None), &format!("b{n}"), Shows::UpTo(&last), true).await;
            let added = append(&store, &conversation, None, &[&*format!("a{n}"), &*format!("z{n}")]).await;
            last = added[0].clone();
        }
        let mut expected = vec!["0".to_owned(), "1".to_owned()];
        expected.extend((0..10).map(|n| format!("a{n}")));
        expected.push("z9".to_owned());
        assert_eq!(texts(&store, &conversation, None).await, expected);

        // Pages of every size cross the forks.
        let mut reader = store.read().await.unwrap();
        let (found, history) = reader.history(&conversation.user_id, &conversation.id, None).await.unwrap().unwrap();
        assert_eq!((found.active_branch.as_str(), found.item_count), ("b9", 13));
        let history = history.unwrap();
        for limit in 1..15 {
            for order in [domain::page::Order::Asc, domain::page::Order::Desc] {
                let (mut seen, mut after) = (Vec::new(), None);
                loop {
                    let page = reader.items(&history, ::store::ItemPage { limit, bytes: usize::MAX, after, order }).await.unwrap();
                    after = page.items.last().map(|item| item.sequence);
                    seen.extend(page.items.iter().map(crate::support::text_of));
                    if !page.has_more {
                        break;
                    }
                }
                if order == domain::page::Order::Desc {
                    seen.reverse();
                }
                assert_eq!(seen, expected, "{limit} {order:?}");
            }
        }
    }

    async fn many_forks_at_one_place_do_not_make_the_history_deep(database: Database) {
        let store = open(&database).await;
        let (conversation, items) = start(&store, &["question", "answer"]).await;
        let mut answer = items[1].clone();
        for n in 0..20 {
            fork(&store, (&conversation, None), &format!("b{n}"), Shows::Before(&answer), true).await;
            answer = append(&store, &conversation, None, &["answer"]).await.remove(0);
        }
        assert_eq!(texts(&store, &conversation, None).await, ["question", "answer"]);
        let longest = if database.is_postgres() {
            "SELECT CAST(MAX(jsonb_array_length(history)) AS BIGINT) FROM conversation_branches"
        } else {
            "SELECT MAX(json_array_length(history)) FROM conversation_branches"
        };
        assert_eq!(database.number(longest).await, 1);
    }

    async fn a_name_can_move_to_another_line(database: Database) {
        let store = open(&database).await;
        let (conversation, items) = start(&store, &["0", "1"]).await;
        let (owner, id) = (&conversation.user_id, &conversation.id);
        let mut tx = store.write().await.unwrap();
        let (_, main) = tx.history(owner, id, None).await.unwrap().unwrap();
        let description = Some("the former one");
        let fork = Fork { name: "", description, from: Some(&items[1].id), shows: Shows::Before(&items[1]) };
        let new = tx.replace_main(&main.unwrap(), "MAIN_1", &fork, NOW + HOUR).await.unwrap();
        assert_eq!(new.branch(), "MAIN");
        tx.commit().await.unwrap();
        append(&store, &conversation, None, &["x"]).await;
        assert_eq!(texts(&store, &conversation, None).await, ["0", "x"]);
        assert_eq!(texts(&store, &conversation, Some("MAIN")).await, ["0", "x"]);
        assert_eq!(texts(&store, &conversation, Some("MAIN_1")).await, ["0", "1"]);
        let all = branches(&store, &conversation).await;
        assert_eq!((all[0].name.as_str(), all[0].is_active, all[0].item_count), ("MAIN_1", false, 2));
        let new = &all[1];
        assert_eq!((new.name.as_str(), new.is_active, new.item_count), ("MAIN", true, 2));
        assert_eq!((new.parent.as_deref(), new.description.as_deref()), (Some("MAIN_1"), description));
        assert_eq!((&new.forked_from, new.forked_at), (&Some(items[1].id.clone()), Some(NOW + HOUR)));
    }

    async fn counts_follow_the_active_branch(database: Database) {
        let store = open(&database).await;
        let (conversation, _) = start(&store, &["0", "1"]).await;
        let (owner, id) = (&conversation.user_id, &conversation.id);
        assert_eq!(branches(&store, &conversation).await[0].item_count, 2, "before the first fork, too");
        fork(&store, (&conversation, None), "b", Shows::All, true).await;
        append(&store, &conversation, None, &["2"]).await;
        append(&store, &conversation, Some("MAIN"), &["x", "y"]).await;
        let count = async || store.read().await.unwrap().conversation(owner, id).await.unwrap().unwrap().item_count;
        assert_eq!(count().await, 3);
        let mut tx = store.write().await.unwrap();
        let (_, main) = tx.history(owner, id, Some("MAIN")).await.unwrap().unwrap();
        tx.activate_branch(&main.unwrap(), NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count().await, 4);
        let counts: Vec<_> = branches(&store, &conversation).await.iter().map(|branch| branch.item_count).collect();
        assert_eq!(counts, [4, 3]);
    }

    async fn a_deleted_branch_takes_with_it_what_only_it_showed(database: Database) {
        let store = open(&database).await;
        let (conversation, items) = start(&store, &["0", "1"]).await;
        fork(&store, (&conversation, None), "b", Shows::UpTo(&items[0]), false).await;
        let more = append(&store, &conversation, Some("b"), &["b0", "b1", "b2"]).await;
        fork(&store, (&conversation, Some("b")), "c", Shows::UpTo(&more[1]), false).await;
        append(&store, &conversation, Some("c"), &["c0"]).await;
        delete(&store, &conversation, "b").await;
        assert_eq!(texts(&store, &conversation, Some("c")).await, ["0", "b0", "b1", "c0"]);
        assert_eq!(database.number(ITEMS).await, 5, "b2 is gone");
        let names: Vec<_> = branches(&store, &conversation).await.iter().map(|b| (b.name.clone(), b.parent.clone())).collect();
        assert_eq!(names, [("MAIN".to_owned(), None), ("c".to_owned(), None)]);
        delete(&store, &conversation, "c").await;
        assert_eq!(database.number(ITEMS).await, 2);
        assert_eq!(texts(&store, &conversation, None).await, ["0", "1"]);
    }
}
