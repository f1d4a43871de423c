//! Guests who do not come back.

use std::time::Duration;

use ::store::{NewRefreshToken, Store};
use domain::{Role, Timestamp, user::User};
use testkit::{database::Database, on_both_databases};

use crate::support::{HOUR, NOW, a_key, a_refresh_token, a_session, a_user, insert_key, insert_user, open};

/// When the operator has waited long enough for who came at [`NOW`].
const LATER: Duration = Duration::from_hours(24);

async fn guest(store: &Store) -> User {
    let guest = User { roles: vec![Role::Guest], ..a_user() };
    let mut tx = store.write().await.unwrap();
    tx.insert_user(&guest).await.unwrap();
    tx.commit().await.unwrap();
    guest
}

async fn is_idle(store: &Store, guest: &User) -> bool {
    let mut tx = store.write().await.unwrap();
    let looked = tx.idle_guests(None, 100, NOW + HOUR, NOW + LATER).await.unwrap();
    let deleted = tx.delete_idle_guest(&guest.id, NOW + HOUR, NOW + LATER).await.unwrap();
    assert_eq!(looked.idle.contains(&guest.id), deleted, "both judge alike");
    deleted // And not committed.
}

async fn execute(database: &Database, statement: String) {
    database.execute(&statement).await;
}

on_both_databases! {
    async fn who_left_nothing_is_idle_and_goes_with_all_rows(database: Database) {
        let store = open(&database).await;
        let guest = guest(&store).await;
        let session = a_session(&guest);
        let mut tx = store.write().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        tx.insert_refresh_token(&a_refresh_token(&session, &[1; 32])).await.unwrap();
        tx.commit().await.unwrap();
        assert!(is_idle(&store, &guest).await);
        let mut tx = store.write().await.unwrap();
        assert!(tx.delete_idle_guest(&guest.id, NOW + HOUR, NOW + LATER).await.unwrap());
        assert!(!tx.delete_idle_guest(&guest.id, NOW + HOUR, NOW + LATER).await.unwrap());
        tx.commit().await.unwrap();
        let left = "SELECT CAST((SELECT COUNT(*) FROM users) + (SELECT COUNT(*) FROM sessions)
            + (SELECT COUNT(*) FROM refresh_tokens) AS BIGINT)";
        assert_eq!(database.number(left).await, 0);
    }

    async fn guests_are_counted_as_far_as_it_matters(database: Database) {
        let store = open(&database).await;
        for _ in 0..3 {
            guest(&store).await;
        }
        insert_user(&store).await;
        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.count_guests(5).await.unwrap(), 3);
        assert_eq!(reader.count_guests(1).await.unwrap(), 2, "one too many is enough to know");
    }

    async fn who_came_or_renewed_since_stays(database: Database) {
        let store = open(&database).await;
        let guest = guest(&store).await;
        let mut tx = store.write().await.unwrap();
        assert!(!tx.delete_idle_guest(&guest.id, Timestamp::from_seconds(0), NOW).await.unwrap(), "just came");
        let session = a_session(&guest);
        tx.insert_session(&session).await.unwrap();
        let token = NewRefreshToken { created_at: NOW + HOUR * 2, ..a_refresh_token(&session, &[1; 32]) };
        tx.insert_refresh_token(&token).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!is_idle(&store, &guest).await);
    }

    async fn accounts_and_whoever_has_a_good_key_stay(database: Database) {
        let store = open(&database).await;
        for roles in [vec![Role::User], vec![Role::Guest, Role::User]] {
            let user = User { roles, username: format!("u{}", a_user().id), ..a_user() };
            let mut tx = store.write().await.unwrap();
            tx.insert_user(&user).await.unwrap();
            tx.commit().await.unwrap();
            assert!(!is_idle(&store, &user).await);
        }
        let guest = guest(&store).await;
        let mut key = a_key(&guest, 0);
        key.expires_at = NOW + LATER * 2;
        insert_key(&store, &key).await;
        assert!(!is_idle(&store, &guest).await);
        let mut tx = store.write().await.unwrap();
        tx.revoke_api_key(&guest.id, &key.id, NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert!(is_idle(&store, &guest).await, "a revoked key lets nobody in");
    }

    async fn whoever_made_something_stays(database: Database) {
        let store = open(&database).await;
        let things = [
            "INSERT INTO conversations (id, user_id, metadata, is_private, active_line, active_branch, item_count,
                next_line, next_sequence, created_at, updated_at)
             VALUES ('c', '{user}', '{}', FALSE, 0, 'MAIN', 0, 1, 1, 0, 0)",
            "INSERT INTO projects (id, user_id, name, is_favorite, created_at, updated_at)
             VALUES ('p', '{user}', 'p', FALSE, 0, 0)",
            "INSERT INTO memories (id, user_id, project_id, kind, content, digest, source, created_at, updated_at)
             VALUES ('m', '{user}', '', 'fact', 'x', DIGEST_, 'user', 0, 0)",
        ];
        let digest = if database.file().is_some() { "x'00'" } else { "'\\x00'" };
        for thing in things {
            let guest = guest(&store).await;
            assert!(is_idle(&store, &guest).await);
            let statement = thing.replace("{user}", guest.id.as_str()).replace("DIGEST_", digest);
            execute(&database, statement.clone()).await;
            assert!(!is_idle(&store, &guest).await, "{statement}");
        }
    }

    async fn all_are_looked_at_in_turn(database: Database) {
        let store = open(&database).await;
        for _ in 0..5 {
            guest(&store).await;
        }
        let mut reader = store.read().await.unwrap();
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let guests = reader.idle_guests(after.as_ref(), 2, NOW + HOUR, NOW + LATER).await.unwrap();
            assert!(guests.idle.len() <= 2);
            seen.extend(guests.idle);
            after = guests.last;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 5);
        assert!(seen.is_sorted());
    }
}

/// A guest who renews at the very moment is waited for and stays.
#[tokio::test]
async fn who_is_just_coming_back_stays() {
    let database = Database::postgres().await;
    let store = open(&database).await;
    let guest = guest(&store).await;
    let session = a_session(&guest);
    let mut tx = store.write().await.unwrap();
    tx.insert_session(&session).await.unwrap();
    tx.commit().await.unwrap();

    let mut coming = store.write().await.unwrap();
    coming.lock_session(&session.id).await.unwrap();
    let token = NewRefreshToken { created_at: NOW + HOUR * 2, ..a_refresh_token(&session, &[1; 32]) };
    coming.insert_refresh_token(&token).await.unwrap();
    let delete = async {
        let mut tx = store.write().await.unwrap();
        let deleted = tx.delete_idle_guest(&guest.id, NOW + HOUR, NOW + LATER).await.unwrap();
        tx.commit().await.unwrap();
        deleted
    };
    let come = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        coming.commit().await.unwrap();
    };
    assert!(!tokio::join!(delete, come).0);
    assert_eq!(database.number("SELECT COUNT(*) FROM refresh_tokens").await, 1);
}
