use http::header;
use serde_json::json;
use testkit::client::{Answer, Client};
use testkit::on_both_databases;
use url::form_urlencoded::Serializer;

use crate::support::{App, ISSUER};

/// A user with an account, and the path of the link that proves its address.
async fn linked(app: &App) -> (Client, String) {
    let guest = app.guest().await;
    let wish = json!({"email": "ada@example.org", "username": "ada"});
    let upgraded = guest.post("/auth/upgrade", &wish).await.expect(200).json();
    let user = app.identity.find_user("ada").await.unwrap();
    let link = app.identity.email_link(&user).await.unwrap();
    let account = app.anonymous().bearer(upgraded["access_token"].as_str().unwrap());
    (account, link.strip_prefix(ISSUER).unwrap().to_owned())
}

async fn submit(app: &App, fields: &[(&str, &str)]) -> Answer {
    let body = Serializer::new(String::new()).extend_pairs(fields).finish();
    let form = app.anonymous().header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    form.post_bytes("/auth/verify-email", body).await
}

async fn is_verified(account: &Client) -> bool {
    account.get("/v1/users/me").await.expect(200).json()["email_verified"] == true
}

on_both_databases! {
    async fn who_receives_the_link_confirms_the_address(database: Database) {
        let app = App::on(database).await;
        let (account, path) = linked(&app).await;
        let token = path.split_once("token=").unwrap().1;
        let page = app.anonymous().get(&path).await.expect(200);
        assert!(page.text().contains("ada@example.org") && page.text().contains(token), "{}", page.text());
        assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
        assert!(!is_verified(&account).await, "what scans mail opens links");
        let done = submit(&app, &[("token", token)]).await.expect(200);
        assert!(done.text().contains("confirmed"));
        assert!(is_verified(&account).await);
        assert_eq!(app.anonymous().get(&path).await.error(), (404, "email_link_invalid".to_owned(), None));
        assert_eq!(submit(&app, &[("token", token)]).await.error().1, "email_link_invalid");
    }

    async fn nothing_else_confirms_it(database: Database) {
        let app = App::on(database).await;
        let (account, path) = linked(&app).await;
        for bad in ["/auth/verify-email", "/auth/verify-email?token=", "/auth/verify-email?token=garbage"] {
            assert_eq!(app.anonymous().get(bad).await.error(), (404, "email_link_invalid".to_owned(), None), "{bad}");
        }
        for fields in [&[][..], &[("token", "garbage")], &[("email", "ada@example.org")]] {
            assert_eq!(submit(&app, fields).await.error().0, 404);
        }
        assert!(!is_verified(&account).await);
        app.clock.advance(std::time::Duration::from_hours(24));
        assert_eq!(app.anonymous().get(&path).await.error().0, 404);
    }
}
