use http::header;
use testkit::client::Answer;
use url::form_urlencoded::Serializer;

use super::{Browser, fragment};
use crate::support::{App, ISSUER};
use testkit::on_both_databases;

/// The link's path and token.
async fn link(app: &App) -> (String, String) {
    let link = app.identity.setup_link().await.unwrap().unwrap();
    let path = link.strip_prefix(ISSUER).unwrap().to_owned();
    let token = path.split_once("token=").unwrap().1.to_owned();
    (path, token)
}

async fn submit(app: &App, fields: &[(&str, &str)]) -> Answer {
    let body = Serializer::new(String::new()).extend_pairs(fields).finish();
    let form = app.anonymous().header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    form.post_bytes("/auth/setup", body).await
}

on_both_databases! {
    async fn who_has_the_link_becomes_the_administrator(database: Database) {
        let app = App::on(database).await;
        let (path, token) = link(&app).await;
        let page = app.anonymous().get(&path).await.expect(200);
        assert!(page.text().contains(&format!("name=\"token\" value=\"{token}\"")), "{}", page.text());
        assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(page.headers[header::REFERRER_POLICY], "same-origin");

        let short = submit(&app, &[("token", &token), ("email", "ada@example.org"), ("password", "short")]).await;
        let short = short.expect(400);
        assert!(short.text().contains("at least 8") && short.text().contains("value=\"ada@example.org\""));
        let good =
            [("token", token.as_str()), ("email", "ada@example.org"), ("username", ""), ("password", "correct horse")];
        let made = submit(&app, &good).await.expect(303);
        let browser = Browser::open(&app, made.headers[header::LOCATION].to_str().unwrap()).await;
        let granted = browser.submit(&[("name", "ada@example.org"), ("password", "correct horse")]).await.expect(303);
        let (_, tokens) = fragment(&browser.follow(&granted).await.expect(302));
        let me = app.anonymous().bearer(&tokens["access_token"]).get("/auth/me").await.expect(200).json();
        assert_eq!(me["is_admin"], true);

        assert_eq!(app.anonymous().get(&path).await.error(), (404, "setup_link_invalid".to_owned(), None));
        assert_eq!(submit(&app, &good).await.error().1, "setup_link_invalid");
    }

    async fn without_the_link_nobody_does(database: Database) {
        let app = App::on(database).await;
        let (path, _) = link(&app).await;
        for bad in ["/auth/setup", "/auth/setup?token=", "/auth/setup?token=garbage"] {
            assert_eq!(app.anonymous().get(bad).await.error(), (404, "setup_link_invalid".to_owned(), None), "{bad}");
        }
        let forged = [("token", "garbage"), ("email", "eve@example.org"), ("password", "correct horse")];
        assert_eq!(submit(&app, &forged).await.error().0, 404);
        assert_eq!(submit(&app, &[]).await.error().0, 404);
        app.clock.advance(std::time::Duration::from_mins(30));
        assert_eq!(app.anonymous().get(&path).await.error().0, 404);
    }
}
