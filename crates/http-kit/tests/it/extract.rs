//! What handlers take from a request.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::support::{Answer, App};

async fn page(query: &str) -> Answer {
    let request = Request::get(format!("/page?{query}")).header("x-api-key", "user").body(Body::empty()).unwrap();
    App::new().call(request).await
}

#[tokio::test]
async fn pages_are_read_from_the_query() {
    for (query, expected) in [
        ("", json!({"limit": 20, "after": null, "order": "Desc"})),
        ("limit=5&after=a&order=asc", json!({"limit": 5, "after": "a", "order": "Asc"})),
        ("limit=1000", json!({"limit": 100, "after": null, "order": "Desc"})),
        ("cursor=b", json!({"limit": 20, "after": "b", "order": "Desc"})),
        ("after=a&cursor=b&other=1", json!({"limit": 20, "after": "a", "order": "Desc"})),
        ("after=", json!({"limit": 20, "after": null, "order": "Desc"})),
    ] {
        let answer = page(query).await;
        assert_eq!(answer.status(), 200, "{query}: {}", answer.text);
        assert_eq!(answer.json(), expected, "{query}");
    }
}

#[tokio::test]
async fn a_bad_page_names_its_field() {
    for (query, param) in
        [("limit=0", "limit"), ("limit=x", "limit"), ("limit=-1", "limit"), ("limit=", "limit"), ("order=up", "order")]
    {
        let answer = page(query).await;
        assert_eq!(answer.failure(400), "invalid_parameter", "{query}");
        assert_eq!(answer.json()["error"]["param"], param, "{query}");
    }
    assert_eq!(page("limit=1&limit=2").await.failure(400), "invalid_parameter");
}
