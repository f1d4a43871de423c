//! What an administrator does with users.

use std::time::Duration;

use domain::{Role, Secret, page::PageRequest, user::User};
use identity::{AccountWish, Identity, NewKey};
use testkit::on_both_databases;

use crate::support::Server;

async fn account(server: &Server, name: &str, roles: Vec<Role>) -> User {
    let wish = AccountWish {
        email: format!("{name}@example.org"),
        username: Some(name.to_owned()),
        name: Some("Somebody".to_owned()),
        password: Some(Secret::new("correct horse")),
    };
    server.identity.create_account(wish, roles).await.unwrap()
}

on_both_databases! {
    async fn an_account_is_made_with_its_roles(database: Database) {
        let server = Server::new(&database).await;
        let made = account(&server, "ada", vec![Role::User, Role::Admin]).await;
        let back = server.identity.sign_in("ada", &Secret::new("correct horse")).await.unwrap();
        assert_eq!(back.user, made);
        assert!(server.bearer(back.access_token.expose()).await.unwrap().is_admin());
        for (email, username, code) in [
            ("ADA@example.org", None, "email_taken"),
            ("other@example.org", Some("ADA"), "username_taken"),
            ("other@example.org", Some("x"), "invalid_parameter"),
            ("other", None, "invalid_parameter"),
        ] {
            let (email, username) = (email.to_owned(), username.map(str::to_owned));
            let wish = AccountWish { email, username, ..AccountWish::default() };
            assert_eq!(server.identity.create_account(wish, vec![Role::User]).await.unwrap_err().code(), code);
        }
        let all = server.identity.users(&PageRequest { limit: 100, ..PageRequest::default() }).await.unwrap();
        assert_eq!(all.items, [made], "a failure leaves no user behind");
    }

    async fn a_user_is_found_by_any_name(database: Database) {
        let server = Server::new(&database).await;
        let ada = account(&server, "ada", vec![Role::User]).await;
        let guest = server.guest().await.user;
        for name in ["ada", "ADA@example.org", ada.id.as_str()] {
            assert_eq!(server.identity.find_user(name).await.unwrap(), ada);
        }
        assert_eq!(server.identity.find_user(guest.id.as_str()).await.unwrap(), guest);
        for nobody in ["", "eve", "a\0da", "user_00000000000000000000"] {
            assert_eq!(server.identity.find_user(nobody).await.unwrap_err().code(), "user_not_found");
        }
    }

    async fn a_role_counts_at_once(database: Database) {
        let server = Server::new(&database).await;
        let ada = account(&server, "ada", vec![Role::User]).await;
        let token = server.identity.sign_in("ada", &Secret::new("correct horse")).await.unwrap().access_token;
        assert!(!server.bearer(token.expose()).await.unwrap().is_admin());
        server.identity.set_roles(&ada.id, &[Role::User, Role::Admin]).await.unwrap();
        assert!(server.bearer(token.expose()).await.unwrap().is_admin());
        server.identity.set_roles(&ada.id, &[Role::User]).await.unwrap();
        assert!(!server.bearer(token.expose()).await.unwrap().is_admin());

        let guest = server.guest().await.user;
        let error = server.identity.set_roles(&guest.id, &[Role::Admin]).await.unwrap_err();
        assert_eq!(error.code(), "not_an_account");
    }

    async fn a_new_password_puts_everybody_out(database: Database) {
        let server = Server::new(&database).await;
        let ada = account(&server, "ada", vec![Role::User]).await;
        let old = server.identity.sign_in("ada", &Secret::new("correct horse")).await.unwrap();
        server.bearer(old.access_token.expose()).await.unwrap();
        server.identity.reset_password(&ada, &Secret::new("battery staple"), false).await.unwrap();
        assert_eq!(server.refusal(old.access_token.expose()).await, "invalid_token");
        assert!(server.identity.refresh(old.refresh_token.expose()).await.is_err());
        assert!(server.identity.sign_in("ada", &Secret::new("correct horse")).await.is_err());
        server.identity.sign_in("ada", &Secret::new("battery staple")).await.unwrap();

        let short = server.identity.reset_password(&ada, &Secret::new("short"), false).await.unwrap_err();
        assert_eq!(short.param_name(), Some("password"));
        let guest = server.guest().await.user;
        let error = server.identity.reset_password(&guest, &Secret::new("battery staple"), false).await.unwrap_err();
        assert_eq!(error.code(), "not_an_account");
    }

    async fn a_new_password_says_what_becomes_of_the_keys(database: Database) {
        let server = Server::new(&database).await;
        let ada = account(&server, "ada", vec![Role::User]).await;
        let (_, key) = server.key(&Identity::act_as(ada.clone()), &[]).await;
        server.bearer(key.expose()).await.unwrap();
        assert_eq!(server.identity.reset_password(&ada, &Secret::new("battery staple"), false).await.unwrap(), 1);
        server.bearer(key.expose()).await.expect("programs go on");
        assert_eq!(server.identity.reset_password(&ada, &Secret::new("battery staple"), true).await.unwrap(), 0);
        assert_eq!(server.refusal(key.expose()).await, "invalid_api_key");
    }

    async fn a_disabled_user_is_out_everywhere_until_let_in(database: Database) {
        let server = Server::new(&database).await;
        let peer = server.peer(&database).await;
        let ada = account(&server, "ada", vec![Role::User]).await;
        let signed_in = server.identity.sign_in("ada", &Secret::new("correct horse")).await.unwrap();
        let caller = server.bearer(signed_in.access_token.expose()).await.unwrap();
        let (_, key) = server.key(&caller, &[]).await;
        server.bearer(key.expose()).await.unwrap();
        peer.bearer(key.expose()).await.unwrap();

        server.identity.set_disabled(&ada.id, true).await.unwrap();
        assert_eq!(server.refusal(signed_in.access_token.expose()).await, "invalid_token");
        assert_eq!(server.refusal(key.expose()).await, "invalid_api_key");
        peer.clock.advance(Duration::from_secs(2));
        assert_eq!(peer.refusal(key.expose()).await, "invalid_api_key");

        server.identity.set_disabled(&ada.id, false).await.unwrap();
        server.clock.advance(Duration::from_secs(2));
        server.bearer(key.expose()).await.unwrap();
        assert_eq!(server.refusal(signed_in.access_token.expose()).await, "invalid_token", "sessions stay ended");
        server.identity.sign_in("ada", &Secret::new("correct horse")).await.unwrap();
        let nobody = domain::ids::UserId::new(&server.clock);
        assert_eq!(server.identity.set_disabled(&nobody, true).await.unwrap_err().code(), "user_not_found");
    }

    async fn any_key_is_revoked_by_its_id(database: Database) {
        let server = Server::new(&database).await;
        let caller = server.caller().await;
        let (row, key) = server.key(&caller, &[]).await;
        server.bearer(key.expose()).await.unwrap();
        server.identity.revoke_any_key(row.id.as_str()).await.unwrap();
        assert_eq!(server.refusal(key.expose()).await, "invalid_api_key");
        for gone in [row.id.as_str(), "key_00000000000000000000", "nonsense"] {
            assert_eq!(server.identity.revoke_any_key(gone).await.unwrap_err().code(), "api_key_not_found");
        }
    }

    async fn a_key_is_made_in_a_users_name(database: Database) {
        let server = Server::new(&database).await;
        let ada = account(&server, "ada", vec![Role::User]).await;
        let wish = NewKey { name: "cron".to_owned(), ..NewKey::default() };
        let (row, key) = server.identity.create_key(&Identity::act_as(ada.clone()), wish).await.unwrap();
        assert_eq!(row.user_id, ada.id);
        assert_eq!(server.bearer(key.expose()).await.unwrap().user_id, ada.id);
    }
}
