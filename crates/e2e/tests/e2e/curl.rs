//! The contract's endpoints as it lists them, asked with curl as its readers ask them: each with a body of the fields
//! that it names, in its order, through both doors. An answer has the status and the fields that the text shows.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::{
    sdk::place,
    server::{PATIENCE, Server, Setup},
    walk::on_data,
};

const MODEL: &str = "scripted/echo";
const ERROR: &str = "type code message param request_id";
const LIST: &str = "object data first_id last_id has_more next_after";
const GUEST: &str = "user_id username principal_id access_token refresh_token token_type expires_in";
const TOKENS: &str = "access_token refresh_token token_type expires_in expires_at";
const ME: &str = "id username email subject auth_method name roles is_admin is_guest picture created_at";
const KEY: &str = "id name prefix suffix status created_at expires_at last_used_at revoked_at";
const CONVERSATION: &str = "id object created_at updated_at metadata active_branch item_count";
const ITEM: &str = "id object type role content status branch sequence_number created_at completed_at";
const BRANCH: &str = "name description parent_branch forked_at forked_from_item_id item_count created_at updated_at \
    is_active";
const SHARE: &str = "id share_id object slug share_url url title scope item_id visibility view_count revoked_at \
    last_viewed_at expires_at read_only snapshot_version share_options created_at updated_at";
const PROJECT: &str = "id object name instruction description is_favorite is_archived archived_at created_at \
    updated_at conversation_count";
const SETTINGS: &str = "id user_id memory_config profile_settings advanced_settings enable_trace enable_tools \
    preferences created_at updated_at";
const MEMORY: &str = "id object content kind project_id source created_at updated_at";
const TEMPLATE: &str = "id object key model name description category enabled is_system active_version last_version \
    content variables created_at updated_at";

/// Somebody at a shell.
struct Shell {
    base: String,
    token: Option<String>,
}

/// What curl printed.
struct Printed {
    asked: String,
    status: u16,
    head: String,
    body: String,
}

impl Shell {
    /// A guest, with what the sign-in said.
    async fn of_guest(base: &str) -> (Self, Value) {
        let mut shell = Self { base: base.to_owned(), token: None };
        let guest = shell.post("/auth/guest-login", &json!({})).await.shows(201, GUEST);
        shell.token = Some(text(&guest["access_token"]));
        (shell, guest)
    }

    async fn get(&self, path: &str) -> Printed {
        self.ask("GET", path, None, &[]).await
    }

    async fn delete(&self, path: &str) -> Printed {
        self.ask("DELETE", path, None, &[]).await
    }

    async fn post(&self, path: &str, body: &Value) -> Printed {
        self.ask("POST", path, Some(body), &[]).await
    }

    async fn put(&self, path: &str, body: &Value) -> Printed {
        self.ask("PUT", path, Some(body), &[]).await
    }

    async fn patch(&self, path: &str, body: &Value) -> Printed {
        self.ask("PATCH", path, Some(body), &[]).await
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>, more: &[&str]) -> Printed {
        let mut command = Command::new(place("JAN_TEST_CURL"));
        // `--disable`: without the configuration of whoever runs the tests.
        command.args(["--disable", "--silent", "--show-error", "--include", "--request", method]).args(more);
        if let Some(token) = &self.token {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        if body.is_some() {
            command.args(["--header", "Content-Type: application/json", "--data-binary", "@-"]);
        }
        command.arg(format!("{}{path}", self.base));
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut curl = command.spawn().unwrap();
        let mut input = curl.stdin.take().unwrap();
        input.write_all(body.map(Value::to_string).unwrap_or_default().as_bytes()).await.unwrap();
        drop(input);
        let done = tokio::time::timeout(PATIENCE, curl.wait_with_output()).await.expect("curl ends").unwrap();
        let asked = format!("{method} {path}");
        assert!(done.status.success(), "{asked}: {}", String::from_utf8_lossy(&done.stderr));
        let printed = String::from_utf8(done.stdout).unwrap();
        let (head, body) = printed.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        Printed { asked, status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}

impl Printed {
    /// The body, which came with this status and has these fields.
    fn shows(self, status: u16, fields: &str) -> Value {
        let body = self.json(status);
        has(&body, fields, &self.asked);
        body
    }

    /// The elements of a list, each with these fields.
    fn lists(self, fields: &str) -> Vec<Value> {
        let asked = self.asked.clone();
        let mut list = self.shows(200, LIST);
        assert_eq!(list["object"], "list", "{asked}");
        let data = list["data"].as_array_mut().map(std::mem::take).unwrap();
        for element in &data {
            has(element, fields, &asked);
        }
        data
    }

    /// The body of an error with this code.
    fn fails(self, status: u16, code: &str) -> Value {
        let mut body = self.json(status);
        assert_eq!(body.as_object().unwrap().len(), 1, "{}: nothing is beside the error: {body}", self.asked);
        has(&body["error"], ERROR, &self.asked);
        assert_eq!(body["error"]["code"], code, "{}: {body}", self.asked);
        body["error"].take()
    }

    fn status_is(self, status: u16) {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.body);
    }

    fn json(&self, status: u16) -> Value {
        let Self { asked, body, .. } = self;
        assert_eq!(self.status, status, "{asked}: {body}");
        assert!(self.head.contains("\r\nx-request-id: "), "{asked}: {}", self.head);
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{asked}: {error}: {body}"))
    }
}

fn has(value: &Value, fields: &str, asked: &str) {
    for field in fields.split_whitespace() {
        assert!(value.get(field).is_some(), "{asked} has no {field}: {value}");
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

/// A server with an administrator's key, and both ways to it.
async fn server() -> (Server, [String; 2], String) {
    let server = Setup::new().scripted().start().await;
    on_data(&server, &["user", "create", "root@example.org", "--username", "root", "--admin"]);
    let key = on_data(&server, &["key", "create", "--user", "root", "--scope", "admin"]);
    let doors = ["llm-api", "gateway"].map(|service| server.url(service, ""));
    (server, doors, key)
}

/// Section 2.1.
#[tokio::test]
async fn signing_in() {
    let (_server, doors, _) = server().await;
    for base in doors {
        // E01
        let (mut shell, guest) = Shell::of_guest(&base).await;
        assert!(text(&guest["username"]).starts_with("guest-"), "{guest}");
        assert_eq!(guest["token_type"], "Bearer");
        // E02
        let login = shell.get("/auth/login").await;
        assert!(!login.head.contains("set-cookie"), "{}", login.head);
        let login = login.shows(200, "authorization_url state");
        let url = text(&login["authorization_url"]);
        for parameter in ["client_id=", "response_type=code", "redirect_uri=", "scope=", "state=", "code_challenge="] {
            assert!(url.contains(parameter), "{parameter} in {url}");
        }
        assert!(url.contains("code_challenge_method=S256"), "{url}");
        let error = shell.get("/auth/login?redirect_url=https://elsewhere.example/").await;
        assert_eq!(error.fails(400, "invalid_redirect_url")["param"], "redirect_url");
        // E03
        shell.get("/auth/callback?code=x&state=unknown").await.fails(400, "invalid_state");
        // E04
        for method in ["GET", "POST"] {
            let (leaving, _) = Shell::of_guest(&base).await;
            let left = leaving.ask(method, "/auth/logout", None, &[]).await.shows(200, "status");
            assert_eq!(left["status"], "logged out");
            leaving.get("/auth/me").await.fails(401, "invalid_token");
        }
        // E05
        let anonymous = Shell { base: base.clone(), token: None };
        let (renewing, guest) = Shell::of_guest(&base).await;
        for path in ["/auth/refresh-token", "/auth/refresh"] {
            let renewed = anonymous.post(path, &json!({"refresh_token": guest["refresh_token"]})).await;
            renewed.shows(200, TOKENS);
        }
        let error = anonymous.post("/auth/refresh-token", &json!({})).await.fails(400, "missing_refresh_token");
        assert!(text(&error["message"]).contains("refresh_token required"), "{error}");
        let wrong = json!({"refresh_token": "wrong"});
        anonymous.post("/auth/refresh-token", &wrong).await.fails(401, "invalid_refresh_token");
        // E06
        renewing.post("/auth/revoke", &json!({"refresh_token": guest["refresh_token"]})).await.shows(200, "message");
        renewing.post("/auth/revoke", &json!({"token": "unknown"})).await.shows(200, "message");
        // E07
        let name = format!("ada-{}", base.rsplit(':').next().unwrap());
        let wish = json!({"email": format!("{name}@example.org"), "username": name, "full_name": "Ada Lovelace",
            "password": "correct horse battery staple"});
        let upgraded = shell.post("/auth/upgrade", &wish).await;
        let upgraded = upgraded.shows(200, "status user access_token refresh_token");
        assert_eq!(upgraded["status"], "upgraded");
        has(&upgraded["user"], ME, "the upgraded user");
        shell.token = Some(text(&upgraded["access_token"]));
        shell.post("/auth/upgrade", &wish).await.fails(409, "not_a_guest");
        let (another, _) = Shell::of_guest(&base).await;
        another.post("/auth/upgrade", &wish).await.fails(409, "username_taken");
        another.post("/auth/upgrade", &json!({"email": wish["email"]})).await.fails(409, "email_taken");
        another.post("/auth/upgrade", &json!({"email": "nobody"})).await.status_is(400);
        // E08 to E10
        let wish = json!({"name": "curl", "expires_in": "720h", "scopes": ["read"]});
        let made = shell.post("/auth/api-keys", &wish).await.shows(201, KEY);
        assert!(text(&made["key"]).starts_with("sk_live_"), "{made}");
        let listed = shell.get("/auth/api-keys?limit=5").await.lists(KEY);
        assert!(listed.iter().all(|listed| listed.get("key").is_none()), "{listed:?}");
        let header = format!("X-API-Key: {}", text(&made["key"]));
        let me = anonymous.ask("GET", "/auth/me", None, &["--header", &header]).await;
        assert!(me.head.contains("\r\nx-auth-method: apikey"), "{}", me.head);
        assert_eq!(me.shows(200, ME)["auth_method"], "apikey");
        let path = format!("/auth/api-keys/{}", text(&made["id"]));
        let deleted = shell.delete(&path).await;
        assert_eq!((deleted.status, &*deleted.body), (204, ""));
        shell.delete(&path).await.fails(404, "api_key_not_found");
        // E11
        let me = shell.get("/auth/me").await.shows(200, ME);
        assert_eq!((&me["auth_method"], &me["is_guest"]), (&json!("jwt"), &json!(false)));
        anonymous.get("/auth/me").await.fails(401, "missing_credentials");
    }
}

/// Sections 2.2 to 2.4.
#[tokio::test]
async fn conversing() {
    let (_server, doors, _) = server().await;
    for base in doors {
        let (shell, _) = Shell::of_guest(&base).await;
        chatting(&shell).await;
        let conversation = keeping(&shell).await;
        items(&shell, &conversation).await;
        branches(&shell, &conversation).await;
        forgetting(&shell, &conversation).await;
    }
}

/// E12.
async fn chatting(shell: &Shell) {
    let mut chat = json!({"model": MODEL, "messages": [{"role": "user", "content": "Why is the sky blue?"}],
        "temperature": 0, "max_tokens": 50, "conversation": {}, "store": true, "store_reasoning": false,
        "enable_thinking": true, "top_k": 1, "repetition_penalty": 1.0, "user": "somebody", "metadata": {"a": "b"}});
    let answer = shell.post("/v1/chat/completions?referrer=curl", &chat).await;
    assert!(answer.head.contains("\r\nx-applied-prompt-modules: "), "{}", answer.head);
    let id = answer.head.lines().find_map(|line| line.strip_prefix("x-conversation-id: ")).unwrap().to_owned();
    let answer = answer.shows(200, "id object created model choices usage conversation");
    assert_eq!(answer["conversation"], json!({"id": id, "title": "Why is the sky blue?"}));
    has(&answer["choices"][0], "index message finish_reason", "a chat");
    has(&answer["choices"][0]["message"], "role content", "a chat");

    (chat["stream"], chat["conversation"]) = (json!(true), json!(id));
    let streamed = shell.ask("POST", "/v1/chat/completions", Some(&chat), &["--no-buffer"]).await;
    assert_eq!(streamed.status, 200, "{}", streamed.body);
    assert!(streamed.head.contains("\r\ncontent-type: text/event-stream"), "{}", streamed.head);
    assert!(streamed.head.contains(&format!("\r\nx-conversation-id: {id}")), "{}", streamed.head);
    let mut events: Vec<&str> = streamed.body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(events.pop(), Some("[DONE]"), "{}", streamed.body);
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!((&last["object"], &last["conversation"]["id"]), (&json!("chat.completion.chunk"), &json!(id)));

    shell.post("/v1/chat/completions", &json!({"model": MODEL, "messages": []})).await.fails(400, "invalid_parameter");
    (chat["stream"], chat["model"]) = (json!(false), json!("none/such"));
    shell.post("/v1/chat/completions", &chat).await.fails(404, "model_not_found");
    (chat["model"], chat["conversation"]) = (json!(MODEL), json!("conv_0000000000000000"));
    shell.post("/v1/chat/completions", &chat).await.fails(404, "conversation_not_found");
    let temporary = json!({"model": MODEL, "messages": chat["messages"], "conversation": "TEMPORARY_CHAT_ID"});
    shell.post("/v1/chat/completions", &temporary).await.shows(200, "choices");
}

/// E13 to E16; the path of a conversation that was made.
async fn keeping(shell: &Shell) -> String {
    let listed = shell.get("/v1/conversations?limit=20&order=desc&referrer=curl&scope=none").await.lists(CONVERSATION);
    assert_eq!(listed.len(), 1, "the chat's: {listed:?}");
    assert!(listed[0].get("items").is_none(), "{listed:?}");
    let error = shell.get("/v1/conversations?limit=0").await.fails(400, "invalid_parameter");
    assert_eq!(error["param"], "limit");
    shell.get("/v1/conversations?after=conv_0000000000000000").await.fails(400, "invalid_cursor");
    shell.get("/v1/conversations?project_id=proj_0000000000000000").await.fails(404, "project_not_found");

    let wish = json!({"title": "Sky", "referrer": "curl", "metadata": {"topic": "sky"}, "items": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Why is the sky blue?"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It scatters."}]},
    ]});
    let made = shell.post("/v1/conversations", &wish).await.shows(200, CONVERSATION);
    assert_eq!((&made["object"], &made["title"]), (&json!("conversation"), &json!("Sky")));
    let id = text(&made["id"]);
    assert!(id.starts_with("conv_") && id.len() == 21, "{id}");
    let wrong = json!({"title": "t".repeat(257)});
    assert_eq!(shell.post("/v1/conversations", &wrong).await.fails(400, "invalid_parameter")["param"], "title");

    let path = format!("/v1/conversations/{id}");
    let shown = shell.get(&path).await.shows(200, CONVERSATION);
    let texts: Vec<&Value> =
        shown["items"].as_array().unwrap().iter().map(|item| &item["content"][0]["text"]).collect();
    assert_eq!(texts, ["Why is the sky blue?", "It scatters."]);
    assert!(shell.get(&format!("{path}?include_items=false")).await.json(200).get("items").is_none());
    assert_eq!(shell.get(&format!("{path}?items_limit=1")).await.json(200)["items_has_more"], true);
    shell.get("/v1/conversations/malformed").await.fails(400, "invalid_id");
    shell.get("/v1/conversations/conv_0000000000000000").await.fails(404, "conversation_not_found");

    let changed = shell.patch(&path, &json!({"title": "Blue", "metadata": {"topic": null, "a": "b"}})).await;
    assert_eq!(changed.shows(200, CONVERSATION)["metadata"], json!({"a": "b"}));
    let replaced = shell.post(&path, &json!({"metadata": {"c": "d"}})).await.shows(200, CONVERSATION);
    assert_eq!((&replaced["metadata"], &replaced["title"]), (&json!({"c": "d"}), &json!("Blue")));
    path
}

/// E19 to E25.
async fn items(shell: &Shell, conversation: &str) {
    let path = format!("{conversation}/items");
    let two = json!({"items": [{"role": "user", "content": "And at night?"},
        {"type": "mcp_call", "call_id": "call_1", "name": "look", "arguments": "{}", "status": "in_progress"}]});
    let added = shell.post(&path, &two).await.lists("id object type status branch sequence_number created_at");
    assert_eq!((added.len(), &added[0]["object"]), (2, &json!("conversation.item")));
    let one = shell.post(&path, &json!({"role": "assistant", "content": "Black."})).await.shows(201, ITEM);
    let error = shell.post(&path, &json!({"items": [{"role": "user", "content": [{"type": "?"}]}]})).await;
    assert_eq!(error.fails(400, "invalid_parameter")["param"], "items[0].content[0].type");
    assert_eq!(shell.get(&format!("{path}?limit=2&order=asc")).await.lists("id type").len(), 2);

    let (question, answer) = (text(&added[0]["id"]), text(&one["id"]));
    assert_eq!(shell.get(&format!("{path}/{answer}")).await.shows(200, ITEM)["id"], one["id"]);
    shell.get(&format!("{path}/msg_0000000000000000")).await.fails(404, "item_not_found");

    let call = format!("{path}/by-call-id/call_1");
    assert_eq!(shell.get(&call).await.shows(200, "id type call_id status")["type"], "mcp_call");
    let finished = shell.patch(&call, &json!({"status": "completed", "output": "stars"})).await;
    assert_eq!(finished.shows(200, "id call_id output")["status"], "completed");

    let edited = shell.put(&format!("{path}/{question}/edit"), &json!({"content": "And at dawn?"})).await;
    let edited = edited.shows(200, "branch old_main_backup branch_created new_branch user_item item");
    assert_eq!((&edited["branch"], &edited["branch_created"]), (&json!("MAIN"), &json!(true)));
    has(&edited["new_branch"], BRANCH, "an edit");
    assert!(text(&edited["old_main_backup"]).starts_with("MAIN_"), "{edited}");

    let asked = text(&edited["user_item"]["id"]);
    let again = json!({"model": MODEL, "temperature": 0, "max_tokens": 20});
    let made = shell.post(&format!("{path}/{asked}/regenerate"), &again).await.shows(200, "branch user_item_id item");
    let answer = text(&made["item"]["id"]);
    let made = shell.post(&format!("{path}/{answer}/regenerate"), &again).await;
    let made = made.shows(200, "branch old_main_backup branch_created new_branch user_item_id item usage");
    let answer = text(&made["item"]["id"]);

    let wish = json!({"expires_in": 3600, "include_context": true, "title": "Dawn"});
    let share = shell.post(&format!("{path}/{answer}/share"), &wish).await.shows(201, SHARE);
    assert_eq!((&share["scope"], &share["item_id"]), (&json!("item"), &json!(answer)));
    shell.post(&format!("{path}/{asked}/share"), &json!({})).await.fails(400, "item_not_shareable");

    let deleted = shell.delete(&format!("{path}/{answer}")).await.shows(200, CONVERSATION);
    assert_eq!((&deleted["object"], &deleted["deleted_item_id"]), (&json!("conversation"), &json!(answer)));
    let cut = shell.delete(&format!("{path}/{asked}?cascade=after")).await;
    cut.shows(200, "id deleted_item_id branch old_main_backup branch_created");
}

/// The branches of a conversation.
async fn branches(shell: &Shell, conversation: &str) {
    let path = format!("{conversation}/branches");
    let made = shell.post(&path, &json!({"name": "idea", "description": "Another"})).await.shows(201, BRANCH);
    assert_eq!(made["parent_branch"], "MAIN");
    assert!(shell.get(&path).await.lists(BRANCH).len() >= 2);
    shell.get(&format!("{path}/idea")).await.shows(200, BRANCH);
    let active = shell.post(&format!("{path}/idea/activate"), &json!({})).await;
    active.status_is(200);
    shell.delete(&format!("{path}/idea")).await.fails(400, "branch_protected");
    shell.post(&format!("{path}/main/activate"), &json!({})).await.status_is(200);
    shell.delete(&format!("{path}/MAIN")).await.fails(400, "branch_protected");
    shell.delete(&format!("{path}/idea")).await.status_is(200);
}

/// E17 and E18.
async fn forgetting(shell: &Shell, conversation: &str) {
    let deleted = shell.delete(conversation).await.shows(200, "id");
    assert_eq!((&deleted["object"], &deleted["deleted"]), (&json!("conversation.deleted"), &json!(true)));
    shell.delete(conversation).await.fails(404, "conversation_not_found");
    let made = shell.post("/v1/conversations", &json!({})).await.shows(200, CONVERSATION);
    let ids = json!({"conversation_ids": [made["id"], "conv_0000000000000000"]});
    let gone = shell.post("/v1/conversations/bulk-delete", &ids).await;
    assert_eq!(
        gone.json(200),
        json!({"object": "conversations.deleted", "deleted": true, "deleted_count": 1, "failed_count": 1,
            "failed_ids": ["conv_0000000000000000"]})
    );
    let many = json!({"conversation_ids": vec!["conv_0000000000000000"; 101]});
    shell.post("/v1/conversations/bulk-delete", &many).await.fails(400, "too_many_ids");
    shell.post("/v1/conversations", &json!({})).await.shows(200, CONVERSATION);
    let all = shell.delete("/v1/conversations").await.shows(200, "object deleted deleted_count");
    assert!(all["deleted_count"].as_u64().unwrap() >= 1, "{all}");
    assert_eq!(shell.delete("/v1/conversations").await.json(200)["deleted_count"], 0);
}

/// Section 2.5.
#[tokio::test]
async fn sharing() {
    let (_server, doors, _) = server().await;
    for base in doors {
        let (shell, _) = Shell::of_guest(&base).await;
        let said = json!({"title": "Sky", "items": [{"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "It scatters."}]});
        let id = text(&shell.post("/v1/conversations", &said).await.shows(200, "id")["id"]);
        let path = format!("/v1/conversations/{id}");
        let wish = json!({"scope": "conversation", "title": "My sky", "include_images": false,
            "include_context_messages": false, "branch": "MAIN", "expires_in": 3600, "read_only": true});
        let share = shell.post(&format!("{path}/share"), &wish).await.shows(201, SHARE);
        let (share_id, slug) = (text(&share["id"]), text(&share["slug"]));
        assert!(share_id.starts_with("shr_") && slug.len() == 22, "{share}");
        assert!(text(&share["share_url"]).ends_with(&format!("/v1/share/{slug}")), "{share}");
        shell.post("/v1/conversations/TEMPORARY_CHAT_ID/share", &json!({})).await.fails(400, "temporary_conversation");

        let anybody = Shell { base: base.clone(), token: None };
        for (below, name) in
            [("share", &slug), ("share", &share_id), ("public/shares", &slug), ("conversations/share", &slug)]
        {
            let open = format!("/v1/{below}/{name}");
            let public = anybody.get(&open).await;
            assert!(public.head.contains("\r\netag: ") && public.head.contains("noindex"), "{}", public.head);
            let public = public.shows(200, "object slug title created_at snapshot");
            assert_eq!((&public["object"], &public["title"]), (&json!("public_share"), &json!("My sky")));
            has(&public["snapshot"], "title created_at items", &open);
            has(&public["snapshot"]["items"][1], "id type role content created_at", &open);
            assert!(!public.to_string().contains(&id), "{public}");
        }
        let page = anybody.ask("GET", &format!("/v1/share/{slug}"), None, &["--header", "Accept: text/html"]).await;
        assert!(page.head.contains("\r\ncontent-type: text/html"), "{}", page.head);
        assert!(page.body.contains("It scatters."), "{}", page.body);

        assert_eq!(shell.get(&format!("{path}/shares")).await.lists(SHARE).len(), 1);
        assert_eq!(shell.get("/v1/shares").await.lists(SHARE).len(), 1);
        let ended = shell.delete(&format!("{path}/share/{share_id}")).await.shows(200, "id");
        assert_eq!((&ended["object"], &ended["deleted"]), (&json!("share.deleted"), &json!(true)));
        shell.delete(&format!("{path}/share/{share_id}")).await.fails(404, "share_not_found");
        anybody.get(&format!("/v1/share/{slug}")).await.fails(410, "share_revoked");
        anybody.get("/v1/share/unknown").await.fails(404, "share_not_found");
        let another = text(&shell.post(&format!("{path}/share"), &json!({})).await.shows(201, SHARE)["id"]);
        shell.delete(&format!("/v1/shares/{another}")).await.shows(200, "id object deleted");
    }
}

/// Section 2.7.
#[tokio::test]
async fn projects() {
    let (_server, doors, _) = server().await;
    for base in doors {
        let (shell, _) = Shell::of_guest(&base).await;
        assert!(shell.get("/v1/projects?limit=5&order=asc&archived=false").await.lists(PROJECT).is_empty());
        let wish = json!({"name": "Sky", "instruction": "Speak Latin.", "is_favorite": true});
        let made = shell.post("/v1/projects", &wish).await.shows(201, PROJECT);
        assert!(text(&made["id"]).starts_with("proj_"), "{made}");
        shell.post("/v1/projects", &wish).await.fails(409, "project_name_exists");
        shell.post("/v1/projects", &json!({"name": ""})).await.fails(400, "invalid_parameter");
        shell.post("/v1/projects", &json!({"title": "Sea", "description": "Salt"})).await.shows(201, PROJECT);
        let path = format!("/v1/projects/{}", text(&made["id"]));
        assert_eq!(shell.get(&path).await.shows(200, PROJECT), made);
        shell.get("/v1/projects/proj_0000000000000000").await.fails(404, "project_not_found");
        let away = shell.patch(&path, &json!({"is_archived": true})).await.shows(200, PROJECT);
        assert!(away["archived_at"].is_i64(), "{away}");
        assert_eq!(shell.patch(&path, &json!({"archived": false})).await.json(200)["archived_at"], Value::Null);
        shell.patch(&path, &json!({"name": "Sea"})).await.fails(409, "project_name_exists");
        let begun = shell.post("/v1/conversations", &json!({"project_id": made["id"]})).await;
        let begun = begun.shows(200, CONVERSATION);
        let listed = shell.get(&format!("{path}/conversations")).await.lists(CONVERSATION);
        assert_eq!(listed[0]["id"], begun["id"]);
        let deleted = shell.delete(&path).await.shows(200, "id");
        assert_eq!((&deleted["object"], &deleted["deleted"]), (&json!("project.deleted"), &json!(true)));
        shell.get(&path).await.fails(404, "project_not_found");
        let left = shell.get(&format!("/v1/conversations/{}", text(&begun["id"]))).await.shows(200, CONVERSATION);
        assert!(left["project_id"].is_null(), "{left}");
    }
}

/// Section 2.8, with the memories that the settings are about.
#[tokio::test]
async fn settings_and_memories() {
    let (_server, doors, _) = server().await;
    for base in doors {
        let (shell, _) = Shell::of_guest(&base).await;
        shell.get("/v1/users/me").await.shows(200, &format!("{ME} object email_verified groups feature_flags"));
        let path = "/v1/users/me/settings";
        let before = shell.get(path).await.shows(200, SETTINGS);
        let groups = json!({"enabled": true, "observe_enabled": true, "inject_user_core": true, "inject_semantic": true,
            "inject_episodic": false, "max_user_items": 3, "max_project_items": 5, "max_episodic_items": 3,
            "min_similarity": 0.75});
        assert_eq!(before["memory_config"], groups);
        let changed = shell.patch(path, &json!({"profile_settings": {"nick_name": "Ada"}})).await.shows(200, SETTINGS);
        let profile = &changed["profile_settings"];
        assert_eq!((&profile["nick_name"], &profile["base_style"]), (&json!("Ada"), &json!("Friendly")));
        assert_eq!(
            shell.patch(path, &changed).await.shows(200, SETTINGS)["profile_settings"],
            changed["profile_settings"]
        );
        let wrong = json!({"profile_settings": {"base_style": "Creative"}});
        let error = shell.patch(path, &wrong).await.fails(400, "invalid_base_style");
        assert!(text(&error["message"]).contains("base_style"), "{error}");
        assert_eq!(error["param"], "profile_settings.base_style");
        let preferences = format!("{path}/preferences");
        shell.get(&preferences).await.shows(200, "preferences");
        let theme = shell.patch(&preferences, &json!({"preferences": {"theme": "dark"}})).await;
        assert_eq!(theme.shows(200, "preferences")["preferences"]["theme"], "dark");

        let path = "/v1/users/me/memories";
        let kept = shell.post(path, &json!({"content": "Likes tea", "kind": "core"})).await.shows(201, MEMORY);
        assert_eq!(shell.get(path).await.lists(MEMORY).len(), 1);
        let one = format!("{path}/{}", text(&kept["id"]));
        shell.get(&one).await.shows(200, MEMORY);
        assert_eq!(
            shell.patch(&one, &json!({"content": "Likes mate"})).await.shows(200, MEMORY)["content"],
            "Likes mate"
        );
        shell.delete(&one).await.shows(200, "id object deleted");
        shell.delete(path).await.shows(200, "object deleted");
    }
}

/// The texts that section 9 is made of.
#[tokio::test]
async fn prompt_templates() {
    let (_server, doors, key) = server().await;
    for base in doors {
        let (guest, _) = Shell::of_guest(&base).await;
        let path = "/v1/admin/prompt-templates";
        guest.get(path).await.fails(403, "admin_required");
        let shell = Shell { base, token: Some(key.clone()) };
        assert!(!shell.get(path).await.lists(TEMPLATE).is_empty());
        let wish = json!({"key": "persona.pirate", "name": "Pirate", "content": "Talk like a pirate."});
        let made = shell.post(path, &wish).await.shows(201, TEMPLATE);
        let one = format!("{path}/{}", text(&made["id"]));
        shell.get(&one).await.shows(200, TEMPLATE);
        let changed = shell.patch(&one, &json!({"content": "Arr."})).await.shows(200, TEMPLATE);
        assert_eq!(changed["active_version"], 2);
        assert_eq!(shell.get(&format!("{one}/versions")).await.lists("version content created_at").len(), 2);
        shell.post(&format!("{one}/preview"), &json!({})).await.status_is(200);
        shell.delete(&one).await.shows(200, "id object deleted");
        shell.get(&one).await.fails(404, "prompt_template_not_found");
    }
}
