use testkit::upstream::Upstream;

use crate::support::App;

#[tokio::test]
async fn ids_may_hold_slashes_raw_and_encoded() {
    let upstream = Upstream::start().await;
    let app = App::serving(&upstream).await;
    let guest = app.guest().await;
    for (path, id) in [
        ("upstream-chat", "upstream-chat"),
        ("upstream/upstream-chat", "upstream-chat"),
        ("vendor/upstream-large", "vendor/upstream-large"),
        ("vendor%2Fupstream-large", "vendor/upstream-large"),
        ("vendor%2fupstream-large/", "vendor/upstream-large"),
        ("upstream/vendor%2Fupstream-large", "vendor/upstream-large"),
    ] {
        let model = guest.get(&format!("/v1/models/{path}")).await.expect(200).json();
        assert_eq!(model["id"], id, "{path}");
        assert!(model.as_object().unwrap().contains_key("catalog"));
    }
    let error = guest.get("/v1/models/no/such").await.error();
    assert_eq!(error, (404, "model_not_found".to_owned(), Some("model".to_owned())));
    assert_eq!(app.anonymous().get("/v1/models/x").await.error().0, 401);
}
