//! A signing key that somebody else has is of no use at once.

use std::time::Duration;

use domain::{
    audit::{Act, Actor, Filter, Origin},
    page::PageRequest,
};
use identity::Options;
use testkit::on_both_databases;
use tokio_util::sync::CancellationToken;

use crate::support::{Server, claims, header, open, right_header, signed};

fn kid(token: &domain::Secret) -> String {
    header(token.expose())["kid"].as_str().unwrap().to_owned()
}

/// Lets the background work go on until the server signs with another key.
async fn run_until_replaced(server: &Server, old: &str) {
    let stop = CancellationToken::new();
    let watch = async {
        while server.identity.signing_key_name() == old {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
    };
    let both = async { tokio::join!(server.identity.run(stop.clone()), watch) };
    tokio::time::timeout(Duration::from_mins(1), both).await.expect("it makes another");
}

on_both_databases! {
    async fn its_tokens_die_everywhere_and_sign_ins_go_on(database: Database) {
        let server = Server::new(&database).await;
        let peer = server.peer(&database).await;
        let guest = server.guest().await;
        let stolen = server.signing_key();
        let old = kid(&guest.access_token);
        let mut forged = claims(guest.access_token.expose());
        forged["jti"] = "tok_0000000000000000".into();
        for one in [&server, &peer] {
            one.bearer(guest.access_token.expose()).await.unwrap();
        }
        let shell = server.identity.acting(Origin { actor: Actor::CommandLine, ..Origin::default() });
        shell.revoke_signing_key(&old).await.unwrap();

        assert_eq!(server.refusal(guest.access_token.expose()).await, "invalid_token", "at once");
        // The peer runs no background work: nothing tells it but the database.
        peer.clock.advance(Duration::from_secs(2));
        assert_eq!(peer.refusal(guest.access_token.expose()).await, "invalid_token");
        let forged = signed(&right_header(&old), &forged, &stolen);
        for one in [&server, &peer] {
            assert_eq!(one.refusal(&forged).await, "invalid_token");
        }
        let renewed = server.identity.refresh(guest.refresh_token.expose()).await.unwrap();
        assert_ne!(kid(&renewed.access_token), old);
        for one in [&server, &peer] {
            one.bearer(renewed.access_token.expose()).await.unwrap();
        }
        assert!(server.identity.public_keys().iter().all(|key| key.kid != old));
        let filter = Filter { act: Some(Act::SigningKeyRevoked), ..Filter::default() };
        let lines = shell.audit_log(&filter, &PageRequest { limit: 9, ..PageRequest::default() }).await.unwrap().items;
        assert_eq!((lines.len(), lines[0].target.as_deref()), (1, Some(old.as_str())));
        assert_eq!(shell.revoke_signing_key(&old).await.unwrap_err().code(), "signing_key_not_found", "it is done");
        assert_eq!(shell.revoke_signing_key("unknown").await.unwrap_err().code(), "signing_key_not_found");
    }

    /// As `jan-server signing-key replace` does it beside a running server.
    async fn a_running_server_finds_out_and_takes_the_new_key(database: Database) {
        let server = Server::new(&database).await;
        let old = kid(&server.guest().await.access_token);
        let command = open(Options::default(), &server.store, server.keys.path(), &server.clock);
        command.revoke_signing_key(&old).await.unwrap();
        assert_eq!(server.identity.signing_key_name(), old);
        run_until_replaced(&server, &old).await;
        assert_eq!(server.identity.signing_key_name(), command.signing_key_name(), "not a third one");
        server.bearer(server.guest().await.access_token.expose()).await.unwrap();
    }

    async fn another_servers_key_is_replaced_by_that_server(database: Database) {
        let server = Server::new(&database).await;
        let peer = server.peer(&database).await;
        let guest = peer.guest().await;
        let old = kid(&guest.access_token);
        server.identity.revoke_signing_key(&old).await.unwrap();
        run_until_replaced(&peer, &old).await;
        let new = peer.guest().await.access_token;
        assert_ne!(kid(&new), old);
        server.bearer(new.expose()).await.unwrap();
        assert_eq!(peer.refusal(guest.access_token.expose()).await, "invalid_token");
    }

    async fn an_old_copy_of_the_key_brings_nothing_back(database: Database) {
        let mut server = Server::new(&database).await;
        let file = server.keys.path().join("signing-key.der");
        let copy = std::fs::read(&file).unwrap();
        let old = kid(&server.guest().await.access_token);
        server.identity.revoke_signing_key(&old).await.unwrap();
        std::fs::write(&file, copy).unwrap();
        server.identity = open(Options::default(), &server.store, server.keys.path(), &server.clock);
        let error = server.identity.guest_login(None).await.unwrap_err();
        assert_eq!(error.code(), "service_unavailable", "it hands out nothing that nobody would believe");
        run_until_replaced(&server, &old).await;
        server.bearer(server.guest().await.access_token.expose()).await.unwrap();
    }
}
