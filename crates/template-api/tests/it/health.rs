//! Health and readiness, which `http-kit` gives every service.

use serde_json::json;
use template_api::Options;

use crate::support::App;

testkit::on_both_databases! {
    async fn health_does_not_depend_on_the_database_and_readiness_does(database: Database) {
        let app = App::new(&database, Options { auth_enabled: true }).await;
        let client = app.anonymous();
        assert_eq!(client.get("/healthz").await.expect(200).json(), json!({"status": "healthy"}));
        assert_eq!(client.get("/readyz").await.expect(200).json(), json!({"status": "ready"}));
        app.store.close().await;
        assert_eq!(client.get("/healthz").await.expect(200).json(), json!({"status": "healthy"}));
        assert_eq!(client.get("/readyz").await.error().0, 503);
    }
}
