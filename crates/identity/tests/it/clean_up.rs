//! What is long over is forgotten.

use std::time::Duration;

use identity::{NewKey, Options};
use testkit::{database::Database, on_both_databases};
use tokio_util::sync::CancellationToken;

use crate::support::{Server, open};

const MONTH: Duration = Duration::from_hours(24 * 30);

/// Lets the background work go on until a query counts `count`.
async fn run_until(server: &Server, database: &Database, query: &'static str, count: i64) {
    let stop = CancellationToken::new();
    let watch = async {
        while database.number(query).await != count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
    };
    let both = async { tokio::join!(server.identity.run(stop.clone()), watch) };
    tokio::time::timeout(Duration::from_mins(1), both).await.expect("it comes to pass");
}

on_both_databases! {
    async fn guests_who_left_nothing_go_in_batches_and_others_stay(database: Database) {
        let server = Server::with(&database, Options { guest_logins_per_hour: 0, ..Options::default() }).await;
        let old = server.guest().await;
        for _ in 0..150 {
            server.guest().await;
        }
        let with_key = server.caller().await;
        let wish = NewKey { name: "k".to_owned(), ..NewKey::default() };
        let (_, key) = server.identity.create_key(&with_key, wish).await.unwrap();
        server.clock.advance(Duration::from_hours(24 * 30 - 1));
        let renewed = server.identity.refresh(old.refresh_token.expose()).await.unwrap();
        server.clock.advance(Duration::from_hours(2));
        let new = server.guest().await;
        // Two servers at once on one database.
        let peer = server.peer(&database).await;
        let both = async {
            tokio::join!(
                run_until(&server, &database, "SELECT COUNT(*) FROM users", 3),
                run_until(&peer, &database, "SELECT COUNT(*) FROM users", 3)
            )
        };
        Box::pin(both).await;
        for stays in [&renewed, &new] {
            server.identity.refresh(stays.refresh_token.expose()).await.unwrap();
        }
        server.bearer(key.expose()).await.unwrap();
    }

    async fn an_operator_may_keep_guests_and_lines_for_ever(database: Database) {
        let options = Options { idle_guest_days: 0, audit_log_days: 0, ..Options::default() };
        let server = Server::with(&database, options).await;
        let caller = server.caller().await;
        server.key(&caller, &[]).await;
        server.guest().await;
        server.clock.advance(MONTH * 40);
        // Sessions are cleaned in the same pass as the log, and after them nothing else is.
        run_until(&server, &database, "SELECT COUNT(*) FROM sessions", 0).await;
        assert_eq!(database.number("SELECT COUNT(*) FROM users").await, 2);
        assert_eq!(database.number("SELECT COUNT(*) FROM audit_logs").await, 1);
    }

    async fn old_lines_of_the_audit_log_go(database: Database) {
        let server = Server::new(&database).await;
        let caller = server.caller().await;
        server.key(&caller, &[]).await;
        server.clock.advance(Duration::from_hours(24 * 300));
        let caller = server.caller().await;
        server.key(&caller, &[]).await;
        server.clock.advance(Duration::from_hours(24 * 66));
        run_until(&server, &database, "SELECT COUNT(*) FROM audit_logs", 1).await;
    }

    async fn what_nobody_finished_goes(database: Database) {
        let server = Server::new(&database).await;
        server.identity.begin_login(None, None).await.unwrap();
        server.clock.advance(Duration::from_mins(11));
        run_until(&server, &database, "SELECT COUNT(*) FROM login_requests", 0).await;
    }
}

/// A guest who is deleted while it has a token is nobody.
#[tokio::test]
async fn a_deleted_guests_token_is_refused() {
    let database = Database::sqlite();
    let mut server = Server::with(&database, Options { idle_guest_days: 1, ..Options::default() }).await;
    let guest = server.guest().await;
    server.clock.advance(Duration::from_hours(25));
    run_until(&server, &database, "SELECT COUNT(*) FROM users", 0).await;
    server.identity = open(Options::default(), &server.store, server.keys.path(), &server.clock);
    assert!(server.identity.refresh(guest.refresh_token.expose()).await.is_err());
}
