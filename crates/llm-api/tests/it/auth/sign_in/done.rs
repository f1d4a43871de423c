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

    async fn it_does_not_call_a_failure_done_nor_repeat_what_an_address_says(database: Database) {
        let app = App::on(database).await;
        let failed = "/auth/done?error=token_exchange_failed&error_description=Call+0900";
        let page = app.anonymous().get(failed).await.expect(200);
        assert!(page.text().contains("<h1>Not signed in</h1>") && !page.text().contains("0900"), "{}", page.text());
        assert!(page.text().contains("<a href=\"login\">"), "one begins anew from here");
        let anew = app.anonymous().header(header::ACCEPT, "text/html,*/*").get("/auth/login").await.expect(302);
        assert!(anew.headers[header::LOCATION].to_str().unwrap().starts_with(&format!("{ISSUER}/auth/authorize?")));
    }
}
