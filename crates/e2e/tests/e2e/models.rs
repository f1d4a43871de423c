//! Real models in the process.

use http::Method;
use serde_json::json;

use crate::server::{Setup, command};

#[tokio::test]
async fn the_default_model_knows_the_capital_of_france() {
    // Nothing is configured: this is what a new user gets.
    let server = Setup::new().start().await;
    let (_, key) = server.key(&server.guest().await).await;
    let answer = server.chat(&key, "jan-small", "What is the capital of France?").await.expect(200);
    assert!(answer.content().contains("Paris"), "{}", answer.text());
    let usage = &answer.json()["usage"];
    assert!(usage["prompt_tokens"].as_u64() > Some(5) && usage["completion_tokens"].as_u64() > Some(0), "{usage}");
}

#[tokio::test]
async fn several_at_once_are_served_while_the_server_answers_others() {
    let server = Setup::new().models(&["jan-tiny"]).start().await;
    let (_, key) = server.key(&server.guest().await).await;
    let body = json!({
        "model": "jan-tiny", "max_tokens": 16, "temperature": 0,
        "messages": [{"role": "user", "content": "Count to five."}],
    });
    let url = server.url("llm-api", "/v1/chat/completions");
    let ask = || server.call(Method::POST, &url, Some(&key), Some(&body));
    let (a, b, c, d, health) = tokio::join!(ask(), ask(), ask(), ask(), server.get("llm-api", "/healthz", None));
    health.expect(200);
    let answers = [a, b, c, d].map(|answer| answer.expect(200).content());
    assert!(answers.iter().all(|answer| *answer == answers[0]), "what is asked alike is answered alike: {answers:?}");
}

#[tokio::test]
async fn a_missing_model_is_said_at_start_and_answered_with_503() {
    let cache = tempfile::tempdir().unwrap();
    let server = Setup::new().models_in(&["jan-tiny"], cache.path()).arg("--offline").start().await;
    let (_, key) = server.key(&server.guest().await).await;
    let answer = server.chat(&key, "jan-tiny", "Hello?").await.expect(503);
    assert!(answer.text().contains("jan-server model pull jan-tiny"), "{}", answer.text());
    assert!(server.log().contains("model pull jan-tiny"), "{}", server.log());
}

#[tokio::test]
async fn a_corrupt_model_file_is_never_loaded() {
    let cache = tempfile::tempdir().unwrap();
    std::fs::write(cache.path().join("SmolLM2-135M-Instruct.Q4_1.gguf"), "GGUF no more").unwrap();
    let server = Setup::new().models_in(&["jan-tiny"], cache.path()).arg("--offline").start().await;
    let (_, key) = server.key(&server.guest().await).await;
    server.chat(&key, "jan-tiny", "Hello?").await.expect(503);
    server.get("llm-api", "/healthz", None).await.expect(200);
}

#[test]
fn the_files_are_listed() {
    let done = command(&["model", "list"]).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && text.contains("jan-small") && text.contains("jan-tiny"), "{text}");
}
