use std::time::Duration;

use domain::{Role, Secret};
use http::{Method, header};
use serde_json::{Value, json};

use super::{PASSWORD, account, admin};
use crate::support::App;
use testkit::on_both_databases;

fn actions(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn acts_are_listed_with_who_and_from_where() {
    let app = App::new().await;
    let (root, me) = admin(&app).await;
    let (_, ada) = account(&app, "ada", vec![Role::User]).await;
    let token = app.identity.sign_in("ada", &Secret::new(PASSWORD)).await.unwrap().access_token;
    app.clock.advance(Duration::from_secs(1));
    let mut request = http::Request::post("/auth/api-keys").body(r#"{"name": "cron"}"#.into()).unwrap();
    request.extensions_mut().insert(http_kit::PeerAddr(([192, 0, 2, 7], 9).into()));
    for (name, value) in [
        (header::AUTHORIZATION, format!("Bearer {}", token.expose())),
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::USER_AGENT, "curl/8".to_owned()),
        (http_kit::request_id::HEADER, "trace-1".to_owned()),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let key = app.anonymous().send(request).await.expect(201).json();
    app.clock.advance(Duration::from_secs(1));
    root.call(Method::POST, &format!("/v1/admin/users/{}/deactivate", ada.id), None).await.expect(200);

    let log = root.get("/v1/admin/audit-log?limit=2").await.expect(200);
    assert_eq!(log.headers[header::CACHE_CONTROL], "no-store");
    let page = log.json();
    assert_eq!(actions(&page), ["user.disabled", "api_key.created"]);
    assert_eq!(page["data"][0]["actor"], json!({"type": "user", "id": me.id.as_str()}));
    assert_eq!(page["data"][0]["target"], ada.id.as_str());
    let line = &page["data"][1];
    assert_eq!(
        *line,
        json!({
            "id": line["id"], "object": "audit_log.entry", "created_at": app.clock.now().seconds() - 1,
            "action": "api_key.created", "actor": {"type": "user", "id": ada.id.as_str()}, "target": key["id"],
            "detail": null, "ip_address": "192.0.2.7", "user_agent": "curl/8", "request_id": "trace-1",
        })
    );
    assert!(!log.text().contains(key["key"].as_str().unwrap()));
    let after = page["next_after"].as_str().unwrap();
    let next = root.get(&format!("/v1/admin/audit-log?limit=2&after={after}")).await.expect(200).json();
    assert_eq!(actions(&next).len(), 2);
    for (query, found) in [
        ("action=user.disabled".to_owned(), vec!["user.disabled"]),
        (format!("actor={}&order=asc", ada.id), vec!["user.signed_in", "user.signed_in", "api_key.created"]),
        (format!("target={}", key["id"].as_str().unwrap()), vec!["api_key.created"]),
        ("actor=command_line".to_owned(), vec![]),
    ] {
        let page = root.get(&format!("/v1/admin/audit-log?{query}")).await.expect(200).json();
        assert_eq!(actions(&page), found, "{query}");
    }
}

on_both_databases! {
    async fn what_nothing_can_be_found_by_is_refused(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let long = format!("target={}", "x".repeat(65));
        for (query, code, param) in [
            ("action=user.deleted", "invalid_parameter", "action"),
            ("actor=ada", "invalid_parameter", "actor"),
            ("target=a%00", "invalid_parameter", "target"),
            (&long, "invalid_parameter", "target"),
            ("after=audit_00000000000000000000", "invalid_cursor", "after"),
            ("after=audit_0000000%00000", "invalid_cursor", "after"),
            ("after=%27%20OR%201", "invalid_cursor", "after"),
            ("order=up", "invalid_parameter", "order"),
        ] {
            let error = root.get(&format!("/v1/admin/audit-log?{query}")).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{query}");
        }
    }
}
