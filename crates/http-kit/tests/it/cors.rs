//! Which pages may read answers (contract 6.3).

use axum::body::Body;
use http::Request;
use http_kit::EdgeOptions;

use crate::support::{Answer, App};

async fn preflight(app: &App, origin: &str, path: &str) -> Answer {
    let request = Request::options(path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization, content-type")
        .body(Body::empty())
        .unwrap();
    app.call(request).await
}

#[tokio::test]
async fn a_listed_origin_may_ask_and_read() {
    let origins = vec!["https://app.example".to_owned()];
    let app = App::with(EdgeOptions { allowed_origins: origins, ..EdgeOptions::default() });
    let answer = preflight(&app, "https://app.example", "/closed").await;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("PATCH"));
    for name in
        ["Authorization", "X-API-Key", "Idempotency-Key", "X-PROVIDER-DATA", "X-Prompt-Memory", "Mcp-Session-Id"]
    {
        assert!(answer.header("access-control-allow-headers").unwrap().contains(name), "{name}");
    }
    assert_eq!(answer.header("access-control-allow-credentials"), None);

    let request = Request::get("/open").header("origin", "https://app.example").body(Body::empty()).unwrap();
    let answer = app.call(request).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("X-Request-Id"));
    assert_eq!(answer.header("vary"), Some("origin"));
}

#[tokio::test]
async fn failures_can_be_read_too() {
    let app = App::new();
    for path in ["/closed", "/nowhere"] {
        let request = Request::get(path).header("origin", "http://localhost:3000").body(Body::empty()).unwrap();
        let answer = app.call(request).await;
        assert!(answer.status() >= 400);
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"), "{path}");
    }
}

#[tokio::test]
async fn a_foreign_origin_learns_nothing() {
    let app = App::new();
    for origin in ["https://evil.example", "http://localhost.evil.example", "null", "http://127.0.0.1.nip.io"] {
        let answer = preflight(&app, origin, "/closed").await;
        assert_eq!(answer.status(), 204);
        let granted = answer.head.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).count();
        assert_eq!(granted, 0, "{origin}: {:?}", answer.head.headers);
    }
}

#[tokio::test]
async fn without_an_origin_there_is_nothing_to_say() {
    let answer = App::new().get("/open").await;
    assert_eq!(answer.header("vary"), None);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}
