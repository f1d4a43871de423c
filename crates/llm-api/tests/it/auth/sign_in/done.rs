use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn it_says_where_the_tokens_are_and_runs_no_script(database: Database) {
        let app = App::on(database).await;
        let answer = app.anonymous().get("/auth/done").await.expect(200);
        assert!(answer.text().contains("fragment"), "{}", answer.text());
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"), "{policy}");
    }
}
