//! Addresses are proven by a link or an administrator's word, and by nothing else.

use std::time::Duration;

use domain::{
    Role, Secret,
    audit::{Act, Filter},
    page::PageRequest,
    user::User,
};
use identity::{AccountWish, UserChange};
use testkit::on_both_databases;

use crate::support::{ISSUER, Server};

async fn account(server: &Server) -> User {
    let wish = AccountWish {
        email: "ada@example.org".to_owned(),
        username: Some("ada".to_owned()),
        name: None,
        password: Some(Secret::new("correct horse")),
    };
    server.identity.create_account(wish, vec![Role::User]).await.unwrap()
}

/// The token of a new link.
async fn link(server: &Server, user: &User) -> String {
    let link = server.identity.email_link(user).await.unwrap();
    link.strip_prefix(&format!("{ISSUER}/auth/verify-email?token=")).unwrap().to_owned()
}

async fn is_verified(server: &Server) -> bool {
    server.identity.find_user("ada").await.unwrap().email_verified
}

on_both_databases! {
    async fn who_opens_the_link_has_the_address(database: Database) {
        let server = Server::new(&database).await;
        let ada = account(&server).await;
        let token = link(&server, &ada).await;
        assert_eq!(server.identity.check_email_link(&token).await.unwrap(), "ada@example.org");
        assert!(!is_verified(&server).await, "looking is no proof");
        assert_eq!(server.identity.prove_email(&token).await.unwrap(), "ada@example.org");
        assert!(is_verified(&server).await);
        assert_eq!(server.identity.prove_email(&token).await.unwrap_err().code(), "email_link_invalid");
        assert!(is_verified(&server).await, "a link that counts no more takes nothing back");
        let filter = Filter { act: Some(Act::EmailVerified), ..Filter::default() };
        let lines = server.identity.audit_log(&filter, &PageRequest { limit: 9, ..PageRequest::default() }).await.unwrap();
        assert_eq!(lines.items.len(), 1);
        assert_eq!(lines.items[0].target.as_deref(), Some(ada.id.as_str()));
    }

    async fn a_link_counts_for_a_day_and_until_the_next(database: Database) {
        let server = Server::new(&database).await;
        let ada = account(&server).await;
        let (first, second) = (link(&server, &ada).await, link(&server, &ada).await);
        assert!(server.identity.prove_email(&first).await.is_err());
        server.clock.advance(Duration::from_hours(24));
        for bad in [second.as_str(), "", "garbage"] {
            assert_eq!(server.identity.check_email_link(bad).await.unwrap_err().code(), "email_link_invalid");
            assert_eq!(server.identity.prove_email(bad).await.unwrap_err().code(), "email_link_invalid");
        }
        assert!(!is_verified(&server).await);
    }

    async fn a_link_proves_the_address_it_was_sent_to(database: Database) {
        let server = Server::new(&database).await;
        let ada = account(&server).await;
        let token = link(&server, &ada).await;
        let change = UserChange { email: Some("countess@example.org".to_owned()), ..UserChange::default() };
        server.identity.update_user(&ada.id, &change).await.unwrap();
        assert_eq!(server.identity.prove_email(&token).await.unwrap_err().code(), "email_link_invalid");
        assert!(!is_verified(&server).await);
    }

    async fn an_administrators_word_counts_until_the_address_changes(database: Database) {
        let server = Server::new(&database).await;
        let ada = account(&server).await;
        assert!(server.identity.verify_email(&ada.id).await.unwrap().email_verified);
        let same = UserChange { email: Some("ada@example.org".to_owned()), ..UserChange::default() };
        assert!(server.identity.update_user(&ada.id, &same).await.unwrap().email_verified);
        let other = UserChange { email: Some("countess@example.org".to_owned()), ..UserChange::default() };
        assert!(!server.identity.update_user(&ada.id, &other).await.unwrap().email_verified);
        let both = UserChange { email_verified: Some(true), ..same };
        let back = server.identity.update_user(&ada.id, &both).await.unwrap();
        assert_eq!((back.email.as_deref(), back.email_verified), (Some("ada@example.org"), true));
        let undone = UserChange { email_verified: Some(false), ..UserChange::default() };
        assert!(!server.identity.update_user(&ada.id, &undone).await.unwrap().email_verified);
    }

    async fn a_guests_placeholder_is_not_proven(database: Database) {
        let server = Server::new(&database).await;
        let guest = server.guest().await.user;
        assert_eq!(server.identity.email_link(&guest).await.unwrap_err().code(), "not_an_account");
        assert_eq!(server.identity.verify_email(&guest.id).await.unwrap_err().code(), "not_an_account");
    }
}
