//! The tables `sessions` and `refresh_tokens`.

use std::time::Duration;

use domain::{Clock, ids::SessionId};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, a_session, insert_user, open};

on_both_databases! {
    async fn a_session_lives_until_it_expires(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let session = a_session(&user);
        let mut tx = store.write().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        tx.commit().await.unwrap();

        let mut reader = store.read().await.unwrap();
        let just_before = NOW + (HOUR - Duration::from_micros(1));
        assert_eq!(reader.live_session_user(&user.id, &session.id, NOW).await.unwrap(), Some(user.clone()));
        assert!(reader.live_session_user(&user.id, &session.id, just_before).await.unwrap().is_some());
        assert_eq!(reader.live_session_user(&user.id, &session.id, NOW + HOUR).await.unwrap(), None);
        let unknown = SessionId::new(&Clock::System);
        assert_eq!(reader.live_session_user(&user.id, &unknown, NOW).await.unwrap(), None);
    }

    async fn a_revoked_session_is_over_at_once_and_is_revoked_once(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let session = a_session(&user);
        let mut tx = store.write().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        assert!(tx.revoke_session(&user.id, &session.id, NOW).await.unwrap());
        assert!(!tx.revoke_session(&user.id, &session.id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(store.read().await.unwrap().live_session_user(&user.id, &session.id, NOW).await.unwrap(), None);
    }

    async fn foreign_owners_neither_see_nor_end_a_session(database: Database) {
        let store = open(&database).await;
        let (user, stranger) = (insert_user(&store).await, insert_user(&store).await);
        let session = a_session(&user);
        let mut tx = store.write().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        assert_eq!(tx.live_session_user(&stranger.id, &session.id, NOW).await.unwrap(), None);
        assert!(!tx.revoke_session(&stranger.id, &session.id, NOW).await.unwrap());
        assert!(tx.live_session_user(&user.id, &session.id, NOW).await.unwrap().is_some());
    }

    async fn a_disabled_user_has_no_session(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let session = a_session(&user);
        let mut tx = store.write().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        tx.commit().await.unwrap();
        database.execute("UPDATE users SET disabled_at = 1").await;
        assert_eq!(store.read().await.unwrap().live_session_user(&user.id, &session.id, NOW).await.unwrap(), None);
    }

    async fn expired_sessions_go_with_their_tokens_a_few_at_a_time(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let mut tx = store.write().await.unwrap();
        for n in 0..5 {
            let mut session = a_session(&user);
            session.expires_at = NOW + HOUR * n;
            tx.insert_session(&session).await.unwrap();
            tx.insert_refresh_token(&session.id, &[n as u8; 32], NOW, session.expires_at).await.unwrap();
        }
        tx.commit().await.unwrap();

        // Those at 0, 1 and 2 hours are over after two hours; at most two go at a time.
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.delete_expired_sessions(NOW + HOUR * 2, 2).await.unwrap(), 2);
        assert_eq!(tx.delete_expired_sessions(NOW + HOUR * 2, 2).await.unwrap(), 1);
        assert_eq!(tx.delete_expired_sessions(NOW + HOUR * 2, 2).await.unwrap(), 0);
        tx.commit().await.unwrap();
        assert_eq!(database.number("SELECT COUNT(*) FROM sessions").await, 2);
        assert_eq!(database.number("SELECT COUNT(*) FROM refresh_tokens").await, 2);
    }

    async fn a_refresh_token_belongs_to_a_session_and_is_new(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let session = a_session(&user);
        let mut tx = store.write().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        tx.insert_refresh_token(&session.id, &[1; 32], NOW, NOW + HOUR).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = store.write().await.unwrap();
        tx.insert_refresh_token(&session.id, &[1; 32], NOW, NOW + HOUR).await.unwrap_err();
        drop(tx);
        let mut tx = store.write().await.unwrap();
        let unknown = SessionId::new(&Clock::System);
        tx.insert_refresh_token(&unknown, &[2; 32], NOW, NOW + HOUR).await.unwrap_err();
        drop(tx);
        assert_eq!(database.number("SELECT COUNT(*) FROM refresh_tokens").await, 1);
    }
}
