//! The table `sessions`.

use std::time::Duration;

use ::store::Reader;
use domain::{
    Clock, Timestamp,
    ids::{SessionId, TokenId, UserId},
    user::User,
};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, a_refresh_token, a_session, insert_user, open};

/// The user of an access token of this session that no refresh token came with.
async fn live(reader: &mut Reader, owner: &UserId, session: &SessionId, now: Timestamp) -> Option<User> {
    let token = TokenId::new(&Clock::System);
    let found = reader.access_token_user(owner, session, &token, "kid", now).await.unwrap()?;
    assert!(!found.first_use, "there is nowhere to note it");
    Some(found.user)
}

on_both_databases! {
    async fn a_session_lives_until_it_expires(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let session = a_session(&user);
        let mut tx = store.write().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        tx.commit().await.unwrap();

        let mut reader = store.read().await.unwrap();
        let just_before = NOW + Duration::from_micros(3_599_999_999);
        assert_eq!(live(&mut reader, &user.id, &session.id, NOW).await, Some(user.clone()));
        assert!(live(&mut reader, &user.id, &session.id, just_before).await.is_some());
        assert_eq!(live(&mut reader, &user.id, &session.id, NOW + HOUR).await, None);
        let unknown = SessionId::new(&Clock::System);
        assert_eq!(live(&mut reader, &user.id, &unknown, NOW).await, None);
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
        let mut reader = store.read().await.unwrap();
        assert_eq!(live(&mut reader, &user.id, &session.id, NOW).await, None);
    }

    async fn foreign_owners_neither_see_nor_end_a_session(database: Database) {
        let store = open(&database).await;
        let (user, stranger) = (insert_user(&store).await, insert_user(&store).await);
        let session = a_session(&user);
        let mut tx = store.write().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        assert_eq!(live(&mut tx, &stranger.id, &session.id, NOW).await, None);
        assert!(!tx.revoke_session(&stranger.id, &session.id, NOW).await.unwrap());
        assert!(live(&mut tx, &user.id, &session.id, NOW).await.is_some());
    }

    async fn a_key_that_was_taken_back_proves_no_session(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let session = a_session(&user);
        let mut tx = store.write().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        let key = ::store::SigningKey { kid: "kid".to_owned(), public_jwk: serde_json::json!({}) };
        tx.publish_signing_key(&key, NOW).await.unwrap();
        assert!(live(&mut tx, &user.id, &session.id, NOW).await.is_some());
        tx.revoke_signing_key("kid", NOW).await.unwrap();
        assert_eq!(live(&mut tx, &user.id, &session.id, NOW).await, None);
    }

    async fn a_disabled_user_has_no_session(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let session = a_session(&user);
        let mut tx = store.write().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        tx.commit().await.unwrap();
        database.execute("UPDATE users SET disabled_at = 1").await;
        let mut reader = store.read().await.unwrap();
        assert_eq!(live(&mut reader, &user.id, &session.id, NOW).await, None);
    }

    async fn expired_sessions_go_with_their_tokens_a_few_at_a_time(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let mut tx = store.write().await.unwrap();
        for n in 0..5 {
            let mut session = a_session(&user);
            session.expires_at = NOW + HOUR * n;
            tx.insert_session(&session).await.unwrap();
            tx.insert_refresh_token(&a_refresh_token(&session, &[n as u8; 32])).await.unwrap();
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

    async fn a_session_is_extended_by_its_owner_and_never_cut_short(database: Database) {
        let store = open(&database).await;
        let (user, stranger) = (insert_user(&store).await, insert_user(&store).await);
        let session = a_session(&user);
        let mut tx = store.write().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        tx.extend_session(&user.id, &session.id, NOW + HOUR * 2).await.unwrap();
        tx.extend_session(&user.id, &session.id, NOW).await.unwrap();
        tx.extend_session(&stranger.id, &session.id, NOW + HOUR * 9).await.unwrap();
        assert!(live(&mut tx, &user.id, &session.id, NOW + HOUR).await.is_some());
        assert_eq!(live(&mut tx, &user.id, &session.id, NOW + HOUR * 2).await, None);
    }
}
