//! What is echoed of a request: its id, if it is well formed, and the version.

use axum::body::Body;
use http::Request;

use crate::support::App;

#[tokio::test]
async fn the_client_s_id_comes_back_and_a_malformed_one_is_replaced() {
    let app = App::new();
    for (sent, kept) in
        [("my-id_1.2", true), (&*"x".repeat(128), true), (&*"x".repeat(129), false), ("a b", false), ("a\"b", false)]
    {
        for path in ["/open", "/nowhere", "/closed"] {
            let request = Request::get(path).header("x-request-id", sent).body(Body::empty()).unwrap();
            let answer = app.call(request).await;
            let id = answer.header("x-request-id").unwrap();
            assert_eq!(id == sent, kept, "{sent}");
            assert!(kept || id.starts_with("req_"), "{id}");
        }
    }
}

#[tokio::test]
async fn without_one_each_request_gets_its_own() {
    let app = App::new();
    let (first, second) = (app.get("/open").await, app.get("/open").await);
    assert!(first.header("x-request-id").unwrap().starts_with("req_"));
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

#[tokio::test]
async fn the_version_is_said_to_those_who_name_one() {
    let app = App::new();
    for name in ["api-version", "x-api-version"] {
        let request = Request::get("/open").header(name, "v7").body(Body::empty()).unwrap();
        assert_eq!(app.call(request).await.header(name), Some("v1"));
    }
    assert_eq!(app.get("/open").await.header("api-version"), None);
}
