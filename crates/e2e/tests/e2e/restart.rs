//! Acknowledged means durable: what a caller was given survives a kill.

use crate::server::Setup;

const ARGUMENTS: [&str; 2] = ["--no-embedded-model", "--scripted"];

#[tokio::test]
async fn keys_tokens_and_revocations_survive_a_kill() {
    let mut server = Setup::new().scripted().start().await;
    let token = server.guest().await;
    let (id, revoked) = server.key(&token).await;
    let (_, kept) = server.key(&token).await;
    server
        .call(http::Method::DELETE, &server.url("llm-api", &format!("/auth/api-keys/{id}")), Some(&token), None)
        .await;
    let me = server.get("llm-api", "/auth/me", Some(&token)).await.expect(200).json();
    // The very next thing after an answer.
    let late = server.guest().await;
    server.kill_and_restart(&ARGUMENTS).await;

    assert_eq!(server.get("llm-api", "/auth/me", Some(&token)).await.expect(200).json()["id"], me["id"]);
    server.get("llm-api", "/auth/me", Some(&late)).await.expect(200);
    server.get("llm-api", "/v1/models", Some(&kept)).await.expect(200);
    server.get("llm-api", "/v1/models", Some(&revoked)).await.expect(401);
    assert_eq!(server.chat(&kept, "scripted/echo", "still here").await.expect(200).content(), "still here");
}

#[tokio::test]
async fn a_kill_in_mid_stream_leaves_nothing_that_hinders_the_next_start() {
    let mut server = Setup::new().scripted().start().await;
    let (_, key) = server.key(&server.guest().await).await;
    let stream = server.stream(&server.url("llm-api", "/v1/chat/completions"), &key, "scripted/slow").await;
    server.kill_and_restart(&ARGUMENTS).await;
    drop(stream);
    server.chat(&key, "scripted/echo", "hello").await.expect(200);
}
