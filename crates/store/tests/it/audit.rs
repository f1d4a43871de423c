//! The table `audit_logs`.

use std::time::Duration;

use domain::{
    Clock,
    audit::{Act, Actor, Entry, Filter, Origin},
    ids::{AuditId, UserId},
    page::{Order, PageRequest},
};
use testkit::on_both_databases;

use crate::support::{NOW, open};

/// The `n`th line, later in order than those before it.
fn an_entry(n: u64, act: Act, actor: Actor, target: Option<&str>) -> Entry {
    let clock = Clock::fixed(NOW + Duration::from_secs(n));
    Entry {
        id: AuditId::new(&clock),
        created_at: clock.now(),
        act,
        origin: Origin {
            actor,
            address: Some([0xfd00, 0, 0, 0, 0, 0, 0, 7].into()),
            user_agent: Some("curl/8 \u{1f469}".to_owned()),
            request_id: Some(format!("req_{n}")),
        },
        target: target.map(str::to_owned),
        detail: Some("user, admin".to_owned()),
    }
}

fn page(limit: u32, after: Option<&Entry>, order: Order) -> PageRequest {
    PageRequest { limit, after: after.map(|entry| entry.id.to_string()), order }
}

on_both_databases! {
    async fn old_lines_go_a_few_at_a_time_and_others_stay(database: Database) {
        let store = open(&database).await;
        let mut tx = store.write().await.unwrap();
        for n in 0..5 {
            tx.insert_audit(&an_entry(n, Act::KeyCreated, Actor::CommandLine, None)).await.unwrap();
        }
        let until = NOW + Duration::from_secs(2);
        assert_eq!(tx.delete_audit(until, 2).await.unwrap(), 2);
        assert_eq!(tx.delete_audit(until, 2).await.unwrap(), 1);
        assert_eq!(tx.delete_audit(until, 2).await.unwrap(), 0);
        let left = tx.audit_log(&Filter::default(), &page(10, None, Order::Asc)).await.unwrap().unwrap();
        assert_eq!(left.items.iter().map(|entry| entry.created_at).collect::<Vec<_>>(),
            [NOW + Duration::from_secs(3), NOW + Duration::from_secs(4)]);
    }

    async fn lines_come_back_as_they_went_in(database: Database) {
        let store = open(&database).await;
        let bare = Entry {
            origin: Origin::default(),
            detail: None,
            ..an_entry(0, Act::SignInFailed, Actor::Unknown, None)
        };
        let ada = Actor::User(UserId::new(&Clock::System));
        let entries = [
            bare,
            an_entry(1, Act::KeyCreated, ada.clone(), Some("key_1")),
            an_entry(2, Act::RolesChanged, Actor::CommandLine, Some("user_1")),
            an_entry(3, Act::KeyRevoked, ada.clone(), Some("key_1")),
        ];
        let mut tx = store.write().await.unwrap();
        for entry in &entries {
            tx.insert_audit(entry).await.unwrap();
        }
        tx.commit().await.unwrap();

        let mut reader = store.read().await.unwrap();
        let all = reader.audit_log(&Filter::default(), &page(10, None, Order::Asc)).await.unwrap().unwrap();
        assert_eq!(all.items, entries);
        assert!(!all.has_more);
        let first = reader.audit_log(&Filter::default(), &page(2, None, Order::Desc)).await.unwrap().unwrap();
        assert_eq!(first.items, [entries[3].clone(), entries[2].clone()]);
        assert!(first.has_more);
        let next = page(2, first.items.last(), Order::Desc);
        let second = reader.audit_log(&Filter::default(), &next).await.unwrap().unwrap();
        assert_eq!(second.items, [entries[1].clone(), entries[0].clone()]);
        assert!(!second.has_more);
        let unknown = an_entry(9, Act::SignedIn, Actor::Unknown, None);
        let beyond = page(2, Some(&unknown), Order::Desc);
        assert!(reader.audit_log(&Filter::default(), &beyond).await.unwrap().is_none());

        for (filter, found) in [
            (Filter { act: Some(Act::KeyCreated), ..Filter::default() }, &entries[1..2]),
            (Filter { actor: Some(Actor::CommandLine), ..Filter::default() }, &entries[2..3]),
            (Filter { actor: Some(Actor::Unknown), ..Filter::default() }, &entries[..1]),
            (Filter { target: Some("user_1".to_owned()), ..Filter::default() }, &entries[2..3]),
            (Filter { act: Some(Act::KeyRevoked), actor: Some(ada.clone()), target: Some("key_1".to_owned()), skip: 0 }, &entries[3..]),
            (Filter { skip: 3, ..Filter::default() }, &entries[3..]),
            (Filter { target: Some("key_2".to_owned()), ..Filter::default() }, &[]),
        ] {
            let page = reader.audit_log(&filter, &page(10, None, Order::Asc)).await.unwrap().unwrap();
            assert_eq!(page.items, found, "{filter:?}");
        }
        let hers = Filter { actor: Some(ada), ..Filter::default() };
        for (after, order, found) in [(&entries[3], Order::Desc, &entries[1..2]), (&entries[0], Order::Asc, &entries[1..2])] {
            let page = reader.audit_log(&hers, &page(1, Some(after), order)).await.unwrap().unwrap();
            assert_eq!(page.items, found);
        }
    }

    async fn what_is_noted_once_keeps_its_first_line(database: Database) {
        let store = open(&database).await;
        let entry = |n| an_entry(n, Act::SignInFailed, Actor::Unknown, None);
        let mut tx = store.write().await.unwrap();
        assert!(tx.insert_audit_once(&entry(0), "one").await.unwrap());
        assert!(!tx.insert_audit_once(&entry(1), "one").await.unwrap());
        assert!(tx.insert_audit_once(&entry(2), "two").await.unwrap());
        tx.insert_audit(&entry(3)).await.unwrap();
        tx.insert_audit(&entry(4)).await.unwrap();
        let page = page(10, None, Order::Asc);
        let lines = tx.audit_log(&Filter::default(), &page).await.unwrap().unwrap().items;
        let ids: Vec<_> = lines.into_iter().filter_map(|line| line.origin.request_id).collect();
        assert_eq!(ids, ["req_0", "req_2", "req_3", "req_4"]);
    }
}
