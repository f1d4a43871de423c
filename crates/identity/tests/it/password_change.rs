//! Another password for one's own account.

use std::{net::IpAddr, sync::Arc, time::Duration};

use domain::{
    Principal, Role, Secret,
    audit::{Act, Actor, Filter, Origin},
    page::PageRequest,
};
use identity::{AccountWish, Identity, SignIn};
use testkit::on_both_databases;

use crate::support::Server;

const OLD: &str = "correct horse";
const NEW: &str = "battery staple";

async fn account(server: &Server, password: Option<&str>) {
    let wish = AccountWish {
        email: "ada@example.org".to_owned(),
        username: Some("ada".to_owned()),
        name: None,
        password: password.map(Secret::new),
    };
    server.identity.create_account(wish, vec![Role::User]).await.unwrap();
}

/// Ada, signed in.
async fn ada(server: &Server) -> (SignIn, Arc<Principal>) {
    let sign_in = server.identity.sign_in("ada", &Secret::new(OLD)).await.unwrap();
    let caller = server.bearer(sign_in.access_token.expose()).await.unwrap();
    (sign_in, caller)
}

async fn change(identity: &Identity, caller: &Principal, current: &str, new: &str) -> Result<(), String> {
    let changed = identity.change_password(caller, &Secret::new(current), &Secret::new(new)).await;
    changed.map_err(|error| format!("{} {}", error.code(), error.param_name().unwrap_or("-")))
}

on_both_databases! {
    async fn the_caller_stays_and_everybody_else_is_out(database: Database) {
        let server = Server::new(&database).await;
        account(&server, Some(OLD)).await;
        let (other, _) = ada(&server).await;
        let spent = other.refresh_token.clone();
        let other = server.identity.refresh(spent.expose()).await.unwrap();
        let (own, caller) = ada(&server).await;
        let (_, key) = server.key(&caller, &[]).await;
        server.bearer(other.access_token.expose()).await.unwrap();
        change(&server.identity, &caller, OLD, NEW).await.unwrap();

        assert_eq!(server.refusal(other.access_token.expose()).await, "invalid_token");
        for token in [&spent, &other.refresh_token] {
            let replayed = server.identity.refresh(token.expose()).await.unwrap_err();
            assert_eq!(replayed.code(), "invalid_refresh_token");
        }
        server.bearer(own.access_token.expose()).await.unwrap();
        server.identity.refresh(own.refresh_token.expose()).await.expect("the caller's sign-in goes on");
        server.bearer(key.expose()).await.expect("programs forgot nothing");
        assert!(server.identity.sign_in("ada", &Secret::new(OLD)).await.is_err());
        server.identity.sign_in("ada", &Secret::new(NEW)).await.unwrap();

        let filter = Filter { act: Some(Act::PasswordChanged), ..Filter::default() };
        let lines = server.identity.audit_log(&filter, &PageRequest { limit: 10, ..PageRequest::default() }).await;
        let [line] = lines.unwrap().items.try_into().unwrap();
        assert_eq!(line.origin.actor, Actor::User(caller.user_id.clone()));
        assert_eq!((line.target.as_deref(), line.detail), (Some(caller.user_id.as_str()), None));
    }

    async fn what_is_not_right_changes_nothing(database: Database) {
        let server = Server::new(&database).await;
        account(&server, Some(OLD)).await;
        let (other, _) = ada(&server).await;
        let (_, caller) = ada(&server).await;
        assert_eq!(change(&server.identity, &caller, "wrong horse", NEW).await, Err("wrong_password current_password".to_owned()));
        for weak in ["", "short", "tab\tinside it", &"x".repeat(257)] {
            assert_eq!(change(&server.identity, &caller, OLD, weak).await, Err("invalid_parameter new_password".to_owned()));
        }
        server.bearer(other.access_token.expose()).await.unwrap();
        server.identity.sign_in("ada", &Secret::new(OLD)).await.unwrap();
    }

    async fn of_two_changes_at_once_one_is_made(database: Database) {
        let server = Server::new(&database).await;
        account(&server, Some(OLD)).await;
        let (_, one) = ada(&server).await;
        let (_, two) = ada(&server).await;
        let (first, second) = tokio::join!(
            change(&server.identity, &one, OLD, NEW),
            change(&server.identity, &two, OLD, "another staple"),
        );
        assert!(first.is_ok() ^ second.is_ok(), "{first:?} {second:?}");
        let right = if first.is_ok() { NEW } else { "another staple" };
        server.identity.sign_in("ada", &Secret::new(right)).await.unwrap();
    }

    async fn guesses_count_as_at_the_sign_in(database: Database) {
        let server = Server::new(&database).await;
        account(&server, Some(OLD)).await;
        let (_, caller) = ada(&server).await;
        let address: IpAddr = [203, 0, 113, 7].into();
        let from = |address| server.identity.acting(Origin { address: Some(address), ..Origin::default() });
        for _ in 0..20 {
            assert!(change(&from(address), &caller, "wrong horse", NEW).await.unwrap_err().starts_with("wrong_password"));
        }
        assert_eq!(change(&from(address), &caller, OLD, NEW).await, Err("rate_limit_exceeded -".to_owned()));
        change(&from([203, 0, 113, 8].into()), &caller, OLD, NEW).await.expect("from elsewhere");
        server.clock.advance(Duration::from_mins(3));
        change(&from(address), &caller, NEW, OLD).await.expect("after a while");
    }

    async fn who_has_no_password_cannot_change_it(database: Database) {
        let server = Server::new(&database).await;
        let guest = server.caller().await;
        assert_eq!(change(&server.identity, &guest, OLD, NEW).await, Err("not_an_account -".to_owned()));
        account(&server, Some(OLD)).await;
        let (_, caller) = ada(&server).await;
        let (_, key) = server.key(&caller, &[]).await;
        let by_key = server.bearer(key.expose()).await.unwrap();
        assert_eq!(change(&server.identity, &by_key, OLD, NEW).await, Err("insufficient_scope -".to_owned()));
        let wish = AccountWish { email: "bob@example.org".to_owned(), ..AccountWish::default() };
        let bob = server.identity.upgrade(&guest, wish).await.unwrap();
        let bob = server.bearer(bob.access_token.expose()).await.unwrap();
        assert_eq!(change(&server.identity, &bob, OLD, NEW).await, Err("no_password -".to_owned()));
    }
}
