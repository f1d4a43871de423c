//! Coming in as a guest.

use std::net::IpAddr;

use domain::{Kind, Role};
use identity::Options;
use testkit::on_both_databases;

use crate::support::Server;

on_both_databases! {
    async fn each_guest_is_a_new_user(database: Database) {
        let server = Server::new(&database).await;
        let (one, two) = (server.guest().await, server.guest().await);
        assert_ne!(one.user.id, two.user.id);
        assert_ne!(one.access_token.expose(), two.access_token.expose());
        assert_ne!(one.refresh_token.expose(), two.refresh_token.expose());
        assert_eq!(one.expires_in, 3_600);
        assert!(one.user.username.starts_with("guest-"));
        assert_eq!(one.user.email, Some(format!("{}@guest.invalid", one.user.username)));

        let caller = server.bearer(one.access_token.expose()).await.unwrap();
        assert!(caller.is_guest() && !caller.is_admin());
        let row = server.identity.user(&caller).await.unwrap();
        assert_eq!(row, one.user);
        assert_eq!(row.roles, [Role::Guest]);
    }
}

on_both_databases! {
    async fn there_are_only_so_many_guests(database: Database) {
        let options = Options { max_guests: 2, ..Options::default() };
        let server = Server::with(&database, options).await;
        let (_one, two) = (server.guest().await, server.guest().await);
        let error = server.identity.guest_login(None).await.unwrap_err();
        assert_eq!(error.code(), "guest_limit_reached");
        assert!(matches!(error.kind(), Kind::Unavailable(Some(_))));
        // Another server on the same database counts those who came here; accounts are no guests.
        let mut tx = server.store.write().await.unwrap();
        tx.set_roles(&two.user.id, &[Role::User]).await.unwrap();
        tx.commit().await.unwrap();
        server.clock.advance(std::time::Duration::from_secs(61));
        server.identity.guest_login(None).await.unwrap();
        assert_eq!(server.identity.guest_login(None).await.unwrap_err().code(), "guest_limit_reached");
    }
}

#[tokio::test]
async fn an_address_makes_only_so_many() {
    let database = testkit::database::Database::sqlite();
    let options = Options { guest_logins_per_hour: 2, ..Options::default() };
    let server = Server::with(&database, options).await;
    let from: IpAddr = "203.0.113.7".parse().unwrap();
    for _ in 0..2 {
        server.identity.guest_login(Some(from)).await.unwrap();
    }
    let error = server.identity.guest_login(Some(from)).await.unwrap_err();
    assert_eq!(error.code(), "rate_limit_exceeded");
    assert!(matches!(error.kind(), Kind::RateLimited(Some(pause)) if pause.as_secs() == 1_800));
    let other: IpAddr = "203.0.113.8".parse().unwrap();
    server.identity.guest_login(Some(other)).await.unwrap();
}

#[tokio::test]
async fn an_operator_may_want_no_guests() {
    let database = testkit::database::Database::sqlite();
    let options = Options { guest_login: false, ..Options::default() };
    let server = Server::with(&database, options).await;
    let error = server.identity.guest_login(None).await.unwrap_err();
    assert_eq!(error.code(), "guest_login_disabled");
    assert!(matches!(error.kind(), Kind::Unavailable(_)));
}
