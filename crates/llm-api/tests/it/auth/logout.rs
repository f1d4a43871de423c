use http::{Method, header};
use serde_json::{Value, json};
use testkit::client::{Answer, Client};
use testkit::on_both_databases;

use crate::support::App;

const PATH: &str = "/auth/logout";

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap().to_owned()
}

async fn must_be_out(app: &App, client: &Client, login: &Value) {
    assert_eq!(client.get("/auth/me").await.error(), (401, "invalid_token".to_owned(), None));
    let again = app.anonymous().post("/auth/refresh-token", &json!({"refresh_token": login["refresh_token"]})).await;
    assert_eq!(again.error(), (401, "invalid_refresh_token".to_owned(), None));
}

fn must_have_left(answer: Answer) {
    let answer = answer.expect(200);
    assert_eq!(answer.json(), json!({"status": "logged out"}));
    assert_eq!(answer.headers[header::SET_COOKIE], "refresh_token=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
}

on_both_databases! {
    async fn an_access_token_is_enough(database: Database) {
        let app = App::on(database).await;
        for method in [Method::GET, Method::POST] {
            let (guest, login) = app.login().await;
            let (other, _) = app.login().await;
            let _me = guest.get("/auth/me").await.expect(200);
            must_have_left(guest.call(method.clone(), PATH, None).await);
            must_be_out(&app, &guest, &login).await;
            must_have_left(guest.call(method, PATH, None).await); // Twice is no error.
            let _me = other.get("/auth/me").await.expect(200);
        }
    }

    async fn a_look_ends_nothing(database: Database) {
        let app = App::on(database).await;
        let (guest, _) = app.login().await;
        let answer = guest.call(Method::HEAD, PATH, None).await.expect(200);
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
        let _me = guest.get("/auth/me").await.expect(200);
    }

    async fn a_refresh_token_is_enough_wherever_it_is(database: Database) {
        let app = App::on(database).await;
        let anonymous = app.anonymous();
        for place in ["cookie", "body", "bearer"] {
            let (guest, login) = app.login().await;
            let token = text(&login, "refresh_token");
            let answer = match place {
                "cookie" => anonymous.header(header::COOKIE, &format!("refresh_token={token}")).get(PATH).await,
                "body" => anonymous.post(PATH, &json!({"refresh_token": token})).await,
                _ => anonymous.bearer(&token).get(PATH).await,
            };
            must_have_left(answer);
            must_be_out(&app, &guest, &login).await;
        }
    }

    async fn a_lapsed_access_token_does_not_keep_anybody_in(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        app.clock.advance(std::time::Duration::from_hours(2));
        assert_eq!(guest.get(PATH).await.error(), (401, "token_expired".to_owned(), None));
        let cookie = format!("refresh_token={}", text(&login, "refresh_token"));
        must_have_left(guest.header(header::COOKIE, &cookie).get(PATH).await);
    }

    async fn a_stale_cookie_does_not_keep_anybody_in(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        must_have_left(guest.header(header::COOKIE, "refresh_token=rt_stale").get(PATH).await);
        must_be_out(&app, &guest, &login).await;
    }

    async fn another_sites_page_cannot_log_anybody_out(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let cookie = format!("refresh_token={}", text(&login, "refresh_token"));
        let browser = app.anonymous().header(header::COOKIE, &cookie);
        let image = browser.header(http::HeaderName::from_static("sec-fetch-site"), "cross-site");
        assert_eq!(image.get(PATH).await.error(), (403, "origin_not_allowed".to_owned(), None));
        let form = browser.header(header::ORIGIN, "https://evil.example");
        assert_eq!(form.call(Method::POST, PATH, None).await.error().0, 403);
        let _me = guest.get("/auth/me").await.expect(200);
    }

    async fn who_is_not_in_cannot_leave(database: Database) {
        let app = App::on(database).await;
        let anonymous = app.anonymous();
        let key = app.guest().await.post("/auth/api-keys", &json!({"name": "k"})).await.expect(201).json();
        for (client, status, code) in [
            (anonymous.clone(), 401, "missing_credentials"),
            (anonymous.bearer("garbage"), 401, "invalid_token"),
            (anonymous.bearer("rt_garbage"), 401, "invalid_refresh_token"),
            (anonymous.header(header::AUTHORIZATION, "Basic dXNlcg=="), 401, "invalid_token"),
            (anonymous.api_key("sk_garbage"), 401, "invalid_api_key"),
            (anonymous.header(header::COOKIE, "refresh_token=garbage"), 401, "invalid_token"),
            (anonymous.bearer(key["key"].as_str().unwrap()), 400, "invalid_request"),
        ] {
            assert_eq!(client.get(PATH).await.error(), (status, code.to_owned(), None));
        }
        let body = anonymous.post(PATH, &json!({"refresh_token": 1})).await.error();
        assert_eq!(body, (400, "invalid_parameter".to_owned(), Some("refresh_token".to_owned())));
        let _me = anonymous.bearer(key["key"].as_str().unwrap()).get("/auth/me").await.expect(200);
    }
}
