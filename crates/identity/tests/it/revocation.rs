//! What one server takes back, all refuse.

use std::time::Duration;

use domain::Method;
use testkit::on_both_databases;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::{NOW, Server};

on_both_databases! {
    /// Even if no message arrives, within two seconds.
    async fn without_a_message_within_two_seconds(database: Database) {
        let one = Server::new(&database).await;
        let two = one.peer(&database).await;
        let caller = one.caller().await;
        let (row, key) = one.key(&caller, &[]).await;
        two.bearer(key.expose()).await.unwrap();
        one.identity.revoke_key(&caller, row.id.as_str()).await.unwrap();
        two.clock.advance(Duration::from_secs(2));
        assert_eq!(two.refusal(key.expose()).await, "invalid_api_key");
    }
}

/// The clock stands still, so only the message can tell.
#[tokio::test]
async fn by_message_at_once() {
    let database = testkit::database::Database::postgres().await;
    let one = Server::new(&database).await;
    let two = one.peer(&database).await;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (identity, token) = (two.identity.clone(), stop.clone());
    tasks.spawn(async move { identity.run(token).await });
    tasks.close();

    let guest = one.guest().await;
    let caller = one.bearer(guest.access_token.expose()).await.unwrap();
    let (row, key) = one.key(&caller, &[]).await;
    two.bearer(guest.access_token.expose()).await.unwrap();
    two.bearer(key.expose()).await.unwrap();

    one.identity.revoke_key(&caller, row.id.as_str()).await.unwrap();
    until_refused(&two, key.expose()).await;
    two.bearer(guest.access_token.expose()).await.expect("nothing else is taken back");

    let Method::Jwt(Some(session)) = &caller.method else { panic!("a session") };
    let mut tx = one.store.write().await.unwrap();
    assert!(tx.revoke_session(&caller.user_id, session, NOW).await.unwrap());
    tx.commit().await.unwrap();
    until_refused(&two, guest.access_token.expose()).await;

    stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), tasks.wait()).await.expect("the background work ends");
}

async fn until_refused(server: &Server, credential: &str) {
    let refused = async {
        while server.bearer(credential).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), refused).await.expect("the message arrives");
}
