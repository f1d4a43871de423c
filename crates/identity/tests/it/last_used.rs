//! The note of a key's last use.

use std::time::Duration;

use domain::{Principal, Timestamp, page::PageRequest};
use testkit::on_both_databases;

use crate::support::{NOW, Server};

async fn last_used(server: &Server, caller: &Principal) -> Option<Timestamp> {
    let page = PageRequest::parse(None, None, None).unwrap();
    server.identity.list_keys(caller, false, &page).await.unwrap().items[0].last_used_at
}

on_both_databases! {
    async fn it_is_exact_to_the_minute(database: Database) {
        let server = Server::new(&database).await;
        let caller = server.caller().await;
        let (_, key) = server.key(&caller, &[]).await;
        assert_eq!(last_used(&server, &caller).await, None);
        server.bearer(key.expose()).await.unwrap();
        server.settle().await;
        assert_eq!(last_used(&server, &caller).await, Some(NOW));

        server.clock.advance(Duration::from_secs(59));
        server.bearer(key.expose()).await.unwrap();
        server.settle().await;
        assert_eq!(last_used(&server, &caller).await, Some(NOW), "not more than once a minute");

        server.clock.advance(Duration::from_secs(2));
        server.bearer(key.expose()).await.unwrap();
        server.settle().await;
        assert_eq!(last_used(&server, &caller).await, Some(NOW + Duration::from_secs(61)));
    }
}
