//! A guest who becomes the provider's user.

use std::time::Duration;

use domain::{
    Principal, Role, Secret,
    audit::{Act, Filter},
    page::PageRequest,
};
use identity::{AccountWish, Arrived, LoginWish, OidcOptions};
use serde_json::json;
use testkit::on_both_databases;

use super::{Sso, arrive, failure, id_token};
use crate::support::Server;

/// Signs in at the provider to upgrade; what the browser lands with.
async fn come_back(sso: &Sso, server: &Server, guest: &Principal, subject: &str) -> Arrived {
    let guest = Some(server.identity.upgrading(Some(guest), None).await.unwrap());
    let went = sso.go(server, LoginWish { guest, ..LoginWish::default() }).await;
    let mut claims = sso.id_claims(&went["nonce"]);
    claims["sub"] = json!(subject);
    sso.grants(&id_token(&claims));
    arrive(server, &went["state"]).await.unwrap().outcome.unwrap()
}

async fn code(sso: &Sso, server: &Server, guest: &Principal, subject: &str) -> String {
    match come_back(sso, server, guest, subject).await {
        Arrived::Vouched(code) => code.expose().to_owned(),
        Arrived::SignedIn(_) => panic!("a stranger gets no session"),
    }
}

on_both_databases! {
    async fn the_guest_stays_the_same_user(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let guest = server.guest().await;
        let caller = server.bearer(guest.access_token.expose()).await.unwrap();
        let (_, key) = server.key(&caller, &[]).await;
        let code = code(&sso, &server, &caller, "ada-1").await;
        let upgraded = server.identity.upgrade_external(&caller, &code).await.unwrap();
        assert_eq!((&upgraded.user.id, &*upgraded.user.username), (&guest.user.id, "ada"));
        assert_eq!((&upgraded.user.roles, &*upgraded.user.subject), (&vec![Role::User], "ada-1"));
        server.bearer(upgraded.access_token.expose()).await.unwrap();
        server.bearer(key.expose()).await.expect("keys stay");
        assert_eq!(server.refusal(guest.access_token.expose()).await, "invalid_token", "who had the guest's tokens is out");
        let page = PageRequest { limit: 10, ..PageRequest::default() };
        let lines = server.identity.audit_log(&Filter::default(), &page).await.unwrap().items;
        let acts: Vec<_> = lines.into_iter().map(|line| line.act).collect();
        assert!(acts.contains(&Act::Upgraded) && !acts.contains(&Act::SignedIn), "as by a password: {acts:?}");
        assert_eq!(sso.sign_in(&server, |_| ()).await.unwrap().user.id, guest.user.id);
    }

    async fn a_password_is_the_providers_to_change(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let sign_in = sso.sign_in(&server, |_| ()).await.unwrap();
        let caller = server.bearer(sign_in.access_token.expose()).await.unwrap();
        let (current, new) = (Secret::new("correct horse"), Secret::new("battery staple"));
        let refused = server.identity.change_password(&caller, &current, &new).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), ("no_password", "You sign in through single sign-on: your password is changed there."));
    }

    async fn a_permanent_user_is_no_guest_and_spends_no_code(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let (guest, bob) = (server.caller().await, server.caller().await);
        let wish = AccountWish { email: "bob@example.org".to_owned(), ..AccountWish::default() };
        server.identity.upgrade(&bob, wish).await.unwrap();
        assert_eq!(failure(server.identity.upgrading(Some(&bob), None).await), "not_a_guest");
        let code = code(&sso, &server, &guest, "ada-1").await;
        assert_eq!(failure(server.identity.upgrade_external(&bob, &code).await), "not_a_guest");
        server.identity.upgrade_external(&guest, &code).await.expect("the code is the guest's still");
    }

    async fn a_guest_who_is_kept_out_becomes_nobody(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let guest = server.guest().await;
        let caller = server.bearer(guest.access_token.expose()).await.unwrap();
        let code = code(&sso, &server, &caller, "ada-1").await;
        server.identity.set_disabled(&guest.user.id, true).await.unwrap();
        assert_eq!(failure(server.identity.upgrading(Some(&caller), None).await), "access_denied");
        let refresh_token = Some(guest.refresh_token.expose());
        assert_eq!(failure(server.identity.upgrading(None, refresh_token).await), "invalid_refresh_token");
        assert_eq!(failure(server.identity.upgrade_external(&caller, &code).await), "access_denied");
        let wish = AccountWish { email: "ada@example.org".to_owned(), ..AccountWish::default() };
        assert_eq!(failure(server.identity.upgrade(&caller, wish).await), "access_denied");
        server.identity.set_disabled(&guest.user.id, false).await.unwrap();
        server.identity.upgrade_external(&caller, &code).await.expect("nothing was spent");
    }

    async fn a_code_counts_once_and_soon(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let (one, two) = (server.caller().await, server.caller().await);
        let code = code(&sso, &server, &one, "ada-1").await;
        assert_eq!(failure(server.identity.upgrade_external(&one, "uc_forged").await), "invalid_upgrade_code");
        server.identity.upgrade_external(&one, &code).await.unwrap();
        assert_eq!(failure(server.identity.upgrade_external(&two, &code).await), "invalid_upgrade_code");
        let late = self::code(&sso, &server, &two, "bob-1").await;
        server.clock.advance(Duration::from_mins(10));
        assert_eq!(failure(server.identity.upgrade_external(&two, &late).await), "invalid_upgrade_code");
    }

    async fn an_upgrade_that_could_not_be_kept_is_none(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let guest = server.caller().await;
        let code = code(&sso, &server, &guest, "ada-1").await;
        database.execute("ALTER TABLE external_sessions RENAME TO away").await;
        server.identity.upgrade_external(&guest, &code).await.unwrap_err();
        database.execute("ALTER TABLE away RENAME TO external_sessions").await;
        server.identity.upgrade_external(&guest, &code).await.unwrap();
    }

    async fn roles_that_are_given_here_begin_with_the_users(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server_with(&database, OidcOptions { admin_roles: vec![], ..sso.options() }).await;
        let guest = server.caller().await;
        let code = code(&sso, &server, &guest, "ada-1").await;
        assert_eq!(server.identity.upgrade_external(&guest, &code).await.unwrap().user.roles, [Role::User]);
        let bob = sso.sign_in(&server, |claims| claims["sub"] = json!("bob-1")).await.unwrap();
        assert_eq!(bob.user.roles, [Role::User]);
    }

    async fn only_the_guest_who_began_becomes_who_signed_in(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let (began, other) = (server.caller().await, server.caller().await);
        let code = code(&sso, &server, &began, "ada-1").await;
        assert_eq!(failure(server.identity.upgrade_external(&other, &code).await), "invalid_upgrade_code");
        assert_eq!(failure(server.identity.upgrade_external(&began, &code).await), "invalid_upgrade_code", "it is spent");
    }

    async fn a_guest_begins(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        assert_eq!(failure(server.identity.upgrading(None, None).await), "missing_credentials");
        assert_eq!(failure(server.identity.upgrading(None, Some("rt_forged")).await), "invalid_refresh_token");
        let guest = server.guest().await;
        let by_cookie = async |token: &Secret| server.identity.upgrading(None, Some(token.expose())).await;
        assert_eq!(by_cookie(&guest.refresh_token).await.unwrap(), guest.user.id);
        let caller = server.bearer(guest.access_token.expose()).await.unwrap();
        let (_, key) = server.key(&caller, &[]).await;
        let by_key = server.bearer(key.expose()).await.unwrap();
        assert_eq!(failure(server.identity.upgrading(Some(&by_key), None).await), "insufficient_scope");

        let one = server.identity.refresh(guest.refresh_token.expose()).await.unwrap();
        assert_eq!(failure(by_cookie(&guest.refresh_token).await), "invalid_refresh_token", "it is spent");
        let two = server.identity.refresh(guest.refresh_token.expose()).await.unwrap();
        assert_eq!(failure(by_cookie(&one.refresh_token).await), "invalid_refresh_token", "another took its place");
        assert_eq!(by_cookie(&two.refresh_token).await.unwrap(), guest.user.id);
        server.identity.end_session(two.refresh_token.expose()).await.unwrap();
        assert_eq!(failure(by_cookie(&two.refresh_token).await), "invalid_refresh_token", "its session is over");
    }

    async fn who_has_an_account_signs_in_to_it(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let guest = server.caller().await;
        let early = code(&sso, &server, &guest, "ada-1").await;
        let ada = sso.sign_in(&server, |_| ()).await.unwrap().user;
        match come_back(&sso, &server, &guest, "ada-1").await {
            Arrived::SignedIn(sign_in) => assert_eq!(sign_in.user.id, ada.id),
            Arrived::Vouched(_) => panic!("the account exists"),
        }
        assert_eq!(failure(server.identity.upgrade_external(&guest, &early).await), "account_exists");
        server.bearer(server.guest().await.access_token.expose()).await.unwrap();
    }
}
