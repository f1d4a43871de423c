//! Two server processes on one PostgreSQL.

use std::time::{Duration, Instant};

use http::Method;
use testkit::database::Database;
use tokio::time::sleep;

use crate::server::{PATIENCE, Server, Setup};

/// How long another process may go on believing what was taken back (contract: two seconds), and what a busy machine
/// adds to that.
const BELIEF: Duration = Duration::from_secs(2);
const SLACK: Duration = Duration::from_secs(8);

async fn on(database: &Database) -> Server {
    Setup::new().scripted().args(&["--database-url", &database.url]).start().await
}

#[tokio::test]
async fn what_one_gives_the_other_accepts_and_what_one_takes_back_the_other_refuses() {
    let database = Database::postgres().await;
    let (one, two) = tokio::join!(on(&database), on(&database));

    // A token signed by a key that the other has not seen yet.
    let token = one.guest().await;
    let me = one.get("llm-api", "/auth/me", Some(&token)).await.expect(200).json();
    assert_eq!(two.get("llm-api", "/auth/me", Some(&token)).await.expect(200).json()["id"], me["id"]);

    let (id, key) = one.key(&token).await;
    assert_eq!(two.chat(&key, "scripted/echo", "over there").await.expect(200).content(), "over there");

    // The other server has the key in its cache now.
    let url = one.url("llm-api", &format!("/auth/api-keys/{id}"));
    one.call(Method::DELETE, &url, Some(&token), None).await;
    let revoked = Instant::now();
    one.get("llm-api", "/v1/models", Some(&key)).await.expect(401);
    while two.get("llm-api", "/v1/models", Some(&key)).await.status != 401 {
        assert!(revoked.elapsed() < BELIEF + SLACK, "a revoked key is still believed");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn each_publishes_the_others_keys() {
    let database = Database::postgres().await;
    let (one, two) = tokio::join!(on(&database), on(&database));
    let begun = Instant::now();
    loop {
        let (a, b) = tokio::join!(
            one.get("llm-api", "/.well-known/jwks.json", None),
            two.get("llm-api", "/.well-known/jwks.json", None)
        );
        let kids = |answer: &crate::server::Answer| {
            let mut kids: Vec<String> = answer.json()["keys"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| key["kid"].as_str().unwrap().to_owned())
                .collect();
            kids.sort();
            kids
        };
        if kids(&a) == kids(&b) && kids(&a).len() == 2 {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{} {}", a.text(), b.text());
        // Asking with the other's token makes a server look.
        let token = one.guest().await;
        two.get("llm-api", "/auth/me", Some(&token)).await.expect(200);
        let token = two.guest().await;
        one.get("llm-api", "/auth/me", Some(&token)).await.expect(200);
        sleep(Duration::from_millis(100)).await;
    }
}
