//! The database is away.

use std::time::Duration;

use domain::{Clock, Kind};
use identity::Options;
use store::Store;
use testkit::on_both_databases;

use crate::support::{Server, database_options, open};

on_both_databases! {
    async fn the_known_stay_known_for_a_moment(database: Database) {
        let server = Server::new(&database).await;
        let guest = server.guest().await;
        let caller = server.bearer(guest.access_token.expose()).await.unwrap();
        let (_, key) = server.key(&caller, &[]).await;
        server.bearer(key.expose()).await.unwrap();
        server.store.close().await;

        for credential in [guest.access_token.expose(), key.expose()] {
            server.bearer(credential).await.expect("known a moment ago");
        }
        server.clock.advance(Duration::from_secs(2));
        for credential in [guest.access_token.expose(), key.expose()] {
            let error = server.bearer(credential).await.unwrap_err();
            assert!(matches!(error.kind(), Kind::Unavailable(_)), "never a 401: {error:?}");
            assert_eq!(error.code(), "service_unavailable");
        }
        let error = server.identity.guest_login(None).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Unavailable(_)));
    }

    async fn a_server_may_start_before_its_database(database: Database) {
        let keys = tempfile::tempdir().unwrap();
        let store = Store::connect_lazy(&database_options(&database)).unwrap();
        let identity = open(Options::default(), &store, keys.path(), &Clock::System);
        let error = identity.guest_login(None).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Unavailable(_)), "{error:?}");
        store.migrate().await.unwrap();
        identity.guest_login(None).await.unwrap();
    }
}
