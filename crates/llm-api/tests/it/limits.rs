//! Every limit of the contract for what users keep: what is just within it is taken, what is just over it is refused
//! with the field's name. The limits of an item's parts are in `conversations/items/add.rs`.

use http::Method;
use serde_json::{Map, Value, json};
use testkit::{
    client::{Answer, Client},
    on_both_databases,
};

use crate::{
    admin,
    conversations::{make, talk},
    support::App,
};

/// A request and two bodies, alike but for the field that the limit is about.
struct Limit<'a> {
    method: Method,
    path: &'a str,
    within: Value,
    over: Value,
    code: &'static str,
    param: &'static str,
}

fn limit<'a>(method: Method, path: &'a str, param: &'static str, within: Value, over: Value) -> Limit<'a> {
    Limit { method, path, within, over, code: "invalid_parameter", param }
}

/// A text that is longer in bytes than in characters.
fn text(length: usize) -> String {
    "\u{e9}".repeat(length)
}

fn entries(count: usize) -> Map<String, Value> {
    (0..count).map(|n| (format!("k{n}"), json!("v"))).collect()
}

fn messages(count: usize) -> Vec<Value> {
    vec![json!({"role": "user", "content": "x"}); count]
}

async fn ask(client: &Client, limit: &Limit<'_>, body: &Value) -> Answer {
    client.call(limit.method.clone(), limit.path, Some(body.to_string().into())).await
}

/// The limits of a title, a referrer and metadata, however they are set.
fn of_conversations<'a>(method: &Method, path: &'a str) -> Vec<Limit<'a>> {
    let of = |param, within, over| limit(method.clone(), path, param, within, over);
    vec![
        of("title", json!({"title": text(256)}), json!({"title": text(257)})),
        of("referrer", json!({"referrer": text(64)}), json!({"referrer": text(65)})),
        of("metadata", json!({"metadata": entries(16)}), json!({"metadata": entries(17)})),
        of("metadata.k0", json!({"metadata": {"k0": text(512)}}), json!({"metadata": {"k0": text(513)}})),
        of("metadata", json!({"metadata": {"k0": "v"}}), json!({"metadata": {"_k": "v"}})),
    ]
}

/// The limits of settings: a field of a group, the most that is taken and what is too much.
fn of_settings() -> Vec<Limit<'static>> {
    const PATH: &str = "/v1/users/me/settings";
    let of = |param: &'static str, within: Value, over: Value| {
        let (group, field) = param.split_once('.').unwrap();
        limit(Method::PATCH, PATH, param, json!({group: {field: within}}), json!({group: {field: over}}))
    };
    vec![
        of("memory_config.max_user_items", json!(20), json!(21)),
        of("memory_config.max_user_items", json!(0), json!(-1)),
        of("memory_config.max_project_items", json!(50), json!(51)),
        of("memory_config.max_episodic_items", json!(20), json!(21)),
        of("memory_config.min_similarity", json!(1), json!(1.01)),
        of("memory_config.min_similarity", json!(0), json!(-0.01)),
        of("profile_settings.nick_name", json!(text(255)), json!(text(256))),
        of("profile_settings.occupation", json!(text(255)), json!(text(256))),
        of("profile_settings.custom_instructions", json!(text(8_000)), json!(text(8_001))),
        of("profile_settings.more_about_you", json!(text(8_000)), json!(text(8_001))),
        Limit { code: "invalid_base_style", ..of("profile_settings.base_style", json!("Concise"), json!("Creative")) },
        of("preferences.enable_thinking", json!(false), json!("no")),
        of("preferences.selected_model", json!("m".repeat(255)), json!("m".repeat(256))),
    ]
}

/// The limits of a project's fields; names are given once.
fn of_projects<'a>(method: &Method, path: &'a str) -> Vec<Limit<'a>> {
    let with = |name: &str, field: &str, value: String| json!({"name": format!("{method} {name}"), field: value});
    let of = |param, most: usize| {
        let (within, over) = (with(param, param, text(most)), with(param, param, text(most + 1)));
        limit(method.clone(), path, param, within, over)
    };
    vec![
        limit(method.clone(), path, "name", json!({"name": format!("{method:_>120}")}), json!({"name": text(121)})),
        of("instruction", 32_768),
        of("description", 2_000),
    ]
}

on_both_databases! {
    async fn what_is_over_a_limit_is_refused_with_its_field(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let conversation = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &conversation, &["a", "b"]).await;
        let shared = make(&app, &guest, &json!({})).await;
        talk(&guest, &shared, &["a", "b"]).await;
        let project = guest.post("/v1/projects", &json!({"name": "p"})).await.expect(201).json();
        let memory = guest.post("/v1/users/me/memories", &json!({"content": "m"})).await.expect(201).json();
        let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
        let project = format!("/v1/projects/{}", id(&project));
        let memory = format!("/v1/users/me/memories/{}", id(&memory));
        let below = |rest: &str| format!("{conversation}/{rest}");
        let (items, branches, share) = (below("items"), below("branches"), format!("{shared}/share"));
        let (question, answer) = (below(&format!("items/{}", ids[0])), below(&format!("items/{}", ids[1])));
        let edit = format!("{question}/edit");
        let (post, patch) = (Method::POST, Method::PATCH);
        let named = |key: &str, value: Value| json!({"name": "n", key: value});

        let mut limits = of_settings();
        limits.extend(of_conversations(&post, "/v1/conversations"));
        limits.extend(of_conversations(&patch, &conversation));
        limits.extend(of_conversations(&post, &conversation));
        limits.extend(of_projects(&post, "/v1/projects"));
        limits.extend(of_projects(&patch, &project));
        for (path, method) in [("/v1/users/me/memories", post.clone()), (&*memory, patch.clone())] {
            let own = &method.as_str().repeat(2)[..5];
            let content = |length: usize| json!({"content": format!("{}{own}", text(length - 5))});
            limits.push(limit(method.clone(), path, "content", content(1_000), content(1_001)));
        }
        limits.extend([
            limit(
                post.clone(),
                "/v1/conversations",
                "items",
                json!({"items": messages(20)}),
                json!({"items": messages(21)}),
            ),
            Limit {
                code: "too_many_ids",
                ..limit(
                    post.clone(),
                    "/v1/conversations/bulk-delete",
                    "conversation_ids",
                    json!({"conversation_ids": vec!["x"; 100]}),
                    json!({"conversation_ids": vec!["x"; 101]}),
                )
            },
            limit(post.clone(), &items, "items", json!({"items": messages(20)}), json!({"items": messages(21)})),
            limit(
                post.clone(),
                &items,
                "call_id",
                json!({"type": "mcp_call", "call_id": "c".repeat(256)}),
                json!({"type": "mcp_call", "call_id": "c".repeat(257)}),
            ),
            limit(Method::PUT, &edit, "content", json!({"content": text(100_000)}), json!({"content": text(100_001)})),
            limit(
                patch,
                &answer,
                "rating_comment",
                json!({"rating": "like", "rating_comment": text(2_000)}),
                json!({"rating": "like", "rating_comment": text(2_001)}),
            ),
            limit(post.clone(), &branches, "name", json!({"name": text(64)}), json!({"name": text(65)})),
            limit(
                post.clone(),
                &branches,
                "description",
                named("description", json!(text(512))),
                named("description", json!(text(513))),
            ),
            limit(post.clone(), &share, "expires_in", json!({"expires_in": 1}), json!({"expires_in": 0})),
            limit(
                post,
                &share,
                "expires_in",
                json!({"expires_in": 315_360_000}),
                json!({"expires_in": 315_360_001}),
            ),
        ]);
        for limit in &limits {
            let over = ask(&guest, limit, &limit.over).await;
            let refused = (400, limit.code.to_owned(), Some(limit.param.to_owned()));
            assert_eq!(over.error(), refused, "{} {}", limit.method, limit.path);
            let within = ask(&guest, limit, &limit.within).await;
            let place = format!("{} {} {}", limit.method, limit.path, limit.param);
            assert!(within.status.is_success(), "{place}: {}", within.text());
        }
    }

    async fn questions_have_limits_too(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let conversation = make(&app, &guest, &json!({})).await;
        let lists = [
            "/v1/conversations", &format!("{conversation}/items"), &format!("{conversation}/branches"),
            &format!("{conversation}/shares"), "/v1/shares", "/v1/projects", "/v1/users/me/memories", "/auth/api-keys",
        ];
        for path in lists {
            for (query, code, param) in [
                ("limit=0", "invalid_parameter", "limit"),
                ("limit=-1", "invalid_parameter", "limit"),
                ("limit=ten", "invalid_parameter", "limit"),
                ("order=up", "invalid_parameter", "order"),
                ("after=nonsense", "invalid_cursor", "after"),
            ] {
                let error = guest.get(&format!("{path}?{query}")).await.error();
                assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{path}?{query}");
            }
            guest.get(&format!("{path}?limit=1000")).await.expect(200);
        }
        for (query, most, over) in [("q", text(256), text(257)), ("offset", "10000".to_owned(), "10001".to_owned())] {
            let escape = |value: &str| value.replace('\u{e9}', "%C3%A9");
            guest.get(&format!("/v1/conversations?{query}={}", escape(&most))).await.expect(200);
            let error = guest.get(&format!("/v1/conversations?{query}={}", escape(&over))).await.error();
            assert_eq!(error, (400, "invalid_parameter".to_owned(), Some(query.to_owned())));
        }
    }

    async fn the_texts_of_administrators_have_limits(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin::admin(&app).await;
        let path = "/v1/admin/prompt-templates";
        let persona = |field: &str, value: String| {
            let mut body = json!({"key": format!("persona.{field}"), "content": "x"});
            body[field] = json!(value);
            body
        };
        for (field, most, code) in [
            ("name", 100, "invalid_parameter"),
            ("description", 1_000, "invalid_parameter"),
            ("model", 256, "invalid_parameter"),
            ("content", 32_768, "invalid_template"),
        ] {
            let error = root.post(path, &persona(field, "x".repeat(most + 1))).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(field.to_owned())));
            root.post(path, &persona(field, "x".repeat(most))).await.expect(201);
        }
        let key = |length: usize| json!({"key": format!("persona.{}", "k".repeat(length)), "content": "x"});
        let refused = (400, "invalid_parameter".to_owned(), Some("key".to_owned()));
        assert_eq!(root.post(path, &key(49)).await.error(), refused);
        root.post(path, &key(48)).await.expect(201);
    }
}
