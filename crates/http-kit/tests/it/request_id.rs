//! Each request has an id: the client's, if it is well formed.

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
