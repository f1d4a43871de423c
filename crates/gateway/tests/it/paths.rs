//! Paths that are written to be read in two ways.

use crate::support::{ALL, App};

#[tokio::test]
async fn dots_are_resolved_before_the_service_is_chosen() {
    let app = App::new(&ALL);
    for (asked, service, target) in [
        ("/llm/../auth/me", "llm-api", "/auth/me"),
        ("/media/../v1/mcp", "mcp-tools", "/v1/mcp"),
        ("/media/%2e%2e/v1/mcp", "mcp-tools", "/v1/mcp"),
        ("/media/%2E./template/v1/sample", "template-api", "/v1/sample"),
        ("/v1/models/../../media/v1/media", "media-api", "/v1/media"),
        ("/../../llm/v1/models", "llm-api", "/v1/models"),
        ("//llm//v1///models", "llm-api", "/v1/models"),
        ("/llm/./v1/models/", "llm-api", "/v1/models"),
        ("/%6clm/v1/models", "llm-api", "/v1/models"),
        ("/llm/v1/models/..%2f..%2fauth", "llm-api", "/v1/models/..%2F..%2Fauth"),
    ] {
        assert_eq!(app.get(asked).await.reached(), (service, target), "{asked}");
    }
}

#[tokio::test]
async fn what_a_prefix_leaves_is_not_read_as_a_prefix_again() {
    let app = App::new(&ALL);
    assert_eq!(app.get("/llm/media/v1/media").await.reached(), ("llm-api", "/media/v1/media"));
    assert_eq!(app.get("/llm/llm/v1/models").await.reached(), ("llm-api", "/llm/v1/models"));
}

#[tokio::test]
async fn ambiguous_paths_are_refused() {
    let app = App::new(&ALL);
    let mut judged = 0;
    for path in [
        "/llm%2fv1/models",
        "/llm%2f..%2fauth",
        "/llm/%252e%252e/auth",
        "/llm/%25%32%65/auth",
        "/llm\\..\\auth",
        "/llm/%5c..%5cauth",
        "/llm/v1%00",
        "/llm/%",
        "/llm/%zz",
        "/llm/v1/%0d%0ax",
        "/media/v1/models%2f..",
    ] {
        let request = http::Request::get(path).body(axum::body::Body::empty());
        // Some cannot even be written as an address; HTTP refuses those.
        let Ok(request) = request else { continue };
        assert_eq!(app.call(request).await.failure(400), "invalid_url", "{path}");
        judged += 1;
    }
    assert!(judged >= 9, "{judged}");
}

#[tokio::test]
async fn an_address_too_long_is_414() {
    let app = App::new(&ALL);
    assert_eq!(app.get(&format!("/llm/{}", "a".repeat(9_000))).await.failure(414), "uri_too_long");
    assert_eq!(app.get(&format!("/llm/v1?{}", "a".repeat(9_000))).await.failure(414), "uri_too_long");
}
