//! The tables of signing in through an external provider.

use ::store::{ExternalGrant, ExternalLogin, ExternalProfile};
use domain::{Clock, Role, Timestamp, ids::UserId, user::User};
use serde_json::json;
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, insert_user, open};

const ISSUER: &str = "https://sso.example";

fn a_login() -> ExternalLogin {
    ExternalLogin {
        issuer: ISSUER.to_owned(),
        verifier: "v".repeat(43),
        nonce: "n".repeat(43),
        browser: vec![7; 32],
        redirect_url: "https://app.example/landing?x=1".to_owned(),
        guest: None,
        expires_at: NOW + HOUR,
    }
}

fn a_user(subject: &str) -> User {
    User {
        id: UserId::new(&Clock::System),
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        username: format!("user-{subject}"),
        email: Some("Ada@example.org".to_owned()),
        email_verified: true,
        name: Some("Ada".to_owned()),
        roles: vec![Role::User],
        created_at: NOW,
        disabled_at: None,
    }
}

on_both_databases! {
    async fn a_login_and_a_grant_are_taken_once(database: Database) {
        let store = open(&database).await;
        let guest = UserId::new(&Clock::System);
        let login = ExternalLogin { guest: Some(guest.clone()), ..a_login() };
        let (identity, id_token) = (json!({"subject": "1"}), "a.b.c".to_owned());
        let grant = ExternalGrant { guest, identity, id_token, expires_at: NOW + HOUR };
        let mut tx = store.write().await.unwrap();
        tx.insert_external_login(&[1; 32], &login).await.unwrap();
        assert_eq!(tx.take_external_login(&[2; 32]).await.unwrap(), None);
        assert_eq!(tx.take_external_login(&[1; 32]).await.unwrap(), Some(login));
        assert_eq!(tx.take_external_login(&[1; 32]).await.unwrap(), None);
        tx.insert_external_grant(&[1; 32], &grant).await.unwrap();
        assert_eq!(tx.take_external_grant(&[1; 32]).await.unwrap(), Some(grant));
        assert_eq!(tx.take_external_grant(&[1; 32]).await.unwrap(), None);
    }

    async fn a_user_is_known_by_issuer_and_subject(database: Database) {
        let store = open(&database).await;
        let user = a_user("1");
        let mut tx = store.write().await.unwrap();
        assert!(tx.insert_external_user(&user, true).await.unwrap());
        assert!(!tx.insert_external_user(&User { username: "other".to_owned(), ..a_user("1") }, true).await.unwrap());
        assert!(!tx.insert_external_user(&User { username: "USER-1".to_owned(), ..a_user("2") }, true).await.unwrap());
        let profile = ExternalProfile {
            picture: Some("https://p.example/a.png".to_owned()),
            groups: vec!["/staff".to_owned()],
            feature_flags: vec!["beta".to_owned()],
        };
        tx.put_external_account(&user.id, NOW, &profile).await.unwrap();
        let found = tx.external_user(ISSUER, "1", &[0; 32]).await.unwrap().unwrap();
        assert_eq!((found.user, found.asserted_at), (user.clone(), Some(NOW)));
        assert_eq!((&found.profile, &tx.external_profile(&user.id).await.unwrap()), (&profile, &profile));
        for (issuer, subject) in [("https://other.example", "1"), (ISSUER, "2"), (ISSUER, "")] {
            assert_eq!(tx.external_user(issuer, subject, &[0; 32]).await.unwrap(), None);
        }
        // Who comes later has the address to show, and not for a name.
        let later = a_user("3");
        assert!(tx.insert_external_user(&later, true).await.unwrap());
        assert_eq!(tx.user(&later.id).await.unwrap().unwrap().email, later.email);
        assert_eq!(tx.account("ada@example.org").await.unwrap().unwrap().user.id, user.id);
    }

    async fn a_user_is_changed_and_linked(database: Database) {
        let store = open(&database).await;
        let guest = insert_user(&store).await;
        let mut tx = store.write().await.unwrap();
        let (id, created_at, roles) = (guest.id.clone(), guest.created_at, guest.roles.clone());
        let mut user = User { id, created_at, roles, ..a_user("1") };
        assert!(tx.link_user(&user).await.unwrap());
        tx.update_external_user(&user, NOW).await.unwrap();
        assert_eq!(tx.external_user(ISSUER, "1", &[0; 32]).await.unwrap().unwrap().user, user);
        user.email_verified = false;
        let stale = User { roles: vec![Role::User, Role::Admin], ..user.clone() };
        tx.update_external_user(&stale, NOW).await.unwrap();
        assert_eq!(tx.user(&user.id).await.unwrap().unwrap(), user, "roles are no part of it");
        assert_eq!(tx.account("ada@example.org").await.unwrap(), None, "an address that is not proven is no name");
        tx.commit().await.unwrap();
        let other = insert_user(&store).await;
        let mut tx = store.write().await.unwrap();
        assert!(!tx.link_user(&User { id: other.id, username: "free".to_owned(), ..a_user("1") }).await.unwrap());
    }

    async fn a_token_that_was_taken_back_stays_so_until_it_lapses(database: Database) {
        let store = open(&database).await;
        let user = a_user("1");
        let mut tx = store.write().await.unwrap();
        tx.insert_external_user(&user, false).await.unwrap();
        for _ in 0..2 {
            tx.deny_token(&user.id, &[9; 32], NOW + HOUR).await.unwrap();
        }
        assert!(tx.external_user(ISSUER, "1", &[9; 32]).await.unwrap().unwrap().denied);
        assert!(!tx.external_user(ISSUER, "1", &[8; 32]).await.unwrap().unwrap().denied);
        tx.insert_external_login(&[1; 32], &a_login()).await.unwrap();
        assert_eq!(tx.delete_expired_external(Timestamp::from_seconds(0), 10).await.unwrap(), 0);
        assert_eq!(tx.delete_expired_external(NOW + HOUR, 10).await.unwrap(), 1);
        assert!(!tx.external_user(ISSUER, "1", &[9; 32]).await.unwrap().unwrap().denied);
        assert_eq!(tx.take_external_login(&[1; 32]).await.unwrap(), None);
    }

    async fn a_session_has_its_token_at_the_provider(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let id = domain::ids::SessionId::new(&Clock::System);
        let session = domain::session::Session { id: id.clone(), user_id: user.id, created_at: NOW, expires_at: NOW + HOUR };
        let mut tx = store.write().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        tx.insert_external_session(&id, ISSUER, "a.b.c").await.unwrap();
        assert_eq!(tx.take_external_session(&id).await.unwrap(), Some((ISSUER.to_owned(), "a.b.c".to_owned())));
        assert_eq!(tx.take_external_session(&id).await.unwrap(), None);
        let nobody = domain::ids::SessionId::new(&Clock::System);
        tx.insert_external_session(&nobody, ISSUER, "a.b.c").await.unwrap_err();
    }
}
