use domain::Role;
use http::Method;
use serde_json::{Value, json};
use testkit::client::{Answer, Client};

use super::{account, admin, sign_in};
use crate::support::{App, ISSUER, NOW};

async fn patch(client: &Client, id: &str, change: &Value) -> Answer {
    client.call(Method::PATCH, &format!("/v1/admin/users/{id}"), Some(change.to_string().into())).await
}

async fn act(client: &Client, id: &str, verb: &str) -> Answer {
    client.call(Method::POST, &format!("/v1/admin/users/{id}/{verb}"), None).await
}

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn only_administrators_come_in() {
    let app = App::new().await;
    let (root, me) = admin(&app).await;
    let (user, _) = account(&app, "ada", vec![Role::User]).await;
    let mut walked = 0;
    for operation in root.contract().operations().iter().filter(|operation| operation.path.starts_with("/v1/admin")) {
        let method = &operation.method;
        let path = operation.path.replace("{id}", me.id.as_str());
        for client in [&app.guest().await, &user] {
            let (status, code, _) = client.call(method.clone(), &path, None).await.error();
            assert_eq!((status, code.as_str()), (403, "admin_required"), "{method} {path}");
        }
        assert_eq!(app.anonymous().call(method.clone(), &path, None).await.error().0, 401, "{path}");
        walked += 1;
    }
    assert!(walked >= 6, "{walked}");
}

#[tokio::test]
async fn only_a_key_made_for_it_administers() {
    let app = App::new().await;
    let (root, _) = admin(&app).await;
    for (scopes, status) in [(json!(["admin", "x"]), 200), (json!([]), 403), (json!(["keys:manage"]), 403)] {
        let wish = json!({"name": "cron", "scopes": scopes});
        let key = root.post("/auth/api-keys", &wish).await.expect(201).json();
        let by_key = app.anonymous().api_key(key["key"].as_str().unwrap());
        let answer = by_key.get("/v1/admin/users").await.expect(status);
        assert!(status == 200 || answer.error().1 == "insufficient_scope");
    }
}

#[tokio::test]
async fn users_are_listed_in_pages_and_found() {
    let app = App::new().await;
    let (root, _) = admin(&app).await;
    let (_, ada) = account(&app, "ada", vec![Role::User]).await;
    account(&app, "eve", vec![Role::User]).await;
    app.identity.set_disabled(&ada.id, true).await.unwrap();

    let all = root.get("/v1/admin/users?order=asc").await.expect(200).json();
    assert_eq!(names(&all), ["root", "ada", "eve"]);
    let first = root.get("/v1/admin/users?limit=2").await.expect(200).json();
    assert_eq!((names(&first), &first["has_more"]), (vec!["eve", "ada"], &json!(true)));
    let after = first["next_after"].as_str().unwrap();
    let rest = root.get(&format!("/v1/admin/users?limit=2&cursor={after}")).await.expect(200).json();
    assert_eq!((names(&rest), &rest["has_more"]), (vec!["root"], &json!(false)));
    for (query, found) in [
        ("q=ADA", vec!["ada"]),
        ("q=%25", vec![]),
        ("role=admin", vec!["root"]),
        ("disabled=true", vec!["ada"]),
        ("disabled=false&role=user&q=example.org&order=asc", vec!["root", "eve"]),
    ] {
        let page = root.get(&format!("/v1/admin/users?{query}")).await.expect(200).json();
        assert_eq!(names(&page), found, "{query}");
    }
    let long = format!("q={}", "x".repeat(255));
    for (query, code, param) in [
        ("role=overlord", "invalid_parameter", "role"),
        ("disabled=perhaps", "invalid_parameter", "disabled"),
        ("limit=0", "invalid_parameter", "limit"),
        ("after=nonsense", "invalid_cursor", "after"),
        ("after=user_00000000000000000000", "invalid_cursor", "after"),
        ("q=a%00", "invalid_parameter", "q"),
        (&long, "invalid_parameter", "q"),
    ] {
        let error = root.get(&format!("/v1/admin/users?{query}")).await.error();
        assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{query}");
    }
}

#[tokio::test]
async fn a_user_is_shown_and_changed() {
    let app = App::new().await;
    let (root, _) = admin(&app).await;
    let (client, ada) = account(&app, "ada", vec![Role::User]).await;
    let id = ada.id.as_str();
    let shown = root.get(&format!("/v1/admin/users/{id}")).await.expect(200).json();
    assert_eq!(
        shown,
        json!({
            "id": id, "object": "user", "username": "ada", "email": "ada@example.org", "email_verified": false,
            "name": null, "issuer": ISSUER, "subject": id, "roles": ["user"], "is_admin": false, "is_guest": false,
            "active": true, "disabled_at": null, "created_at": NOW.seconds() + 1,
        })
    );
    let change = json!({
        "roles": ["admin"], "username": "ada2", "email": "ada2@example.org", "name": " Ada ",
        "id": "user_00000000000000000000", "email_verified": true, "disabled_at": 1, "active": false,
        "subject": "x", "issuer": "y", "password_hash": "z", "created_at": 0,
    });
    let changed = patch(&root, id, &change).await.expect(200).json();
    let mut expected = shown;
    for (field, value) in [
        ("roles", json!(["user", "admin"])),
        ("is_admin", json!(true)),
        ("username", json!("ada2")),
        ("email", json!("ada2@example.org")),
        ("name", json!("Ada")),
    ] {
        expected[field] = value;
    }
    assert_eq!(changed, expected, "nothing else is listened to");
    client.get("/v1/admin/users").await.expect(200);
    patch(&root, id, &json!({"roles": []})).await.expect(200);
    assert_eq!(client.get("/v1/admin/users").await.error().1, "admin_required");
}

#[tokio::test]
async fn a_change_that_cannot_be_is_refused() {
    let app = App::new().await;
    let (root, me) = admin(&app).await;
    let (_, ada) = account(&app, "ada", vec![Role::User]).await;
    let (_, login) = app.login().await;
    let guest = login["user_id"].as_str().unwrap();
    let (me, ada) = (me.id.as_str(), ada.id.as_str());
    for (id, change, status, code, param) in [
        (ada, json!({"roles": ["overlord"]}), 400, "invalid_parameter", Some("roles[0]")),
        (ada, json!({"roles": ["guest"]}), 400, "invalid_parameter", Some("roles")),
        (ada, json!({"username": "a b"}), 400, "invalid_parameter", Some("username")),
        (ada, json!({"email": "ada"}), 400, "invalid_parameter", Some("email")),
        (ada, json!({"name": "a\u{1b}"}), 400, "invalid_parameter", Some("name")),
        (ada, json!({"username": "ROOT"}), 409, "username_taken", Some("username")),
        (ada, json!({"email": "ROOT@example.org"}), 409, "email_taken", Some("email")),
        (guest, json!({"roles": ["admin"]}), 409, "not_an_account", None),
        (me, json!({"roles": ["user"]}), 409, "last_admin", None),
        ("user_00000000000000000000", json!({"name": "x"}), 404, "user_not_found", None),
        ("nonsense", json!({}), 404, "user_not_found", None),
    ] {
        let error = patch(&root, id, &change).await.error();
        assert_eq!(error, (status, code.to_owned(), param.map(str::to_owned)), "{change}");
    }
    assert_eq!(act(&root, me, "deactivate").await.error().1, "cannot_disable_self");
    for verb in ["activate", "deactivate"] {
        assert_eq!(act(&root, "user_00000000000000000000", verb).await.error().1, "user_not_found");
    }
    assert_eq!(root.get("/v1/admin/users/nonsense").await.error().1, "user_not_found");
}

#[tokio::test]
async fn who_is_kept_out_is_out_at_once_until_let_in() {
    let app = App::new().await;
    let (root, _) = admin(&app).await;
    let (client, ada) = account(&app, "ada", vec![Role::User]).await;
    let id = ada.id.as_str();
    let key = client.post("/auth/api-keys", &json!({"name": "cron"})).await.expect(201).json();
    let by_key = app.anonymous().api_key(key["key"].as_str().unwrap());
    by_key.get("/auth/me").await.expect(200);
    let out = act(&root, id, "deactivate").await.expect(200).json();
    assert_eq!((&out["active"], &out["disabled_at"]), (&json!(false), &json!(app.clock.now().seconds())));
    assert_eq!(client.get("/auth/me").await.error().1, "invalid_token");
    assert_eq!(by_key.get("/auth/me").await.error().1, "invalid_api_key");
    app.clock.advance(std::time::Duration::from_secs(5));
    assert_eq!(act(&root, id, "deactivate").await.expect(200).json(), out, "once more changes nothing");

    let back = act(&root, id, "activate").await.expect(200).json();
    assert_eq!((&back["active"], &back["disabled_at"]), (&json!(true), &Value::Null));
    by_key.get("/auth/me").await.expect(200);
    assert_eq!(client.get("/auth/me").await.error().1, "invalid_token", "its sessions are over");
    let again = sign_in(&app, "ada").await;
    act(&root, id, "activate").await.expect(200);
    again.get("/auth/me").await.expect(200);
}
