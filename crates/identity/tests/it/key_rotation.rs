//! A new signing key from time to time.

use std::{fs, time::Duration};

use identity::Options;
use testkit::on_both_databases;
use tokio_util::sync::CancellationToken;

use crate::support::{Server, header, open};

fn kid(token: &domain::Secret) -> String {
    header(token.expose())["kid"].as_str().unwrap().to_owned()
}

fn kids(server: &Server) -> Vec<String> {
    server.identity.public_keys().into_iter().map(|key| key.kid).collect()
}

/// Lets the background work go on until `done`.
async fn run_until(server: &Server, done: impl Fn() -> bool) {
    let stop = CancellationToken::new();
    let watch = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
    };
    let both = async { tokio::join!(server.identity.run(stop.clone()), watch) };
    tokio::time::timeout(Duration::from_mins(1), both).await.expect("it comes to pass");
}

on_both_databases! {
    async fn old_tokens_stay_good_and_new_ones_have_the_new_key(database: Database) {
        let server = Server::new(&database).await;
        let peer = server.peer(&database).await;
        let old = server.guest().await.access_token;
        peer.bearer(old.expose()).await.unwrap();
        server.identity.rotate_signing_key().await.unwrap();
        let new = server.guest().await.access_token;
        assert_ne!(kid(&new), kid(&old));
        assert_eq!(kids(&server), [kid(&new), kid(&old)], "the key set document has both");
        for one in [&server, &peer] {
            one.clock.advance(Duration::from_secs(2)); // Nothing is remembered.
            one.bearer(old.expose()).await.unwrap();
            one.bearer(new.expose()).await.unwrap();
        }
        assert_eq!(fs::read_dir(server.keys.path()).unwrap().count(), 1, "no draft stays behind");
    }

    async fn a_restart_goes_on_with_the_new_key(database: Database) {
        let mut server = Server::new(&database).await;
        let old = server.guest().await.access_token;
        server.identity.rotate_signing_key().await.unwrap();
        let new = server.guest().await.access_token;
        server.identity = open(Options::default(), &server.store, server.keys.path(), &server.clock);
        server.bearer(old.expose()).await.unwrap();
        server.bearer(new.expose()).await.unwrap();
        assert_eq!(kid(&server.guest().await.access_token), kid(&new));
    }

    async fn the_old_key_goes_when_its_last_token_has_lapsed(database: Database) {
        let server = Server::new(&database).await;
        let old = kid(&server.guest().await.access_token);
        server.identity.rotate_signing_key().await.unwrap();
        server.clock.advance(Duration::from_mins(59));
        run_until(&server, || kids(&server).len() == 2).await;
        assert!(kids(&server).contains(&old), "a token may still be good");
        server.clock.advance(Duration::from_hours(2));
        run_until(&server, || kids(&server).len() == 1).await;
        assert!(!kids(&server).contains(&old));
    }

    async fn a_key_that_is_old_is_renewed(database: Database) {
        let server = Server::new(&database).await;
        let first = kid(&server.guest().await.access_token);
        server.clock.advance(Duration::from_hours(24 * 90));
        run_until(&server, || !kids(&server)[0].eq(&first)).await;
        let guest = server.guest().await;
        assert_ne!(kid(&guest.access_token), first);
        server.bearer(guest.access_token.expose()).await.unwrap();
    }

    async fn processes_on_one_directory_end_with_one_key(database: Database) {
        let server = Server::new(&database).await;
        let other = open(Options::default(), &server.store, server.keys.path(), &server.clock);
        let first = kid(&server.guest().await.access_token);
        server.identity.rotate_signing_key().await.unwrap();
        let second = kid(&server.guest().await.access_token);
        assert_eq!(kid(&other.guest_login(None).await.unwrap().access_token), first, "it has not looked yet");
        server.clock.advance(Duration::from_hours(24 * 90));
        let stop = CancellationToken::new();
        let watch = async {
            while other.public_keys()[0].kid == first {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            stop.cancel();
        };
        let both = async { tokio::join!(other.run(stop.clone()), watch) };
        tokio::time::timeout(Duration::from_mins(1), both).await.expect("it looks");
        assert_eq!(kid(&other.guest_login(None).await.unwrap().access_token), second);
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_keeps_the_old_key() {
    let database = testkit::database::Database::sqlite();
    let server = Server::new(&database).await;
    let before = server.guest().await.access_token;
    let away = server.keys.path().with_extension("away");
    fs::rename(server.keys.path(), &away).unwrap();
    server.identity.rotate_signing_key().await.unwrap_err();
    fs::rename(&away, server.keys.path()).unwrap();
    assert_eq!(kid(&server.guest().await.access_token), kid(&before));
    server.store.close().await;
    server.identity.rotate_signing_key().await.unwrap_err();
    assert_eq!(fs::read_dir(server.keys.path()).unwrap().count(), 1, "no draft stays behind");
}

#[tokio::test]
async fn an_operator_may_keep_a_key_for_ever() {
    let database = testkit::database::Database::sqlite();
    let server = Server::with(&database, Options { signing_key_days: 0, ..Options::default() }).await;
    let first = kid(&server.guest().await.access_token);
    server.clock.advance(Duration::from_hours(24 * 1_000));
    let stop = CancellationToken::new();
    let rest = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.cancel();
    };
    tokio::join!(server.identity.run(stop.clone()), rest);
    assert_eq!(kid(&server.guest().await.access_token), first);
}
