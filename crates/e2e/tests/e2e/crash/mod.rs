//! `kill -9` at random points of stored chats, on both databases: what a client saw the end of is there, once; nothing is
//! there by half; every conversation can be read, gone on with and found.

#![expect(clippy::print_stdout, reason = "shown when the test fails, to repeat it")]

mod history;
mod random;

use std::{cell::RefCell, collections::BTreeSet, process::Stdio, time::Duration};

use http::Method;
use serde_json::{Value, json};
use testkit::database::Database;
use tokio::time::sleep;

use self::{history::History, random::Random};
use crate::server::{Server, Setup};

/// Kills on each database.
const KILLS: u32 = 50;
/// Longest time that a server lives, in milliseconds.
const LIFE: u64 = 350;
/// One death in so many is followed by another within the next start.
const STILLBIRTHS: u64 = 8;
/// How long such a start may last, in milliseconds.
const BIRTH: u64 = 100;
/// One chat in so many makes a conversation.
const NEW: u64 = 8;

#[tokio::test]
async fn sqlite() {
    let database = Database::sqlite();
    survive(&database).await;
    // The search indexes are part of it.
    let faults = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
    assert_eq!(database.number(faults).await, 0);
    assert_eq!(database.number("SELECT count(*) FROM pragma_foreign_key_check").await, 0);
}

#[tokio::test]
async fn postgres() {
    survive(&Database::postgres().await).await;
}

async fn survive(database: &Database) {
    let mut random = Random::seeded();
    let arguments = ["--no-embedded-model", "--scripted", "--database-url", &database.url];
    let mut server = Setup::new().args(&arguments).start().await;
    let (_, key) = server.key(&server.guest().await).await;
    let history = RefCell::new(History::default());
    let mut kills = 0;
    while kills < KILLS {
        let lives = random.below(LIFE);
        tokio::join!(
            chat(&server, &key, 0, &history, random.fork()),
            chat(&server, &key, 1, &history, random.fork()),
            chat(&server, &key, 2, &history, random.fork()),
            chat(&server, &key, 3, &history, random.fork()),
            async {
                sleep(Duration::from_millis(lives)).await;
                server.signal("KILL");
            },
        );
        server.end().await;
        kills += 1;
        if random.below(STILLBIRTHS) == 0 {
            let mut start = Setup::on(server.data()).args(&arguments).command();
            let mut start = start.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            sleep(Duration::from_millis(random.below(BIRTH))).await;
            start.kill().unwrap();
            start.wait().unwrap();
            kills += 1;
        }
        server.kill_and_restart(&arguments).await;

        let listed = list(&server, &key, "/v1/conversations?limit=100").await;
        let touched = history.borrow_mut().end_round(listed.iter().map(id));
        for conversation in &touched {
            let items = items(&server, &key, conversation).await;
            history.borrow().check(conversation, &items);
        }
        let answered = history.borrow().some_answered(&mut random);
        if let Some((question, conversation)) = answered {
            find(&server, &key, &question, &conversation).await;
        }
    }

    let mut seen = BTreeSet::new();
    let conversations = list(&server, &key, "/v1/conversations?limit=100").await;
    for conversation in &conversations {
        let items = items(&server, &key, &id(conversation)).await;
        assert_eq!(conversation["item_count"], items.len(), "{conversation}");
        for question in history.borrow().check(&id(conversation), &items) {
            assert!(seen.insert(question.clone()), "{question} is in two conversations");
        }
    }
    let history = history.into_inner();
    let answered = history.answered();
    assert!(answered.len() > KILLS as usize, "the clients got hardly anything: {}", answered.len());
    for question in answered {
        assert!(seen.contains(question), "an answered question is lost: {question}\n{}", server.log());
    }
    let miscounted = "SELECT count(*) FROM conversations WHERE item_count <> \
        (SELECT count(*) FROM conversation_items WHERE conversation = conversations.key)";
    assert_eq!(database.number(miscounted).await, 0);
    println!(
        "{kills} kills, {} conversations, {} turns answered, {} more kept",
        conversations.len(),
        history.answered().len(),
        seen.len() - history.answered().len()
    );
}

/// A client that asks one thing after the other until its server dies.
async fn chat(server: &Server, key: &str, client: usize, history: &RefCell<History>, mut random: Random) {
    loop {
        // Streams that are killed within, and streams and answers of which the keeping is the most part.
        let (model, stream) = match random.below(8) {
            0 => ("scripted/slow", true),
            1 | 2 => ("scripted/echo", false),
            _ => ("scripted/echo", true),
        };
        let old = if random.below(NEW) == 0 { None } else { history.borrow().some_conversation(&mut random) };
        let question = history.borrow_mut().ask(client, old.as_deref());
        let body = json!({
            "model": model, "stream": stream, "messages": [{"role": "user", "content": question}],
            "conversation": old.as_ref().map_or_else(|| json!({}), |id| json!({"id": id})),
        });
        let url = server.url("llm-api", "/v1/chat/completions");
        let Ok(answer) = server.try_call(Method::POST, &url, Some(key), Some(&body)).await else { return };
        let answer = answer.expect(200);
        let ended = !stream || answer.text().ends_with("data: [DONE]\n\n");
        assert!(ended, "a body that is whole without being an answer: {}", answer.text());
        let conversation = answer.headers["x-conversation-id"].to_str().unwrap();
        assert!(old.is_none_or(|old| old == conversation));
        history.borrow_mut().answered_in(&question, conversation);
    }
}

/// All pages of a list.
async fn list(server: &Server, key: &str, path: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get("llm-api", &format!("{path}{after}"), Some(key)).await.expect(200).json();
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        if page["has_more"] == false {
            return all;
        }
        after = format!("&after={}", page["last_id"].as_str().unwrap());
    }
}

async fn items(server: &Server, key: &str, conversation: &str) -> Vec<Value> {
    list(server, key, &format!("/v1/conversations/{conversation}/items?order=asc&limit=100")).await
}

/// Searches for a question's first word, which no other has.
async fn find(server: &Server, key: &str, question: &str, conversation: &str) {
    let word = question.split(' ').next().unwrap();
    let found = list(server, key, &format!("/v1/conversations?q={word}")).await;
    assert_eq!(found.iter().map(id).collect::<Vec<_>>(), [conversation], "{word}");
}

fn id(conversation: &Value) -> String {
    conversation["id"].as_str().unwrap().to_owned()
}
