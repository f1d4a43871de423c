//! `GET /`

use serde_json::json;
use template_api::Options;
use testkit::database::Database;

use crate::support::App;

#[tokio::test]
async fn the_service_says_who_it_is_to_anybody() {
    for auth_enabled in [false, true] {
        let app = App::new(&Database::sqlite(), Options { auth_enabled }).await;
        let root = app.anonymous().get("/").await.expect(200).json();
        assert_eq!(root, json!({"service": "template-api", "status": "ok"}));
    }
}
