//! Several servers on one database, each with a key of its own.

use std::time::Duration;

use identity::Options;
use testkit::on_both_databases;
use tokio_util::sync::CancellationToken;

use crate::support::{NOW, Server, claims, open, right_header, signed};

on_both_databases! {
    async fn each_believes_the_others_tokens(database: Database) {
        let one = Server::new(&database).await;
        let two = one.peer(&database).await;
        assert_ne!(one.kid(), two.kid());
        // Neither runs its background work: a key is published before its first token goes out, and looked for when
        // a token names it.
        let (by_one, by_two) = (one.guest().await, two.guest().await);
        two.bearer(by_one.access_token.expose()).await.unwrap();
        one.bearer(by_two.access_token.expose()).await.unwrap();
        assert_eq!(one.identity.public_keys().len(), 2, "and publishes both");
    }

    async fn unknown_names_do_not_hide_a_new_server(database: Database) {
        let one = Server::new(&database).await;
        let two = one.peer(&database).await;
        let token = two.guest().await.access_token;
        let forged = signed(&right_header("unknown"), &claims(token.expose()), &two.signing_key());
        // Nothing is known yet, so the first unknown name makes the server look, and it finds the new key too.
        assert_eq!(one.refusal(&forged).await, "invalid_token");
        one.bearer(token.expose()).await.unwrap();
    }

    async fn a_gone_servers_key_is_forgotten_after_its_last_token(database: Database) {
        let one = Server::new(&database).await;
        let two = one.peer(&database).await;
        let token = two.guest().await.access_token;
        one.clock.advance(Duration::from_mins(59));
        one.bearer(token.expose()).await.expect("a token outlives its server");
        one.clock.advance(Duration::from_mins(30));
        // A server that starts now does not even learn the old key.
        let fresh = open(Options::default(), &one.store, one.keys.path(), &one.clock);
        let stop = CancellationToken::new();
        let work = tokio::time::timeout(Duration::from_secs(30), async {
            tokio::join!(fresh.run(stop.clone()), async {
                loop {
                    let mut reader = one.store.read().await.unwrap();
                    let kids = reader.signing_keys(NOW).await.unwrap();
                    if kids.len() == 1 && kids[0].kid == one.kid() {
                        break stop.cancel();
                    }
                    drop(reader);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        });
        work.await.expect("the old key goes");
        assert_eq!(fresh.public_keys().len(), 1);
    }
}
