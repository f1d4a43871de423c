//! Guests get accounts, and accounts sign in.

use std::time::Duration;

use domain::{Kind, Role, Secret};
use futures_util::future::join_all;
use identity::AccountWish;
use testkit::on_both_databases;

use crate::support::Server;

const PASSWORD: &str = "correct horse";

fn wish(name: &str) -> AccountWish {
    AccountWish {
        email: format!("{name}@example.org"),
        username: Some(name.to_owned()),
        name: None,
        password: Some(Secret::new(PASSWORD)),
    }
}

async fn sign_in(server: &Server, name: &str, password: &str) -> Result<identity::SignIn, String> {
    let done = server.identity.sign_in(name, &Secret::new(password)).await;
    done.map_err(|error| {
        assert_eq!(error.kind(), Kind::Unauthenticated);
        error.code().to_owned()
    })
}

on_both_databases! {
    async fn an_upgraded_guest_signs_in_as_the_same_user(database: Database) {
        let server = Server::new(&database).await;
        let guest = server.guest().await;
        let caller = server.bearer(guest.access_token.expose()).await.unwrap();
        let upgraded = server.identity.upgrade(&caller, wish("Ada")).await.unwrap();
        assert_eq!((&upgraded.user.id, &upgraded.user.subject), (&guest.user.id, &guest.user.subject));
        assert_eq!(upgraded.user.roles, [Role::User]);
        for name in ["Ada", " ada ", "ADA@example.org"] {
            let back = sign_in(&server, name, PASSWORD).await.unwrap();
            assert_eq!(back.user, upgraded.user);
            let caller = server.bearer(back.access_token.expose()).await.unwrap();
            assert!(caller.user_id == guest.user.id && !caller.is_guest());
        }
    }

    /// Somebody may have handed the guest a token of a guest of his own, and waits.
    async fn an_upgrade_ends_all_other_sign_ins(database: Database) {
        let server = Server::new(&database).await;
        let planted = server.guest().await;
        let victim = server.identity.refresh(planted.refresh_token.expose()).await.unwrap();
        let caller = server.bearer(victim.access_token.expose()).await.unwrap();
        let (_, key) = server.key(&caller, &[]).await;
        server.bearer(planted.access_token.expose()).await.unwrap();
        let upgraded = server.identity.upgrade(&caller, wish("ada")).await.unwrap();
        for old in [&planted, &victim] {
            assert_eq!(server.refusal(old.access_token.expose()).await, "invalid_token");
            let error = server.identity.refresh(old.refresh_token.expose()).await.unwrap_err();
            assert_eq!(error.code(), "invalid_refresh_token");
        }
        assert!(!server.bearer(upgraded.access_token.expose()).await.unwrap().is_guest());
        server.identity.refresh(upgraded.refresh_token.expose()).await.unwrap();
        assert!(!server.bearer(key.expose()).await.unwrap().is_guest(), "keys are kept, and the account's at once");
    }

    async fn whatever_is_wrong_is_one_answer(database: Database) {
        let server = Server::new(&database).await;
        server.identity.upgrade(&*server.caller().await, wish("ada")).await.unwrap();
        let without = AccountWish { password: None, ..wish("eve") };
        server.identity.upgrade(&*server.caller().await, without).await.unwrap();
        let guest = server.guest().await;
        for (name, password) in [
            ("ada", "wrong horse"), ("ada", ""), ("ada", "CORRECT HORSE"), ("nobody", PASSWORD), ("", PASSWORD),
            ("eve", ""), ("eve", PASSWORD), (guest.user.username.as_str(), ""), ("ada\0", PASSWORD),
        ] {
            assert_eq!(sign_in(&server, name, password).await.unwrap_err(), "invalid_login", "{name:?}");
        }
        let user = server.identity.find_user("ada").await.unwrap();
        server.identity.set_disabled(&user.id, true).await.unwrap();
        assert_eq!(sign_in(&server, "ada", PASSWORD).await.unwrap_err(), "invalid_login");
    }

    async fn a_guest_may_ask_for_so_many_addresses(database: Database) {
        let server = Server::new(&database).await;
        server.identity.upgrade(&*server.caller().await, wish("ada")).await.unwrap();
        let caller = server.caller().await;
        let taken = || AccountWish { username: None, password: None, ..wish("ada") };
        for _ in 0..20 {
            assert_eq!(server.identity.upgrade(&caller, taken()).await.unwrap_err().code(), "email_taken");
        }
        let error = server.identity.upgrade(&caller, taken()).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::RateLimited(Some(pause)) if pause == Duration::from_mins(3)), "{error:?}");
        server.identity.upgrade(&*server.caller().await, wish("eve")).await.expect("nobody else is kept out");
        server.clock.advance(Duration::from_mins(3));
        server.identity.upgrade(&caller, wish("bob")).await.unwrap();
    }

    async fn of_many_upgrades_at_once_one_is_made(database: Database) {
        let server = Server::new(&database).await;
        let caller = server.caller().await;
        let tries = (0..4).map(|n| server.identity.upgrade(&caller, wish(&format!("ada{n}"))));
        let codes: Vec<String> = join_all(tries).await.into_iter()
            .map(|done| done.map_or_else(|error| error.code().to_owned(), |_| "done".to_owned())).collect();
        assert_eq!(codes.iter().filter(|code| *code == "done").count(), 1, "{codes:?}");
        assert_eq!(codes.iter().filter(|code| *code == "not_a_guest").count(), 3, "{codes:?}");
    }

    async fn of_many_who_want_an_address_at_once_one_gets_it(database: Database) {
        let server = Server::new(&database).await;
        let callers = join_all((0..4).map(|_| server.caller())).await;
        let tries = callers.iter().map(|caller| server.identity.upgrade(caller, wish("ada")));
        let codes: Vec<String> = join_all(tries).await.into_iter()
            .map(|done| done.map_or_else(|error| error.code().to_owned(), |_| "done".to_owned())).collect();
        assert_eq!(codes.iter().filter(|code| *code == "done").count(), 1, "{codes:?}");
        assert!(codes.iter().all(|code| ["done", "email_taken", "username_taken"].contains(&code.as_str())), "{codes:?}");
    }

    async fn other_servers_see_the_account_within_two_seconds(database: Database) {
        let one = Server::new(&database).await;
        let two = one.peer(&database).await;
        let guest = one.guest().await;
        let caller = two.bearer(guest.access_token.expose()).await.unwrap();
        let (_, key) = one.key(&caller, &[]).await;
        assert!(two.bearer(key.expose()).await.unwrap().is_guest());
        one.identity.upgrade(&caller, wish("ada")).await.unwrap();
        two.clock.advance(Duration::from_secs(2));
        assert!(!two.bearer(key.expose()).await.unwrap().is_guest());
        assert_eq!(two.refusal(guest.access_token.expose()).await, "invalid_token");
    }
}
