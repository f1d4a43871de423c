//! What somebody said on one server goes on at another: `jan-server export` and `import` beside running servers.

use std::process::Output;

use serde_json::json;

use crate::{
    server::{Server, Setup, command},
    walk::on_data,
};

fn run(server: &Server, arguments: &[&str]) -> Output {
    let data = server.data().to_str().expect("a path that is text");
    command(&[arguments, &["--data", data]].concat()).output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_user_s_conversations_move_to_another_server() {
    let [one, other] = [Setup::new().scripted().start().await, Setup::new().scripted().start().await];
    let (_, key) = one.key(&one.guest().await).await;
    let body =
        json!({"model": "scripted/echo", "conversation": {}, "messages": [{"role": "user", "content": "Hello there"}]});
    let answer = one.post("llm-api", "/v1/chat/completions", Some(&key), &body).await.expect(200);
    let id = answer.headers["x-conversation-id"].to_str().unwrap().to_owned();
    let me = one.get("llm-api", "/auth/me", Some(&key)).await.expect(200).json()["id"].as_str().unwrap().to_owned();

    let file = one.data().join("export.jsonl");
    let file = file.to_str().unwrap();
    let exported = run(&one, &["export", &me, "--output", file]);
    assert!(exported.status.success(), "{}", said(&exported));
    assert!(said(&exported).contains("exported 1 conversations, 0 projects, 0 memories"), "{}", said(&exported));
    let again = run(&one, &["export", &me, "--output", file]);
    assert!(said(&again).contains("is there already"), "{}", said(&again));

    let token = other.guest().await;
    let she =
        other.get("llm-api", "/auth/me", Some(&token)).await.expect(200).json()["id"].as_str().unwrap().to_owned();
    for summary in [
        "imported 1 conversations, 0 projects, 0 memories",
        "imported 0 conversations, 0 projects, 0 memories; 1 were there already",
    ] {
        let imported = run(&other, &["import", &she, file]);
        assert!(imported.status.success() && said(&imported).contains(summary), "{}", said(&imported));
    }
    let items = format!("/v1/conversations/{id}/items?order=asc");
    let there = one.get("llm-api", &items, Some(&key)).await.expect(200).json();
    let here = other.get("llm-api", &items, Some(&token)).await.expect(200).json();
    assert_eq!(here["data"], there["data"]);
    assert_eq!(here["data"].as_array().unwrap().len(), 2);
    // It is found by its words, and goes on.
    let found = other.get("llm-api", "/v1/conversations?q=there", Some(&token)).await.expect(200).json();
    assert_eq!(found["data"][0]["id"], json!(id));
    let more = json!({"model": "scripted/echo", "conversation": id, "messages": [{"role": "user", "content": "And?"}]});
    other.post("llm-api", "/v1/chat/completions", Some(&token), &more).await.expect(200);

    // Whoever looks after the server finds it in the log.
    on_data(&other, &["user", "create", "root@example.org", "--username", "root", "--admin"]);
    let root = on_data(&other, &["key", "create", "--user", "root", "--scope", "admin"]);
    let log = other.get("llm-api", "/v1/admin/audit-log?action=user.data_imported", Some(root.trim())).await;
    let log = log.expect(200).json();
    assert_eq!((log["data"].as_array().unwrap().len(), &log["data"][0]["target"]), (2, &json!(she)), "{log}");

    let broken = run(&other, &["import", &she, "/dev/null"]);
    assert!(broken.status.success(), "an empty file holds nothing: {}", said(&broken));
    std::fs::write(other.data().join("cut"), "{\"format\":\"jan-server.conv").unwrap();
    let broken = run(&other, &["import", &she, other.data().join("cut").to_str().unwrap()]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(said(&broken).contains("was not imported to its end"), "{}", said(&broken));
}
