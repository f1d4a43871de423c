//! A guest who becomes the provider's user.

use std::time::Duration;

use domain::{Principal, Role};
use identity::{Arrived, LoginWish};
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
        assert_eq!(sso.sign_in(&server, |_| ()).await.unwrap().user.id, guest.user.id);
        // A permanent user is none to upgrade.
        let caller = server.bearer(upgraded.access_token.expose()).await.unwrap();
        assert_eq!(failure(server.identity.upgrade_external(&caller, &code).await), "not_a_guest");
        assert_eq!(failure(server.identity.upgrading(Some(&caller), None).await), "not_a_guest");
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
        let found = server.identity.upgrading(None, Some(guest.refresh_token.expose())).await.unwrap();
        assert_eq!(found, guest.user.id);
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
