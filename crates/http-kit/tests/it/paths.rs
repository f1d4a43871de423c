//! One spelling for each path; `HEAD` and `OPTIONS` wherever `GET` is.

use axum::body::Body;
use http::Request;

use crate::support::App;

#[tokio::test]
async fn careless_spellings_reach_their_route() {
    let app = App::new();
    for path in ["/open/", "//open", "/./open", "/x/../open", "/%6fpen", "/x/%2e%2e/open", "/open?x=%2F..%2F"] {
        assert_eq!(app.get(path).await.text, "open", "{path}");
    }
}

#[tokio::test]
async fn no_spelling_leads_past_the_guard() {
    let app = App::new();
    for path in ["/open/../closed", "/open/%2e%2e/closed", "//closed/", "/%63losed", "/healthz/../closed"] {
        assert_eq!(app.get(path).await.failure(401), "missing_credentials", "{path}");
    }
    for path in ["/open%2f..%2fclosed", "/open/..%5cclosed", "/%252e%252e/closed", "/closed%00", "/open%"] {
        assert_eq!(app.get(path).await.failure(400), "invalid_url", "{path}");
    }
}

#[tokio::test]
async fn ids_may_hold_slashes() {
    let app = App::new();
    for (path, id) in [
        ("/v1/models/a/b", "a/b"),
        ("/v1/models/a%2Fb", "a/b"),
        ("/v1/models/a%2fb/", "a/b"),
        ("/v1/models/a:b@c", "a:b@c"),
        ("/v1/models/%C3%A9", "é"),
    ] {
        let request = Request::get(path).header("x-api-key", "user").body(Body::empty()).unwrap();
        assert_eq!(app.call(request).await.text, id, "{path}");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let app = App::new();
    for (path, status) in
        [("/open", 200), ("/healthz", 200), ("/closed", 401), ("/nowhere", 404), ("/openapi.json", 200)]
    {
        let request = Request::head(path).body(Body::empty()).unwrap();
        assert_eq!(app.call(request).await.status(), status, "{path}");
    }
    let request = Request::head("/open").body(Body::empty()).unwrap();
    assert_eq!(app.call(request).await.text, "");
}

#[tokio::test]
async fn options_is_answered_everywhere_without_a_caller() {
    let app = App::new();
    for path in ["/open", "/closed", "/nowhere", "*"] {
        let request = Request::options(path).body(Body::empty()).unwrap();
        let answer = app.call(request).await;
        assert_eq!((answer.status(), answer.text.as_str()), (204, ""), "{path}");
    }
}
