//! Pages of conversations.

use domain::{
    Clock,
    conversation::{Conversation, Filter, ProjectFilter, Sort},
    ids::{ProjectId, UserId},
    page::{Order, PageRequest},
};
use store::{Reader, Store};
use testkit::on_both_databases;

use crate::support::{NOW, a_conversation, append, insert_conversation, insert_user, open};

/// The numbers of the conversations on a page, by their titles, and whether there are more.
async fn page(
    reader: &mut Reader,
    owner: &UserId,
    filter: &Filter,
    sort: Sort,
    (limit, after, order): (u32, Option<&Conversation>, Order),
) -> (Vec<String>, bool) {
    let request = PageRequest { limit, after: after.map(|one| one.id.to_string()), order };
    let page = reader.conversations(owner, filter, sort, &request, 0).await.unwrap().unwrap();
    (page.items.into_iter().filter_map(|one| one.title).collect(), page.has_more)
}

/// The `n`th conversation of an owner, by that title.
fn numbered(user: &domain::user::User, n: u64) -> Conversation {
    Conversation { title: Some(n.to_string()), ..a_conversation(user, n) }
}

async fn insert_all(store: &Store, all: &[Conversation]) {
    for one in all {
        insert_conversation(store, one).await;
    }
}

on_both_databases! {
    async fn pages_follow_one_another_in_each_order(database: Database) {
        let store = open(&database).await;
        let (ada, bob) = (insert_user(&store).await, insert_user(&store).await);
        let all: Vec<_> = (0..5).map(|n| numbered(&ada, n)).collect();
        insert_all(&store, &all).await;
        insert_conversation(&store, &numbered(&bob, 9)).await;
        // The first is the last that was changed.
        let mut tx = store.write().await.unwrap();
        let changed = Conversation { updated_at: NOW + std::time::Duration::from_mins(1), ..all[0].clone() };
        assert!(tx.update_conversation(&changed).await.unwrap());
        tx.commit().await.unwrap();

        let reader = &mut store.read().await.unwrap();
        let any = &Filter::default();
        for (sort, order, expected) in [
            (Sort::Created, Order::Desc, ["4", "3", "2", "1", "0"]),
            (Sort::Created, Order::Asc, ["0", "1", "2", "3", "4"]),
            (Sort::Updated, Order::Desc, ["0", "4", "3", "2", "1"]),
            (Sort::Updated, Order::Asc, ["1", "2", "3", "4", "0"]),
        ] {
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let (titles, more) = page(reader, &ada.id, any, sort, (2, after, order)).await;
                after = all.iter().find(|one| one.title.as_ref() == titles.last());
                seen.extend(titles);
                if !more {
                    break;
                }
            }
            assert_eq!(seen, expected, "{sort:?} {order:?}");
        }
        let request = PageRequest { limit: 2, after: None, order: Order::Desc };
        let skipped = reader.conversations(&ada.id, any, Sort::Created, &request, 3).await.unwrap().unwrap();
        assert_eq!(skipped.items.iter().map(|one| one.title.as_deref()).collect::<Vec<_>>(), [Some("1"), Some("0")]);
        for unknown in [all[0].id.to_string(), "conv_0000000000000000".to_owned(), "' OR 1".to_owned()] {
            let request = PageRequest { limit: 2, after: Some(unknown), order: Order::Desc };
            assert!(reader.conversations(&bob.id, any, Sort::Created, &request, 0).await.unwrap().is_none());
        }
    }

    async fn conversations_of_one_moment_are_all_seen(database: Database) {
        let store = open(&database).await;
        let ada = insert_user(&store).await;
        let all: Vec<_> = (0..7).map(|_| a_conversation(&ada, 0)).collect();
        insert_all(&store, &all).await;
        let reader = &mut store.read().await.unwrap();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let request = PageRequest { limit: 3, after, order: Order::Desc };
            let page =
                reader.conversations(&ada.id, &Filter::default(), Sort::Updated, &request, 0).await.unwrap().unwrap();
            seen.extend(page.items.iter().map(|one| one.id.clone()));
            after = page.items.last().map(|one| one.id.to_string());
            if !page.has_more {
                break;
            }
        }
        let mut expected: Vec<_> = all.into_iter().map(|one| one.id).collect();
        expected.sort();
        expected.reverse();
        assert_eq!(seen, expected);
    }

    async fn filters_let_through_what_they_name(database: Database) {
        let store = open(&database).await;
        let ada = insert_user(&store).await;
        let (red, blue) = (ProjectId::new(&Clock::System), ProjectId::new(&Clock::System));
        let mut all: Vec<_> = (0..4).map(|n| numbered(&ada, n)).collect();
        all[0].project_id = Some(red.clone());
        all[1].project_id = Some(blue.clone());
        all[1].referrer = Some("web".to_owned());
        all[2].referrer = Some("web".to_owned());
        insert_all(&store, &all).await;
        append(&store, &all[0], None, &["about trees"]).await;
        append(&store, &all[1], None, &["about trees"]).await;
        store.catch_up_index(&ada.id).await.unwrap();

        let reader = &mut store.read().await.unwrap();
        let web = Some("web".to_owned());
        let trees = Some("tree".to_owned());
        for (filter, expected) in [
            (Filter { project: ProjectFilter::In(red.clone()), ..Filter::default() }, &["0"][..]),
            (Filter { project: ProjectFilter::InSome, ..Filter::default() }, &["1", "0"]),
            (Filter { project: ProjectFilter::InNone, ..Filter::default() }, &["3", "2"]),
            (Filter { referrer: web.clone(), ..Filter::default() }, &["2", "1"]),
            (Filter { referrer: web.clone(), project: ProjectFilter::InNone, ..Filter::default() }, &["2"]),
            (Filter { referrer: web.clone(), project: ProjectFilter::In(blue), ..Filter::default() }, &["1"]),
            (Filter { referrer: web.clone(), project: ProjectFilter::In(red.clone()), ..Filter::default() }, &[]),
            (Filter { referrer: Some("we".to_owned()), ..Filter::default() }, &[]),
            (Filter { text: trees.clone(), ..Filter::default() }, &["1", "0"]),
            (Filter { text: trees.clone(), referrer: web, ..Filter::default() }, &["1"]),
            (Filter { text: trees.clone(), project: ProjectFilter::In(red), ..Filter::default() }, &["0"]),
            (Filter { text: trees, project: ProjectFilter::InNone, ..Filter::default() }, &[]),
        ] {
            for order in [Order::Desc, Order::Asc] {
                for sort in [Sort::Created, Sort::Updated] {
                    let (mut titles, more) = page(reader, &ada.id, &filter, sort, (10, None, order)).await;
                    titles.sort();
                    titles.reverse();
                    assert_eq!((titles, more), (expected.iter().map(ToString::to_string).collect(), false), "{filter:?}");
                }
            }
        }
    }
}
