//! The audit log.

use std::time::Duration;

use domain::{
    Role, Secret,
    audit::{Act, Actor, Entry, Filter, Origin},
    page::{Order, PageRequest},
    user::User,
};
use identity::{AccountWish, UserChange};
use testkit::on_both_databases;

use crate::support::Server;

const PASSWORD: &str = "correct horse";

/// Every line, oldest first by the clock that the test moves on.
async fn lines(server: &Server, filter: Filter) -> Vec<Entry> {
    let page = PageRequest { limit: 100, after: None, order: Order::Asc };
    server.identity.audit_log(&filter, &page).await.unwrap().items
}

async fn acts(server: &Server) -> Vec<Act> {
    lines(server, Filter::default()).await.into_iter().map(|line| line.act).collect()
}

async fn account(server: &Server, name: &str, roles: Vec<Role>) -> User {
    let wish = AccountWish {
        email: format!("{name}@example.org"),
        username: Some(name.to_owned()),
        name: None,
        password: Some(Secret::new(PASSWORD)),
    };
    let user = server.identity.create_account(wish, roles).await.unwrap();
    server.clock.advance(Duration::from_secs(1));
    user
}

fn command_line() -> Origin {
    Origin { actor: Actor::CommandLine, ..Origin::default() }
}

on_both_databases! {
    async fn a_line_says_who_did_what_from_where(database: Database) {
        let server = Server::new(&database).await;
        let guest = server.caller().await;
        let origin = Origin {
            actor: Actor::Unknown,
            address: Some([192, 0, 2, 1].into()),
            user_agent: Some(format!("curl\u{1b}[31m{}", "x".repeat(300))),
            request_id: Some("req_1".to_owned()),
        };
        let wish = identity::NewKey { name: "laptop".to_owned(), ..identity::NewKey::default() };
        let (key, secret) = server.identity.acting(origin).create_key(&guest, wish).await.unwrap();
        let [line] = lines(&server, Filter::default()).await.try_into().unwrap();
        assert_eq!(line.act, Act::KeyCreated);
        assert_eq!(line.origin.actor, Actor::User(guest.user_id.clone()));
        assert_eq!(line.target.as_deref(), Some(key.id.as_str()));
        assert_eq!(line.created_at, server.clock.now());
        assert_eq!(line.origin.address, Some([192, 0, 2, 1].into()));
        assert_eq!(line.origin.request_id.as_deref(), Some("req_1"));
        let agent = line.origin.user_agent.clone().unwrap();
        assert_eq!((agent.len(), agent.contains('\u{1b}')), (256, false));
        assert!(!format!("{line:?}").contains(secret.expose()));
    }

    async fn every_act_leaves_a_line(database: Database) {
        let server = Server::new(&database).await;
        let tick = || server.clock.advance(Duration::from_secs(1));
        let shell = server.identity.acting(command_line());

        let guest = server.caller().await;
        let wish = AccountWish { email: "gus@example.org".to_owned(), ..AccountWish::default() };
        server.identity.upgrade(&guest, wish).await.unwrap();
        tick();
        let ada = account(&server, "ada", vec![Role::User]).await;
        let sign_in = server.identity.sign_in("ada", &Secret::new(PASSWORD)).await.unwrap();
        tick();
        let caller = server.bearer(sign_in.access_token.expose()).await.unwrap();
        let (key, _) = server.key(&caller, &[]).await;
        tick();
        server.identity.revoke_key(&caller, key.id.as_str()).await.unwrap();
        tick();
        server.identity.end_session(sign_in.refresh_token.expose()).await.unwrap();
        server.identity.end_session(sign_in.refresh_token.expose()).await.unwrap();
        tick();
        shell.reset_password(&ada, &Secret::new("battery staple"), false).await.unwrap();
        tick();
        shell.set_roles(&ada.id, &[Role::Admin]).await.unwrap();
        shell.set_roles(&ada.id, &[Role::Admin]).await.unwrap();
        tick();
        let change = UserChange { name: Some("Ada".to_owned()), ..UserChange::default() };
        shell.update_user(&ada.id, &change).await.unwrap();
        shell.update_user(&ada.id, &change).await.unwrap();
        tick();
        for disabled in [true, true, false, false] {
            shell.set_disabled(&ada.id, disabled).await.unwrap();
            tick();
        }
        assert_eq!(
            acts(&server).await,
            [
                Act::Upgraded,
                Act::UserCreated,
                Act::SignedIn,
                Act::KeyCreated,
                Act::KeyRevoked,
                Act::SessionEnded,
                Act::PasswordReset,
                Act::RolesChanged,
                Act::UserUpdated,
                Act::UserDisabled,
                Act::UserEnabled,
            ],
            "what changes nothing leaves no line"
        );
        let by_shell = lines(&server, Filter { actor: Some(Actor::CommandLine), ..Filter::default() }).await;
        assert_eq!(by_shell.len(), 5);
        assert!(by_shell.iter().all(|line| line.target.as_deref() == Some(ada.id.as_str())));
        assert_eq!(by_shell[1].detail.as_deref(), Some("user, admin"));
        assert_eq!(by_shell[2].detail.as_deref(), Some("name"));
    }

    async fn the_first_administrator_leaves_a_line(database: Database) {
        let server = Server::new(&database).await;
        let link = server.identity.setup_link().await.unwrap().unwrap();
        let token = link.split_once("token=").unwrap().1;
        let wish = AccountWish { email: "ada@example.org".to_owned(), ..AccountWish::default() };
        let ada = server.identity.set_up(token, wish).await.unwrap();
        let [line] = lines(&server, Filter::default()).await.try_into().unwrap();
        assert_eq!((line.act, line.origin.actor), (Act::ServerSetUp, Actor::User(ada.id.clone())));
        assert!(!format!("{:?} {:?}", line.target, line.detail).contains(token));
    }

    async fn a_token_used_by_two_leaves_a_line(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        let second = server.identity.refresh(first.refresh_token.expose()).await.unwrap();
        server.identity.refresh(second.refresh_token.expose()).await.unwrap();
        server.clock.advance(Duration::from_mins(1));
        assert!(server.identity.refresh(first.refresh_token.expose()).await.is_err());
        let [line] = lines(&server, Filter::default()).await.try_into().unwrap();
        assert_eq!((line.act, line.origin.actor), (Act::SessionReused, Actor::Unknown));
    }

    async fn refused_passwords_are_noted_once_for_each_account_and_minute(database: Database) {
        let server = Server::new(&database).await;
        let ada = account(&server, "ada", vec![Role::User]).await;
        let wrong = Secret::new("wrong horse");
        for name in ["ada", "ada@example.org", "nobody", "hunter2", "ada"] {
            assert!(server.identity.sign_in(name, &wrong).await.is_err());
        }
        server.settle().await;
        let failures = Filter { act: Some(Act::SignInFailed), ..Filter::default() };
        let mut targets: Vec<_> =
            lines(&server, failures.clone()).await.into_iter().map(|line| line.target).collect();
        targets.sort();
        assert_eq!(targets, [None, Some(ada.id.to_string())]);
        server.clock.advance(Duration::from_mins(1));
        assert!(server.identity.sign_in("ada", &wrong).await.is_err());
        server.settle().await;
        assert_eq!(lines(&server, failures).await.len(), 3);
    }

    async fn what_fails_leaves_no_line(database: Database) {
        let server = Server::new(&database).await;
        account(&server, "ada", vec![Role::User]).await;
        let wish = AccountWish { email: "ada@example.org".to_owned(), ..AccountWish::default() };
        assert!(server.identity.create_account(wish, vec![Role::User]).await.is_err());
        assert_eq!(acts(&server).await, [Act::UserCreated]);
    }

    async fn a_page_begins_after_a_line_of_the_log(database: Database) {
        let server = Server::new(&database).await;
        let page = PageRequest { limit: 1, after: Some("audit_00000000000".to_owned()), order: Order::Asc };
        let error = server.identity.audit_log(&Filter::default(), &page).await.unwrap_err();
        assert_eq!((error.code(), error.param_name()), ("invalid_cursor", Some("after")));
    }

    async fn administrators_cannot_leave_none(database: Database) {
        let server = Server::new(&database).await;
        let (ada, eve) = (
            account(&server, "ada", vec![Role::User, Role::Admin]).await,
            account(&server, "eve", vec![Role::User, Role::Admin]).await,
        );
        let as_user = |user: &User| {
            server.identity.acting(Origin { actor: Actor::User(user.id.clone()), ..Origin::default() })
        };
        let (by_ada, by_eve) = (as_user(&ada), as_user(&eve));
        assert_eq!(by_ada.set_disabled(&ada.id, true).await.unwrap_err().code(), "cannot_disable_self");
        // Each takes the other's role at the same moment: one of them stays.
        let (one, two) =
            tokio::join!(by_ada.set_roles(&eve.id, &[Role::User]), by_eve.set_roles(&ada.id, &[Role::User]));
        assert!(one.is_ok() ^ two.is_ok());
        let refused = one.err().or(two.err()).unwrap();
        assert_eq!(refused.code(), "last_admin");
        let (left, by_left) = if server.identity.find_user("ada").await.unwrap().roles.contains(&Role::Admin) {
            (&ada, by_ada)
        } else {
            (&eve, by_eve)
        };
        assert_eq!(by_left.set_roles(&left.id, &[]).await.unwrap_err().code(), "last_admin");
        by_left.set_roles(&left.id, &[Role::Admin]).await.unwrap();
        let change = UserChange { name: Some("Still here".to_owned()), ..UserChange::default() };
        by_left.update_user(&left.id, &change).await.unwrap();
        server.identity.acting(command_line()).set_roles(&left.id, &[]).await.unwrap();
    }
}
