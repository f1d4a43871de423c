//! What is put before the messages of a chat that belongs to no conversation.

use app::prompt::{Options, When};
use http::{HeaderName, Method, header};
use serde_json::{Value, json};
use testkit::{
    client::Client,
    upstream::{Answer, Upstream},
};

use crate::support::App;

const PATH: &str = "/v1/chat/completions";
const APPLIED: &str = "x-applied-prompt-modules";
const PERSONA: HeaderName = HeaderName::from_static("x-prompt-persona");
const MEMORY: HeaderName = HeaderName::from_static("x-prompt-memory");

fn question(text: &str) -> Value {
    json!({"model": "upstream-chat", "messages": [{"role": "user", "content": text}]})
}

/// The system message that the upstream got last; null without one.
fn told(upstream: &Upstream) -> Value {
    let last = upstream.chats().pop().unwrap().json();
    if last["messages"][0]["role"] == "system" { last["messages"][0]["content"].clone() } else { Value::Null }
}

/// The modules that the answer names.
async fn applied(client: &Client, body: &Value) -> String {
    let answer = client.post(PATH, body).await.expect(200);
    answer.headers.get(APPLIED).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// Everything on, everywhere.
fn always() -> Options {
    Options { timing: When::Always, user_profile: When::Always, memory: When::Always, ..Options::default() }
}

#[tokio::test]
async fn a_plain_chat_reaches_the_upstream_byte_for_byte() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let (guest, _) = app.login().await;
    let profile = json!({"profile_settings": {"nick_name": "Ada"}});
    let _changed =
        guest.call(Method::PATCH, "/v1/users/me/settings", Some(profile.to_string().into())).await.expect(200);
    guest.post("/v1/users/me/memories", &json!({"content": "Likes tea", "kind": "core"})).await.expect(201);
    let body =
        r#"{ "model":"upstream-chat", "x":1e400, "messages":[{"role":"user","content":"Remember that I like tea"}] }"#;
    let answer = guest.header(header::ACCEPT_LANGUAGE, "de").post_bytes(PATH, body).await.expect(200);
    assert!(!answer.headers.contains_key(APPLIED));
    assert_eq!(upstream.chats().pop().unwrap().body, body);
    assert_eq!(guest.get("/v1/users/me/memories").await.expect(200).json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_request_asks_for_a_persona_and_brings_memories() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    let asking = guest.header(PERSONA, "a patient teacher").header(MEMORY, "Is seven years old; Likes cats");
    let mut body = question("Why is the sky blue?");
    body["messages"].as_array_mut().unwrap().insert(0, json!({"role": "system", "content": "Be brief."}));
    assert_eq!(applied(&asking, &body).await, "user_profile,memory");
    let system = told(&upstream);
    let system = system.as_str().unwrap();
    assert!(system.starts_with("Act as: a patient teacher\n\nWhat you remember"), "{system}");
    assert!(system.contains("\n- Is seven years old\n- Likes cats\n") && system.ends_with("\n\nBe brief."), "{system}");
    assert_eq!(upstream.chats().pop().unwrap().json()["messages"].as_array().unwrap().len(), 2);

    let answer = asking.post(&format!("{PATH}?persona=a%20pirate"), &question("Hi")).await.expect(200);
    assert_eq!(answer.headers[APPLIED], "user_profile,memory");
    assert!(told(&upstream).as_str().unwrap().starts_with("Act as: a pirate\n"));

    let mut streamed = question("Hi");
    streamed["stream"] = json!(true);
    upstream.next(Answer::streams(&["Arr"]));
    assert_eq!(applied(&asking, &streamed).await, "user_profile,memory");
}

#[tokio::test]
async fn deep_research_is_asked_for_in_the_body() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    let mut body = question("Why is the sky blue?");
    body["deep_research"] = json!(true);
    assert_eq!(applied(&guest, &body).await, "deep_research");
    assert!(told(&upstream).as_str().unwrap().starts_with("Research this question in depth"));
    assert_eq!(upstream.chats().pop().unwrap().json().get("deep_research"), None);
    (body["deep_research"], body["store_reasoning"], body["store"]) = (json!(false), json!(true), json!(true));
    assert_eq!(applied(&guest, &body).await, "");
    let sent = upstream.chats().pop().unwrap().json();
    assert!(sent.get("deep_research").is_none() && sent.get("store_reasoning").is_none(), "{sent}");
    assert_eq!(sent["store"], true, "without a conversation it is for the upstream to understand");
    body["deep_research"] = json!("yes");
    assert_eq!(guest.post(PATH, &body).await.error().2.as_deref(), Some("deep_research"));
}

#[tokio::test]
async fn what_is_wrong_with_a_header_is_named() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    let (long, many) = ("x".repeat(201), "x;".repeat(21));
    for (client, path, param) in [
        (guest.header(PERSONA, &long), PATH.to_owned(), "X-Prompt-Persona"),
        (guest.header(MEMORY, &many), PATH.to_owned(), "X-Prompt-Memory"),
        (guest.clone(), format!("{PATH}?persona={long}"), "persona"),
    ] {
        let error = client.post(&path, &question("Hi")).await.error();
        assert_eq!(error, (400, "invalid_parameter".to_owned(), Some(param.to_owned())));
    }
    let empty = json!({"model": "upstream-chat", "messages": []});
    let error = guest.header(PERSONA, "x").post(PATH, &empty).await.error();
    assert_eq!(error.2.as_deref(), Some("messages"), "a prompt does not make up for what is missing");
}

#[tokio::test]
async fn where_the_operator_wants_it_every_chat_gets_a_prompt() {
    let upstream = Upstream::start().await;
    let app = App::prompting(&upstream, always()).await;
    let (guest, other) = (app.guest().await, app.guest().await);
    assert_eq!(applied(&guest, &question("Hi")).await, "timing");
    assert!(told(&upstream).as_str().unwrap().contains("Friday, 15 January 2027"));

    // What is changed counts at once.
    let profile = json!({"profile_settings": {"nick_name": "Ada"}}).to_string();
    let _changed = guest.call(Method::PATCH, "/v1/users/me/settings", Some(profile.into())).await.expect(200);
    assert_eq!(applied(&guest, &question("Hi")).await, "timing,user_profile");
    assert!(told(&upstream).as_str().unwrap().contains("Address the user as: Ada"));
    let memory = json!({"content": "Has a dog called Rex"});
    let memory = guest.post("/v1/users/me/memories", &memory).await.expect(201).json();
    assert_eq!(applied(&guest, &question("What do dogs eat?")).await, "timing,user_profile,memory");
    assert!(told(&upstream).as_str().unwrap().ends_with("- Has a dog called Rex"));
    assert_eq!(applied(&guest, &question("What is the capital of France?")).await, "timing,user_profile");
    assert_eq!(applied(&other, &question("What do dogs eat?")).await, "timing", "nobody else's is told");
    guest.delete(&format!("/v1/users/me/memories/{}", memory["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(applied(&guest, &question("What do dogs eat?")).await, "timing,user_profile");
}

#[tokio::test]
async fn what_a_message_asks_to_remember_is_remembered() {
    let upstream = Upstream::start().await;
    let app = App::prompting(&upstream, always()).await;
    let guest = app.guest().await;
    assert_eq!(applied(&guest, &question("Remember that my cat is called Tom.")).await, "timing,memory_saved");
    let list = guest.get("/v1/users/me/memories").await.expect(200).json();
    assert_eq!(
        (&list["data"][0]["content"], &list["data"][0]["source"]),
        (&json!("my cat is called Tom."), &json!("chat"))
    );
    assert_eq!(applied(&guest, &question("How old do cats get?")).await, "timing,memory");
    let long = format!("Remember that {}", "x".repeat(1_001));
    assert_eq!(applied(&guest, &question(&long)).await, "timing,memory_not_saved");

    let off = json!({"memory_config": {"observe_enabled": false}}).to_string();
    let _changed = guest.call(Method::PATCH, "/v1/users/me/settings", Some(off.into())).await.expect(200);
    assert_eq!(applied(&guest, &question("Remember that I am a baker.")).await, "timing");
    let off = json!({"memory_config": {"enabled": false}}).to_string();
    let _changed = guest.call(Method::PATCH, "/v1/users/me/settings", Some(off.into())).await.expect(200);
    assert_eq!(applied(&guest, &question("How old do cats get?")).await, "timing");
    assert_eq!(guest.get("/v1/users/me/memories").await.expect(200).json()["data"].as_array().unwrap().len(), 1);
}

testkit::on_both_databases! {
    async fn who_cannot_reason_does_no_research(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let mut body = question("Why is the sky blue?");
        (body["model"], body["deep_research"]) = (json!("scripted/echo"), json!(true));
        for conversation in [json!(null), json!({})] {
            body["conversation"] = conversation;
            let error = guest.post(PATH, &body).await.error();
            assert_eq!(error, (400, "invalid_parameter".to_owned(), Some("deep_research".to_owned())));
        }
        assert_eq!(guest.get("/v1/conversations").await.expect(200).json()["data"], json!([]));
        // What is said to this server is not passed on.
        (body["model"], body["deep_research"], body["store_reasoning"]) = (json!("upstream-chat"), json!(false), json!(false));
        guest.post(PATH, &body).await.expect(200);
        let sent = upstream.chats().pop().unwrap().json();
        let ours = ["conversation", "deep_research", "store_reasoning"];
        assert!(ours.iter().all(|field| sent.get(field).is_none()), "{sent}");
        body["model"] = json!("scripted/echo");
        // Who only prefers it is answered without.
        let prefers = json!({"preferences": {"enable_deep_research": true}});
        crate::conversations::patch(&guest, "/v1/users/me/settings", &prefers).await.expect(200);
        body["deep_research"] = json!(null);
        assert_eq!(applied(&guest, &body).await, "timing");
    }

    async fn whether_to_think_reaches_the_model(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let thinks = |body: serde_json::Value| {
            let (guest, upstream) = (&guest, &upstream);
            async move {
                guest.post(PATH, &body).await.expect(200);
                let sent = upstream.chats().pop().unwrap().json();
                assert!(sent.get("enable_thinking").is_none_or(serde_json::Value::is_null), "{sent}");
                sent.pointer("/chat_template_kwargs/enable_thinking").cloned()
            }
        };
        let mut body = question("Why is the sky blue?");
        for conversation in [json!(null), json!({})] {
            body["conversation"] = conversation;
            for said in [None, Some(json!(false)), Some(json!(true))] {
                body["enable_thinking"] = said.clone().unwrap_or_default();
                assert_eq!(thinks(body.clone()).await, said);
            }
        }
        let prefers = json!({"preferences": {"enable_thinking": false}});
        crate::conversations::patch(&guest, "/v1/users/me/settings", &prefers).await.expect(200);
        body["enable_thinking"] = json!(null);
        assert_eq!(thinks(body.clone()).await, Some(json!(false)));
        body["enable_thinking"] = json!(true);
        assert_eq!(thinks(body.clone()).await, Some(json!(true)));
        (body["enable_thinking"], body["conversation"]) = (json!(null), json!(null));
        assert_eq!(thinks(body).await, None, "preferences are for conversations");
    }

    async fn a_key_remembers_and_goes_on_only_as_its_scopes_allow(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let key = async |scopes: &[&str]| {
            let wish = json!({"name": "k", "scopes": scopes});
            let made = guest.post("/auth/api-keys", &wish).await.expect(201).json();
            app.anonymous().api_key(made["key"].as_str().unwrap())
        };
        let remembered = async || {
            let page = guest.get("/v1/users/me/memories").await.expect(200).json();
            page["data"].as_array().unwrap().len()
        };
        let mut body = question("Remember that I like tea");
        body["conversation"] = json!({});
        let writes = key(&["chat:write", "conversations:write"]).await;
        let answer = writes.post(PATH, &body).await.expect(200).json();
        assert_eq!(remembered().await, 0, "a memory needs memories:write");
        let all = key(&["chat:write", "conversations:write", "conversations:read", "memories:write"]).await;
        all.post(PATH, &body).await.expect(200);
        assert_eq!(remembered().await, 1);
        let told = async |caller: &Client| {
            let mut body = question("Which tea do I like?");
            body["conversation"] = json!({});
            caller.post(PATH, &body).await.expect(200);
            upstream.chats().last().unwrap().json().to_string().contains("I like tea")
        };
        assert!(told(&guest).await);
        assert!(!told(&all).await, "to be told of memories needs memories:read");
        assert!(told(&key(&["chat:write", "conversations:write", "memories:read"]).await).await);

        let id = &answer["conversation"]["id"];
        body["conversation"] = id.clone();
        assert_eq!(writes.post(PATH, &body).await.error().1, "insufficient_scope", "the model is told what was said");
        let items = format!("/v1/conversations/{}/items", id.as_str().unwrap());
        let item = guest.get(&format!("{items}?limit=1")).await.expect(200).json()["data"][0]["id"].clone();
        let again = format!("{items}/{}/regenerate", item.as_str().unwrap());
        assert_eq!(writes.post(&again, &json!({})).await.error().1, "insufficient_scope");
        body["conversation"] = json!("TEMPORARY_CHAT_ID");
        writes.post(PATH, &body).await.expect(200);
        all.post(&again, &json!({})).await.expect(200);
    }

    async fn dialects_of_clients_are_understood(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let image = json!({"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"});
        let text = json!({"type": "text", "text": "What is this?"});
        let mut body = question("x");
        let url = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}});
        for conversation in [json!(null), json!({})] {
            body["conversation"] = conversation;
            for content in [json!([text, image]), json!(json!([text, image]).to_string())] {
                body["messages"][0]["content"] = content;
                guest.post(PATH, &body).await.expect(200);
                let sent = upstream.chats().pop().unwrap().json();
                assert_eq!(sent["messages"].as_array().unwrap().last().unwrap()["content"], json!([text, url]));
            }
            for url in ["jan_01h", "data:image/png;base64,jan_01h"] {
                body["messages"][0]["content"] = json!([{"type": "image_url", "image_url": {"url": url}}]);
                let param = "messages[0].content[0].image_url.url".to_owned();
                assert_eq!(guest.post(PATH, &body).await.error(), (400, "media_not_found".to_owned(), Some(param)));
            }
        }
    }
}
