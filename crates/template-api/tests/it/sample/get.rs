//! `GET /v1/sample`

use template_api::Options;

use crate::support::App;

testkit::on_both_databases! {
    async fn shows_the_sample_to_anybody(database: Database) {
        let app = App::new(&database, Options::default()).await;
        let sample = app.anonymous().get("/v1/sample").await.expect(200).json();
        assert_eq!(sample["message"], "Hello from the Template API.");
        assert!(sample["id"].as_str().unwrap().starts_with("sample_"));
        assert_eq!(sample.as_object().unwrap().len(), 2);
    }

    async fn shows_it_to_known_callers_only_where_that_is_asked_for(database: Database) {
        let app = App::new(&database, Options { auth_enabled: true }).await;
        let refused = app.anonymous().get("/v1/sample").await;
        assert_eq!(refused.error(), (401, "missing_credentials".to_owned(), None));
        let sample = app.guest().await.get("/v1/sample").await.expect(200).json();
        assert_eq!(sample["message"], "Hello from the Template API.");
    }

    async fn is_404_when_the_table_is_empty(database: Database) {
        let app = App::new(&database, Options::default()).await;
        database.execute("DELETE FROM samples").await;
        let answer = app.anonymous().get("/v1/sample").await;
        assert_eq!(answer.error(), (404, "sample_not_found".to_owned(), None));
    }

    async fn is_503_while_the_database_is_away(database: Database) {
        let app = App::new(&database, Options::default()).await;
        app.store.close().await;
        let answer = app.anonymous().get("/v1/sample").await;
        assert_eq!(answer.error(), (503, "service_unavailable".to_owned(), None));
        assert_eq!(answer.headers["retry-after"], "1");
    }
}
