//! The table `api_keys`.

use ::store::{KeyFilter, Store};
use domain::{
    Clock,
    api_key::ApiKey,
    ids::{ApiKeyId, UserId},
    page::{Order, PageRequest},
};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, a_key, digest, insert_key, insert_user, open};

fn page(limit: u32, after: Option<&ApiKey>, order: Order) -> PageRequest {
    PageRequest { limit, after: after.map(|key| key.id.as_str().to_owned()), order }
}

async fn revoke(store: &Store, key: &ApiKey) -> bool {
    let mut tx = store.write().await.unwrap();
    let revoked = tx.revoke_api_key(&key.user_id, &key.id, NOW).await.unwrap();
    tx.commit().await.unwrap();
    revoked
}

on_both_databases! {
    async fn a_key_is_found_by_its_digest_with_its_owner(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        insert_user(&store).await;
        let key = a_key(&user, 1);
        insert_key(&store, &key).await;
        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.api_key_by_digest(&digest(&key)).await.unwrap(), Some((key, user)));
        assert_eq!(reader.api_key_by_digest(&[0; 32]).await.unwrap(), None);
    }

    async fn a_revoked_key_is_found_and_says_so(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let key = a_key(&user, 1);
        insert_key(&store, &key).await;
        assert!(revoke(&store, &key).await);
        assert!(!revoke(&store, &key).await, "a key is taken back once");
        let (found, _) = store.read().await.unwrap().api_key_by_digest(&digest(&key)).await.unwrap().unwrap();
        assert_eq!(found.revoked_at, Some(NOW));
    }

    async fn a_disabled_users_key_is_not_found(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let key = a_key(&user, 1);
        insert_key(&store, &key).await;
        database.execute("UPDATE users SET disabled_at = 1").await;
        assert_eq!(store.read().await.unwrap().api_key_by_digest(&digest(&key)).await.unwrap(), None);
    }

    async fn two_keys_never_share_a_digest(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let key = a_key(&user, 1);
        insert_key(&store, &key).await;
        let mut tx = store.write().await.unwrap();
        tx.insert_api_key(&a_key(&user, 2), &digest(&key)).await.unwrap_err();
    }

    async fn pages_follow_each_other_in_both_directions(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let keys: Vec<ApiKey> = (0..5).map(|n| a_key(&user, n)).collect();
        for key in &keys {
            insert_key(&store, key).await;
        }
        let mut reader = store.read().await.unwrap();
        for order in [Order::Asc, Order::Desc] {
            let mut expected = keys.clone();
            if order == Order::Desc {
                expected.reverse();
            }
            let mut seen: Vec<ApiKey> = Vec::new();
            loop {
                let request = page(2, seen.last(), order);
                let found = reader.api_keys(&user.id, KeyFilter::All, &request).await.unwrap().unwrap();
                assert_eq!(found.total, Some(5));
                seen.extend(found.items);
                assert_eq!(found.has_more, seen.len() < 5);
                if !found.has_more {
                    break;
                }
            }
            assert_eq!(seen, expected);
        }
        let whole = reader.api_keys(&user.id, KeyFilter::All, &page(5, None, Order::Asc)).await.unwrap().unwrap();
        assert!(!whole.has_more, "a page that holds exactly everything has no more after it");
        let past = reader.api_keys(&user.id, KeyFilter::All, &page(5, keys.last(), Order::Asc)).await.unwrap().unwrap();
        assert!(past.items.is_empty() && !past.has_more);
    }

    async fn a_page_after_nobodys_or_anothers_key_is_none(database: Database) {
        let store = open(&database).await;
        let (user, stranger) = (insert_user(&store).await, insert_user(&store).await);
        let key = a_key(&user, 1);
        insert_key(&store, &key).await;
        let mut reader = store.read().await.unwrap();
        let after_foreign = page(5, Some(&key), Order::Asc);
        assert!(reader.api_keys(&stranger.id, KeyFilter::All, &after_foreign).await.unwrap().is_none());
        let after_unknown = PageRequest { after: Some("'; DROP TABLE users; --".to_owned()), ..after_foreign };
        assert!(reader.api_keys(&user.id, KeyFilter::All, &after_unknown).await.unwrap().is_none());
    }

    async fn the_filter_counts_and_lists_the_active(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let (active, revoked) = (a_key(&user, 1), a_key(&user, 2));
        let mut expired = a_key(&user, 3);
        expired.expires_at = NOW;
        for key in [&active, &revoked, &expired] {
            insert_key(&store, key).await;
        }
        revoke(&store, &revoked).await;

        let mut reader = store.read().await.unwrap();
        let now = KeyFilter::Active(NOW);
        assert_eq!(reader.count_api_keys(&user.id, KeyFilter::All).await.unwrap(), 3);
        assert_eq!(reader.count_api_keys(&user.id, now).await.unwrap(), 1);
        assert_eq!(reader.count_api_keys(&user.id, KeyFilter::Active(NOW + HOUR)).await.unwrap(), 0);
        let found = reader.api_keys(&user.id, now, &page(10, None, Order::Desc)).await.unwrap().unwrap();
        assert_eq!((found.items, found.total), (vec![active], Some(1)));
    }

    async fn foreign_owners_see_count_and_revoke_nothing(database: Database) {
        let store = open(&database).await;
        let (user, stranger) = (insert_user(&store).await, insert_user(&store).await);
        let key = a_key(&user, 1);
        insert_key(&store, &key).await;

        let mut tx = store.write().await.unwrap();
        let found = tx.api_keys(&stranger.id, KeyFilter::All, &page(10, None, Order::Desc)).await.unwrap().unwrap();
        assert!(found.items.is_empty());
        assert_eq!(found.total, Some(0));
        assert_eq!(tx.count_api_keys(&stranger.id, KeyFilter::All).await.unwrap(), 0);
        assert!(!tx.revoke_api_key(&stranger.id, &key.id, NOW).await.unwrap());
        assert!(!tx.revoke_api_key(&user.id, &ApiKeyId::new(&Clock::System), NOW).await.unwrap());
        tx.commit().await.unwrap();
        let (found, _) = store.read().await.unwrap().api_key_by_digest(&digest(&key)).await.unwrap().unwrap();
        assert_eq!(found.revoked_at, None);
    }

    async fn a_key_without_a_user_is_refused(database: Database) {
        let store = open(&database).await;
        let mut key = a_key(&insert_user(&store).await, 1);
        key.user_id = UserId::new(&Clock::System);
        let mut tx = store.write().await.unwrap();
        tx.insert_api_key(&key, &digest(&key)).await.unwrap_err();
    }

    async fn the_time_of_use_never_moves_back(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let key = a_key(&user, 1);
        insert_key(&store, &key).await;
        for (used, expected) in [(NOW, NOW), (NOW + HOUR, NOW + HOUR), (NOW, NOW + HOUR)] {
            let mut tx = store.write().await.unwrap();
            tx.touch_api_key(&key.id, used).await.unwrap();
            tx.commit().await.unwrap();
            let (found, _) = store.read().await.unwrap().api_key_by_digest(&digest(&key)).await.unwrap().unwrap();
            assert_eq!(found.last_used_at, Some(expected));
        }
    }

    // Without the lock, PostgreSQL lets all ten count four keys and add a sixth.
    async fn a_limit_holds_against_a_race_under_the_users_lock(database: Database) {
        const LIMIT: u64 = 5;
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let add = async |n: u8| {
            let mut tx = store.write().await.unwrap();
            tx.lock_user(&user.id).await.unwrap();
            let before = tx.count_api_keys(&user.id, KeyFilter::All).await.unwrap();
            tokio::task::yield_now().await;
            if before < LIMIT {
                let key = a_key(&user, n);
                tx.insert_api_key(&key, &digest(&key)).await.unwrap();
                tx.commit().await.unwrap();
            }
        };
        tokio::join!(add(0), add(1), add(2), add(3), add(4), add(5), add(6), add(7), add(8), add(9));
        assert_eq!(store.read().await.unwrap().count_api_keys(&user.id, KeyFilter::All).await.unwrap(), LIMIT);
    }

    async fn all_of_an_owners_good_keys_are_taken_back(database: Database) {
        let store = open(&database).await;
        let (ada, eve) = (insert_user(&store).await, insert_user(&store).await);
        let mut lapsed = a_key(&ada, 0);
        lapsed.expires_at = NOW;
        for key in [&lapsed, &a_key(&ada, 1), &a_key(&ada, 2), &a_key(&eve, 3)] {
            insert_key(&store, key).await;
        }
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.revoke_api_keys(&ada.id, NOW).await.unwrap(), 2);
        assert_eq!(tx.revoke_api_keys(&ada.id, NOW).await.unwrap(), 0);
        assert_eq!(tx.count_api_keys(&ada.id, KeyFilter::Active(NOW)).await.unwrap(), 0);
        assert_eq!(tx.count_api_keys(&eve.id, KeyFilter::Active(NOW)).await.unwrap(), 1);
    }
}
