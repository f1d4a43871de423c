use serde_json::{Value, json};
use testkit::upstream::Upstream;

use crate::support::{App, NOW};

#[tokio::test]
async fn the_list_is_whole_and_in_order() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let list = app.guest().await.get("/v1/models").await.expect(200).json();
    let ids: Vec<&str> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    let (last, scripted) = ids.split_at(ids.len() - 2);
    assert_eq!(scripted, ["upstream-chat", "vendor/upstream-large"]);
    assert!(last.is_sorted() && last.iter().all(|id| id.starts_with("scripted/")));
    let model = &list["data"][ids.len() - 1];
    assert_eq!(
        *model,
        json!({"id": "vendor/upstream-large", "object": "model", "created": NOW.seconds(), "owned_by": "upstream",
            "model_display_name": "upstream-large", "category": "upstream",
            "category_order_number": 1, "model_order_number": 1})
    );
    assert_eq!(
        (&list["object"], &list["has_more"], &list["next_after"]),
        (&json!("list"), &json!(false), &Value::Null)
    );
    assert_eq!((&list["first_id"], &list["total"]), (&json!(ids[0]), &json!(ids.len())));
    assert_eq!(list["models"], json!([]));
    assert!(!list.to_string().contains("127.0.0.1"), "a list tells no addresses");
}

#[tokio::test]
async fn without_models_the_list_is_empty() {
    let app = App::new().await;
    let list = app.guest().await.get("/v1/models").await.expect(200).json();
    assert_eq!((&list["data"], &list["first_id"]), (&json!([]), &Value::Null));
    assert_eq!(app.anonymous().get("/v1/models").await.error().1, "missing_credentials");
}
