//! The tables `login_requests` and `authorization_codes`.

use ::store::{AuthorizationCode, LoginRequest, Store};
use domain::{Clock, ids::UserId};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, insert_user, open};

fn a_request() -> LoginRequest {
    let redirect_url = "https://app.example/landing?x=1".to_owned();
    LoginRequest { verifier: "v".repeat(43), redirect_url, guest: None, expires_at: NOW + HOUR }
}

async fn a_code(store: &Store) -> AuthorizationCode {
    let user_id = insert_user(store).await.id;
    AuthorizationCode { user_id, challenge: "c".repeat(43), browser: vec![7; 32], expires_at: NOW + HOUR }
}

on_both_databases! {
    async fn a_request_is_taken_once(database: Database) {
        let store = open(&database).await;
        let mut tx = store.write().await.unwrap();
        tx.insert_login_request(&[1; 32], &a_request()).await.unwrap();
        assert_eq!(tx.take_login_request(&[2; 32]).await.unwrap(), None);
        assert_eq!(tx.take_login_request(&[1; 32]).await.unwrap(), Some(a_request()));
        assert_eq!(tx.take_login_request(&[1; 32]).await.unwrap(), None);
    }

    async fn a_code_is_taken_once(database: Database) {
        let store = open(&database).await;
        let code = a_code(&store).await;
        let mut tx = store.write().await.unwrap();
        tx.insert_authorization_code(&[1; 32], &code).await.unwrap();
        assert_eq!(tx.take_authorization_code(&[2; 32]).await.unwrap(), None);
        assert_eq!(tx.take_authorization_code(&[1; 32]).await.unwrap(), Some(code));
        assert_eq!(tx.take_authorization_code(&[1; 32]).await.unwrap(), None);
    }

    async fn a_code_is_somebodys(database: Database) {
        let store = open(&database).await;
        let code = AuthorizationCode { user_id: UserId::new(&Clock::System), ..a_code(&store).await };
        let mut tx = store.write().await.unwrap();
        tx.insert_authorization_code(&[1; 32], &code).await.unwrap_err();
    }

    async fn of_many_at_once_one_takes(database: Database) {
        let store = open(&database).await;
        let code = a_code(&store).await;
        let mut tx = store.write().await.unwrap();
        tx.insert_authorization_code(&[1; 32], &code).await.unwrap();
        tx.commit().await.unwrap();
        let take = async || {
            let mut tx = store.write().await.unwrap();
            let taken = tx.take_authorization_code(&[1; 32]).await.unwrap();
            tokio::task::yield_now().await;
            tx.commit().await.unwrap();
            u32::from(taken.is_some())
        };
        let taken = tokio::join!(take(), take(), take(), take());
        assert_eq!(taken.0 + taken.1 + taken.2 + taken.3, 1);
    }

    async fn what_lapsed_is_forgotten_a_few_at_a_time(database: Database) {
        let store = open(&database).await;
        let code = AuthorizationCode { expires_at: NOW, ..a_code(&store).await };
        let request = LoginRequest { expires_at: NOW, ..a_request() };
        let mut tx = store.write().await.unwrap();
        for n in 0..3 {
            tx.insert_login_request(&[n; 32], &request).await.unwrap();
            tx.insert_authorization_code(&[n; 32], &code).await.unwrap();
        }
        tx.insert_login_request(&[9; 32], &a_request()).await.unwrap();
        assert_eq!(tx.delete_expired_code_flow(NOW, 2).await.unwrap(), 2);
        assert_eq!(tx.delete_expired_code_flow(NOW, 2).await.unwrap(), 1);
        assert_eq!(tx.delete_expired_code_flow(NOW, 2).await.unwrap(), 0);
        assert!(tx.take_login_request(&[9; 32]).await.unwrap().is_some());
    }
}
