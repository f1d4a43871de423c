//! The first administrator.

use std::time::Duration;

use domain::Secret;
use futures_util::future::join_all;
use identity::AccountWish;
use testkit::on_both_databases;

use crate::support::{ISSUER, Server};

fn wish(name: &str) -> AccountWish {
    let password = Some(Secret::new("correct horse"));
    AccountWish { email: format!("{name}@example.org"), username: Some(name.to_owned()), name: None, password }
}

async fn token(server: &Server) -> String {
    let link = server.identity.setup_link().await.unwrap().expect("nobody administers");
    link.strip_prefix(&format!("{ISSUER}/auth/setup?token=")).unwrap().to_owned()
}

async fn refusal(server: &Server, token: &str) -> String {
    server.identity.check_setup(token).await.unwrap_err();
    server.identity.set_up(token, wish("eve")).await.unwrap_err().code().to_owned()
}

on_both_databases! {
    async fn the_link_makes_one_administrator(database: Database) {
        let server = Server::new(&database).await;
        let token = token(&server).await;
        server.identity.check_setup(&token).await.unwrap();
        let wrong = AccountWish { email: "ada".to_owned(), ..wish("ada") };
        assert_eq!(server.identity.set_up(&token, wrong).await.unwrap_err().param_name(), Some("email"));
        server.identity.set_up(&token, wish("ada")).await.unwrap();
        let signed_in = server.identity.sign_in("ada", &Secret::new("correct horse")).await.unwrap();
        assert!(server.bearer(signed_in.access_token.expose()).await.unwrap().is_admin());
        assert_eq!(refusal(&server, &token).await, "setup_link_invalid");
        assert_eq!(server.identity.setup_link().await.unwrap(), None);
    }

    async fn a_link_lapses_and_gives_way_to_the_next(database: Database) {
        let server = Server::new(&database).await;
        let (first, second) = (token(&server).await, token(&server).await);
        for bad in [first.as_str(), "", "garbage"] {
            assert_eq!(refusal(&server, bad).await, "setup_link_invalid");
        }
        server.clock.advance(Duration::from_mins(30));
        assert_eq!(refusal(&server, &second).await, "setup_link_invalid");
    }

    async fn an_administrator_from_elsewhere_ends_it(database: Database) {
        let server = Server::new(&database).await;
        let token = token(&server).await;
        let user = server.identity.create_account(wish("ada"), vec![domain::Role::User]).await.unwrap();
        server.identity.check_setup(&token).await.unwrap();
        server.identity.set_roles(&user.id, &[domain::Role::Admin]).await.unwrap();
        assert_eq!(refusal(&server, &token).await, "setup_link_invalid");
    }

    async fn of_many_servers_that_start_at_once_one_has_the_link(database: Database) {
        let server = Server::new(&database).await;
        let links = join_all((0..6).map(|_| server.identity.setup_link())).await;
        let mut good = 0;
        for link in links {
            let link = link.unwrap().expect("nobody administers");
            let (_, token) = link.split_once("token=").unwrap();
            good += u32::from(server.identity.check_setup(token).await.is_ok());
        }
        assert_eq!(good, 1);
    }

    async fn of_many_at_once_one_is_made(database: Database) {
        let server = Server::new(&database).await;
        let token = token(&server).await;
        let tries = (0..4).map(|n| server.identity.set_up(&token, wish(&format!("ada{n}"))));
        let made = join_all(tries).await.into_iter().flatten().count();
        assert_eq!(made, 1);
    }
}
