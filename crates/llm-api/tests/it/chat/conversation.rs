//! Chats that belong to a conversation.

use std::time::Duration;

use domain::{
    ids::{ConversationId, ItemId, UserId},
    item::{Head, Making, NewItem},
};
use http::{HeaderName, Method, Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use testkit::{
    client::Client,
    upstream::{Answer, Upstream},
};

use crate::{
    conversations::{PATH as CONVERSATIONS, make, patch, put, talk},
    support::App,
};

const PATH: &str = "/v1/chat/completions";

fn ask(conversation: &str, text: &str) -> Value {
    let id = conversation.trim_start_matches(CONVERSATIONS).trim_start_matches('/');
    json!({"model": "upstream-chat", "conversation": id, "messages": [{"role": "user", "content": text}]})
}

/// The active branch's items: type, role, status, and the text or the call's id.
async fn shown(caller: &Client, path: &str) -> Vec<(String, String, String, String)> {
    let conversation = caller.get(path).await.expect(200).json();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let item = |item: &Value| {
        let text = if item["type"] == "message" { &item["content"][0]["text"] } else { &item["call_id"] };
        (word(&item["type"]), word(&item["role"]), word(&item["status"]), word(text))
    };
    conversation["items"].as_array().unwrap().iter().map(item).collect()
}

/// Waits until the branch has so many items.
async fn until(caller: &Client, path: &str, count: usize) -> Vec<(String, String, String, String)> {
    let waiting = async {
        loop {
            let items = shown(caller, path).await;
            if items.len() >= count {
                break items;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("the items never appear")
}

fn message(role: &str, status: &str, text: &str) -> (String, String, String, String) {
    ("message".to_owned(), role.to_owned(), status.to_owned(), text.to_owned())
}

/// What the upstream was told last: roles and texts, without the prompt.
fn told(upstream: &Upstream) -> Vec<(String, Value)> {
    let body = upstream.chats().last().unwrap().json();
    let messages = body["messages"].as_array().unwrap().iter();
    let messages = messages.filter(|message| message["role"] != "system");
    messages.map(|message| (message["role"].as_str().unwrap().to_owned(), message["content"].clone())).collect()
}

/// The `n`th message of a conversation, with one part.
fn said(app: &App, n: usize, part: &Value) -> NewItem {
    NewItem {
        id: ItemId::new(&app.clock),
        head: Head {
            kind: "message".to_owned(),
            role: Some(if n.is_multiple_of(2) { "user" } else { "assistant" }.to_owned()),
            status: Some("completed".to_owned()),
            call_id: None,
        },
        body: json!({"content": [part]}).to_string(),
        text: None,
        making: Making::default(),
        created_at: app.clock.now(),
        ended_at: None,
    }
}

testkit::on_both_databases! {
    async fn a_conversation_goes_on(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let answer = guest.post(PATH, &ask(&path, "What grows  here?")).await.expect(200);
        let id = path.rsplit('/').next().unwrap();
        assert_eq!(answer.headers["x-conversation-id"], id);
        let body = answer.json();
        assert_eq!(body["conversation"], json!({"id": id, "title": "What grows here?"}));
        assert_eq!((&body["trimmed"], &body["object"]), (&json!(false), &json!("chat.completion")));
        let sent = upstream.chats()[0].json();
        assert!(sent.get("conversation").is_none() && sent.get("store").is_none(), "{sent}");

        guest.post(PATH, &ask(&path, "And there?")).await.expect(200);
        assert_eq!(
            told(&upstream),
            [
                ("user".to_owned(), json!("What grows  here?")),
                ("assistant".to_owned(), json!("Hello there")),
                ("user".to_owned(), json!("And there?")),
            ]
        );
        let said = |role, text| message(role, "completed", text);
        let expected = [
            said("user", "What grows  here?"), said("assistant", "Hello there"),
            said("user", "And there?"), said("assistant", "Hello there"),
        ];
        assert_eq!(shown(&guest, &path).await, expected);
        let conversation = guest.get(&path).await.expect(200).json();
        assert_eq!((&conversation["title"], &conversation["item_count"]), (&json!("What grows here?"), &json!(4)));
        let item = &conversation["items"][1];
        assert_eq!((&item["model"], &item["finish_reason"]), (&json!("upstream-chat"), &json!("stop")));
        assert_eq!(item["usage"], json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}));

        // The whole history may be sent again: only what is new counts.
        let mut all = ask(&path, "x");
        all["messages"] = json!([
            {"role": "user", "content": "What grows  here?"}, {"role": "assistant", "content": "Hello there"},
            {"role": "user", "content": "And there?"}, {"role": "assistant", "content": "Hello there"},
            {"role": "user", "content": "Third"},
        ]);
        guest.post(PATH, &all).await.expect(200);
        assert_eq!(told(&upstream).len(), 5);
        assert_eq!(shown(&guest, &path).await.len(), 6);
        let found = guest.get(&format!("{CONVERSATIONS}?q=grows")).await.expect(200).json();
        assert_eq!(found["data"].as_array().unwrap().len(), 1);
    }

    async fn a_streamed_answer_is_kept_before_it_ends(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        upstream.next(Answer::streams(&["One ", "two"]));
        let mut body = ask("", "Count");
        body["conversation"] = json!({});
        body["stream"] = json!(true);
        let answer = guest.post(&format!("{PATH}?referrer=cli"), &body).await.expect(200);
        let id = answer.headers["x-conversation-id"].to_str().unwrap().to_owned();
        let events = answer.events();
        assert_eq!(events.last().unwrap(), "[DONE]");
        let chunks: Vec<Value> = events[..events.len() - 1].iter().map(|event| serde_json::from_str(event).unwrap()).collect();
        let last = chunks.last().unwrap();
        assert_eq!(last["choices"][0]["finish_reason"], "stop");
        assert_eq!(last["conversation"], json!({"id": id, "title": "Count"}));
        assert!(chunks[..chunks.len() - 1].iter().all(|chunk| chunk.get("conversation").is_none()));
        let path = format!("{CONVERSATIONS}/{id}");
        assert_eq!(shown(&guest, &path).await, [message("user", "completed", "Count"), message("assistant", "completed", "One two")]);
        let made = guest.get(&path).await.expect(200).json();
        assert_eq!((&made["referrer"], &made["title"]), (&json!("cli"), &json!("Count")));
        assert_eq!(made["items"][1]["usage"]["total_tokens"], 5);
    }

    async fn who_leaves_finds_what_was_said(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let (guest, login) = app.login().await;
        let path = make(&app, &guest, &json!({})).await;
        upstream.next(Answer::stream().word("Half of").stall());
        let mut body = ask(&path, "Tell me");
        body["stream"] = json!(true);
        let request = Request::post(PATH)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", login["access_token"].as_str().unwrap()))
            .body(body.to_string().into());
        let mut answer = guest.open(request.unwrap()).await;
        answer.body_mut().frame().await.unwrap().unwrap();
        drop(answer);
        upstream.hung_up(1).await;
        let items = until(&guest, &path, 2).await;
        assert_eq!(items, [message("user", "completed", "Tell me"), message("assistant", "incomplete", "Half of")]);
        let item = guest.get(&path).await.expect(200).json()["items"][1].clone();
        assert_eq!(item["incomplete_details"], json!({"reason": "client_disconnected"}));

        // The model fails in the middle: the same, and the client is told.
        upstream.next(Answer::stream().word("Then").cut());
        let mut body = ask(&path, "Go on");
        body["stream"] = json!(true);
        let events = guest.post(PATH, &body).await.expect(200).events();
        assert!(!events.contains(&"[DONE]".to_owned()) && events.last().unwrap().contains("upstream_error"), "{events:?}");
        let items = until(&guest, &path, 4).await;
        assert_eq!(items[3], message("assistant", "incomplete", "Then"));

        // It fails before its first word: nothing happened.
        upstream.next(Answer::error(400, "no"));
        assert_eq!(guest.post(PATH, &ask(&path, "Once more")).await.status.as_u16(), 400);
        assert_eq!(shown(&guest, &path).await.len(), 4);
    }

    async fn who_repeats_a_broken_chat_with_its_key_asks_once(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let (guest, login) = app.login().await;
        let path = make(&app, &guest, &json!({})).await;
        let mut body = ask(&path, "Tell me");
        body["stream"] = json!(true);
        let request = || {
            Request::post(PATH)
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::AUTHORIZATION, format!("Bearer {}", login["access_token"].as_str().unwrap()))
                .header("idempotency-key", "k")
                .body(body.to_string().into())
                .unwrap()
        };
        // The client leaves in the middle: the answer is made to its end, and given when the client asks again.
        let words = Answer::stream().word("One ").wait(Duration::from_millis(200)).word("two");
        let end = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
        upstream.next(words.chunk(&end).usage().done());
        let mut answer = guest.open(request()).await;
        answer.body_mut().frame().await.unwrap().unwrap();
        drop(answer);
        let whole = [message("user", "completed", "Tell me"), message("assistant", "completed", "One two")];
        assert_eq!(until(&guest, &path, 2).await, whole);
        let replayed = loop {
            let answer = guest.send(request()).await;
            if answer.status.as_u16() != 409 {
                break answer.expect(200);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert_eq!((replayed.headers["idempotent-replayed"].as_bytes(), upstream.chats().len()), (&b"true"[..], 1));
        assert_eq!(shown(&guest, &path).await, whole);

        // The model fails in the middle: asked again, the question is not there twice.
        body["messages"][0]["content"] = json!("And then?");
        let keyed = guest.header(HeaderName::from_static("idempotency-key"), "l");
        upstream.next(Answer::stream().word("Half").cut());
        assert!(keyed.post(PATH, &body).await.expect(200).events().last().unwrap().contains("upstream_error"));
        until(&guest, &path, 4).await;
        upstream.next(Answer::streams(&["Hello there"]));
        keyed.post(PATH, &body).await.expect(200);
        assert_eq!(told(&upstream).len(), 3, "the half is not told");
        let items = shown(&guest, &path).await;
        let then = [
            message("user", "completed", "And then?"),
            message("assistant", "incomplete", "Half"),
            message("assistant", "completed", "Hello there"),
        ];
        assert_eq!(items[2..], then);
    }

    async fn calls_and_their_results_are_part_of_the_history(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "look", "arguments": "{\"a\":1}"}});
        upstream.next(Answer::json(200, &json!({
            "id": "x", "object": "chat.completion", "created": 1, "model": "theirs",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message":
                {"role": "assistant", "content": null, "tool_calls": [call("call_1"), call("call_2")]}}],
        })));
        guest.post(PATH, &ask(&path, "Look")).await.expect(200);
        let items = shown(&guest, &path).await;
        let of = |kind: &str, status: &str, id: &str| (kind.to_owned(), String::new(), status.to_owned(), id.to_owned());
        assert_eq!(items[1..], [of("mcp_call", "in_progress", "call_1"), of("mcp_call", "in_progress", "call_2")]);

        // One result is noted by whoever made the call, the other comes with the next request.
        let noted = json!({"status": "completed", "output": "found one"});
        patch(&guest, &format!("{path}/items/by-call-id/call_1"), &noted).await.expect(200);
        let mut body = ask(&path, "x");
        body["messages"] = json!([{"role": "tool", "tool_call_id": "call_2", "content": "found two"}]);
        // The model fails in the middle: asked again, the result is not there twice.
        body["stream"] = json!(true);
        upstream.next(Answer::stream().word("Half").cut());
        guest.post(PATH, &body).await.expect(200);
        until(&guest, &path, 5).await;
        body["stream"] = json!(false);
        guest.post(PATH, &body).await.expect(200);
        let sent = upstream.chats().last().unwrap().json();
        let sent: Vec<&Value> = sent["messages"].as_array().unwrap().iter().filter(|it| it["role"] != "system").collect();
        assert_eq!(json!(sent), json!([
            {"role": "user", "content": "Look"},
            {"role": "assistant", "content": null, "tool_calls": [call("call_1"), call("call_2")]},
            {"role": "tool", "content": "found one", "tool_call_id": "call_1"},
            {"role": "tool", "content": "found two", "tool_call_id": "call_2"},
        ]));
        let items = shown(&guest, &path).await;
        let end = [
            of("function_call_output", "completed", "call_2"),
            message("assistant", "incomplete", "Half"),
            message("assistant", "completed", "Hello there"),
        ];
        assert_eq!(items[3..], end);
    }

    async fn an_answer_that_no_database_could_hold_is_kept(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let call = json!({"id": "call\u{0}", "type": "function", "function": {"name": "\u{0}", "arguments": "\u{0}"}});
        let odd = json!({
            "id": "x", "object": "chat.completion", "created": 1, "model": "theirs",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message":
                {"role": "assistant", "content": "a\u{0}b", "reasoning_content": "\u{0}", "tool_calls": [call]}}],
        });
        upstream.next(Answer::json(200, &odd));
        let mut body = ask(&path, "x");
        body["store_reasoning"] = json!(true);
        guest.post(PATH, &body).await.expect(200);
        upstream.next(Answer::json(200, &odd));
        guest.post(PATH, &body).await.expect(200);
        let kinds: Vec<String> = shown(&guest, &path).await.into_iter().map(|(kind, ..)| kind).collect();
        assert_eq!(kinds, ["message", "reasoning", "message", "mcp_call"].repeat(2));
    }

    async fn a_call_goes_with_its_own_output_though_others_have_its_id(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let calls = json!([{"id": "call_0", "type": "function", "function": {"name": "look", "arguments": "{}"}}]);
        for result in ["first", "second"] {
            upstream.next(Answer::json(200, &json!({
                "id": "x", "object": "chat.completion", "created": 1, "model": "theirs",
                "choices": [{"index": 0, "finish_reason": "tool_calls", "message":
                    {"role": "assistant", "content": null, "tool_calls": calls}}],
            })));
            guest.post(PATH, &ask(&path, "Look")).await.expect(200);
            let mut body = ask(&path, "x");
            body["messages"] = json!([{"role": "tool", "tool_call_id": "call_0", "content": result}]);
            guest.post(PATH, &body).await.expect(200);
        }
        let items = guest.get(&path).await.expect(200).json()["items"].clone();
        assert_eq!((&items[1]["type"], &items[2]["output"], &items[6]["output"]), (&json!("mcp_call"), &json!("first"), &json!("second")));
        guest.delete(&format!("{path}/items/{}", items[1]["id"].as_str().unwrap())).await.expect(200);
        let left = guest.get(&path).await.expect(200).json()["items"].clone();
        let outputs: Vec<&Value> = left.as_array().unwrap().iter().filter_map(|item| item.get("output")).collect();
        assert_eq!(outputs, ["second"]);
    }

    async fn who_is_told_less_than_all_is_told_so(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let (guest, login) = app.login().await;
        let path = make(&app, &guest, &json!({})).await;
        let owner = UserId::parse(login["user_id"].as_str().unwrap()).unwrap();
        let id = ConversationId::parse(path.rsplit('/').next().unwrap()).unwrap();
        let item = |n: usize| said(&app, n, &json!({"type": "input_text", "text": n.to_string()}));
        let mut body = ask(&path, "x");
        body["store"] = json!(false);
        for (count, is_trimmed) in [(2_000, false), (2, true)] {
            let mut tx = app.store.write().await.unwrap();
            tx.append_items(&owner, &id, None, (0..count).map(item).collect(), false, app.clock.now()).await.unwrap();
            tx.commit().await.unwrap();
            let answer = guest.post(PATH, &body).await.expect(200).json();
            assert_eq!(answer["trimmed"], is_trimmed, "{count}");
            assert_eq!(told(&upstream).len(), 2_001);
        }
        // Who asks again is told as much: of the newest 2 000 the last is the answer that another takes the place of.
        let newest = guest.get(&format!("{path}/items?limit=1")).await.expect(200).json()["data"][0].clone();
        assert_eq!(newest["role"], "assistant");
        let again = format!("{path}/items/{}/regenerate", newest["id"].as_str().unwrap());
        guest.post(&again, &json!({"model": "upstream-chat"})).await.expect(200);
        assert_eq!(told(&upstream).len(), 1_999);
    }

    async fn only_so_many_bytes_of_a_history_are_told(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let (guest, login) = app.login().await;
        let path = make(&app, &guest, &json!({})).await;
        let owner = UserId::parse(login["user_id"].as_str().unwrap()).unwrap();
        let id = ConversationId::parse(path.rsplit('/').next().unwrap()).unwrap();
        // Pictures, since text would not fit into the model's context.
        let url = format!("data:image/png;base64,{}", "A".repeat(7 * 1024 * 1024));
        for n in 0..6 {
            let picture = said(&app, 2 * n, &json!({"type": "input_image", "image_url": url}));
            let mut tx = app.store.write().await.unwrap();
            tx.append_items(&owner, &id, None, vec![picture], false, app.clock.now()).await.unwrap();
            tx.commit().await.unwrap();
        }
        let answer = guest.post(PATH, &ask(&path, "Which is the best?")).await.expect(200).json();
        assert_eq!((&answer["trimmed"], told(&upstream).len()), (&json!(true), 5));
    }

    async fn pictures_come_back(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let parts = json!([
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
        ]);
        let mut body = ask(&path, "x");
        body["messages"][0]["content"] = parts.clone();
        guest.post(PATH, &body).await.expect(200);
        let kept = guest.get(&path).await.expect(200).json()["items"][0]["content"].clone();
        assert_eq!(kept[1], json!({"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}));
        guest.post(PATH, &ask(&path, "Sure?")).await.expect(200);
        assert_eq!(told(&upstream)[0], ("user".to_owned(), parts));
    }

    async fn what_is_not_to_be_kept_is_not(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        talk(&guest, &path, &["Earlier", "Yes"]).await;
        let mut body = ask(&path, "Secret");
        body["store"] = json!(false);
        guest.post(PATH, &body).await.expect(200);
        assert_eq!(told(&upstream).len(), 3, "the history is told");
        assert_eq!(shown(&guest, &path).await.len(), 2);

        body["conversation"] = json!({});
        let answer = guest.post(PATH, &body).await.expect(200);
        assert!(answer.headers.get("x-conversation-id").is_none());
        body["conversation"] = json!("TEMPORARY_CHAT_ID");
        body.as_object_mut().unwrap().remove("store");
        let answer = guest.post(PATH, &body).await.expect(200);
        assert!(answer.json().get("conversation").is_none());
        let all = guest.get(CONVERSATIONS).await.expect(200).json();
        assert_eq!(all["data"].as_array().unwrap().len(), 1);

        // Instructions are the request's; thoughts are kept only if wanted.
        upstream.always(Answer::json(200, &json!({
            "id": "x", "object": "chat.completion", "created": 1, "model": "theirs",
            "choices": [{"index": 0, "finish_reason": "stop", "message":
                {"role": "assistant", "content": "Yes", "reasoning_content": "Hm"}}],
        })));
        let mut body = ask(&path, "Well?");
        body["messages"] = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Well?"}]);
        guest.post(PATH, &body).await.expect(200);
        let system = upstream.chats().last().unwrap().json()["messages"][0].clone();
        assert!(system["role"] == "system" && system["content"].as_str().unwrap().ends_with("Be brief."), "{system}");
        assert_eq!(shown(&guest, &path).await.len(), 4);
        body["store_reasoning"] = json!(true);
        guest.post(PATH, &body).await.expect(200);
        let kinds: Vec<String> = shown(&guest, &path).await.into_iter().map(|item| item.0).collect();
        assert_eq!(kinds[4..], ["message", "reasoning", "message"]);
    }

    async fn a_question_that_was_kept_is_not_kept_twice(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        talk(&guest, &path, &["Well?"]).await;
        guest.post(PATH, &ask(&path, "Well?")).await.expect(200);
        assert_eq!(told(&upstream).len(), 1);
        assert_eq!(shown(&guest, &path).await.len(), 2);
    }

    async fn turns_at_once_do_not_mix(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        upstream.always(Answer::says("an answer").head_after(Duration::from_millis(20)));
        let one = |n: usize| {
            let (guest, body) = (guest.clone(), ask(&path, &format!("question {n}")));
            async move { guest.post(PATH, &body).await }
        };
        let answers = futures_util::future::join_all([1, 3, 5, 7].map(one)).await;
        for answer in answers {
            answer.expect(200);
        }
        let items = shown(&guest, &path).await;
        assert_eq!(items.len(), 8);
        for pair in items.chunks(2) {
            assert_eq!((pair[0].1.as_str(), pair[1].1.as_str()), ("user", "assistant"), "{items:?}");
        }
    }

    async fn what_changes_meanwhile_is_respected(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b"]).await;
        upstream.next(Answer::streams(&["late"]).head_after(Duration::from_millis(300)));
        let mut body = ask(&path, "c");
        body["stream"] = json!(true);
        let asking = guest.post(PATH, &body);
        let changing = async {
            upstream.asked(1).await;
            put(&guest, &format!("{path}/items/{}/edit", ids[0]), &json!({"content": "A"})).await.expect(200)
        };
        let (answer, edited) = tokio::join!(asking, changing);
        assert_eq!(answer.expect(200).events().last().unwrap(), "[DONE]");
        // The answer is on the course that it belongs to, which is not the active one any more.
        let backup = edited.json()["old_main_backup"].as_str().unwrap().to_owned();
        assert_eq!(shown(&guest, &format!("{path}?branch={backup}")).await.len(), 4);
        assert_eq!(shown(&guest, &path).await.len(), 1);

        // Deleted meanwhile: the client is not told that it was kept.
        upstream.next(Answer::streams(&["late"]).head_after(Duration::from_millis(300)));
        let asking = guest.post(PATH, &body);
        let deleting = async {
            upstream.asked(2).await;
            guest.call(Method::DELETE, &path, None).await.expect(200)
        };
        let (answer, _) = tokio::join!(asking, deleting);
        let events = answer.expect(200).events();
        assert!(events.last().unwrap().contains("conversation_not_found"), "{events:?}");
    }

    async fn nobody_elses_conversation_is_there(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        for (conversation, code, status) in [
            (json!(path.rsplit('/').next()), "conversation_not_found", 404),
            (json!("conv_0000000000000000"), "conversation_not_found", 404),
            (json!("nonsense"), "invalid_id", 400),
            (json!({"id": 7}), "invalid_parameter", 400),
            (json!(7), "invalid_parameter", 400),
        ] {
            let mut body = ask("", "x");
            body["conversation"] = conversation.clone();
            let (found, error, param) = other.post(PATH, &body).await.error();
            assert_eq!((found, error.as_str()), (status, code), "{conversation}");
            assert!(param.is_some_and(|param| param.starts_with("conversation")), "{conversation}");
        }
        let mut body = ask(&path, "x");
        body["conversation"] = json!({"id": path.rsplit('/').next(), "branch": "nowhere"});
        assert_eq!(guest.post(PATH, &body).await.error().1, "branch_not_found");
        body["conversation"]["branch"] = json!("\u{0}");
        let error = guest.post(PATH, &body).await.error();
        assert_eq!(error, (400, "invalid_request".to_owned(), Some("conversation".to_owned())), "no database has it");
        assert_eq!(upstream.chats().len(), 0);
    }

    async fn no_field_is_at_fault_where_the_database_is(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        app.database.execute("ALTER TABLE conversation_branches RENAME TO gone").await;
        assert_eq!(guest.post(PATH, &ask(&path, "x")).await.error(), (500, "internal_error".to_owned(), None));
    }
}
