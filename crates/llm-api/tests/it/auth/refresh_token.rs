use http::{Method, header};
use identity::Options;
use serde_json::{Value, json};
use testkit::client::{Answer, Client};
use testkit::on_both_databases;

use crate::support::{App, NOW};

const PATH: &str = "/auth/refresh-token";

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap().to_owned()
}

fn with_cookie(client: &Client, token: &str) -> Client {
    client.header(header::COOKIE, &format!("theme=dark; refresh_token={token}"))
}

async fn bare(client: &Client) -> Answer {
    client.call(Method::POST, PATH, None).await
}

on_both_databases! {
    async fn a_refresh_token_gets_the_next_pair(database: Database) {
        let app = App::on(database).await;
        let (_, login) = app.login().await;
        let answer = app.anonymous().post(PATH, &json!({"refresh_token": login["refresh_token"]})).await.expect(200);
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert!(!answer.headers.contains_key(header::SET_COOKIE), "the browser keeps what the browser sent");
        let tokens = answer.json();
        assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3_600)));
        assert_eq!(tokens["expires_at"], NOW.seconds() + 3_600);
        let renewed = app.anonymous().bearer(&text(&tokens, "access_token"));
        assert_eq!(renewed.get("/auth/me").await.expect(200).json()["id"], login["user_id"]);
        let again = app.anonymous().post("/auth/refresh", &json!({"refresh_token": tokens["refresh_token"]})).await;
        assert_ne!(again.expect(200).json()["refresh_token"], tokens["refresh_token"]);
    }

    async fn it_is_found_in_the_body_then_the_cookie_then_the_bearer(database: Database) {
        let app = App::on(database).await;
        let tokens = [app.login().await.1, app.login().await.1, app.login().await.1];
        let [in_body, in_cookie, in_bearer] = tokens.each_ref().map(|login| text(login, "refresh_token"));
        let ids = tokens.each_ref().map(|login| login["user_id"].clone());
        let whose = async |answer: Answer| {
            let renewed = app.anonymous().bearer(&text(&answer.expect(200).json(), "access_token"));
            renewed.get("/auth/me").await.expect(200).json()["id"].clone()
        };
        let all = with_cookie(&app.anonymous().bearer(&in_bearer), &in_cookie);
        assert_eq!(whose(all.post(PATH, &json!({"refresh_token": in_body})).await).await, ids[0]);
        assert_eq!(whose(all.post(PATH, &json!({"refresh_token": null})).await).await, ids[1]);
        assert_eq!(whose(bare(&app.anonymous().bearer(&in_bearer)).await).await, ids[2]);
    }

    async fn a_cookie_is_renewed(database: Database) {
        let app = App::on(database).await;
        let (_, login) = app.login().await;
        let answer = bare(&with_cookie(&app.anonymous(), &text(&login, "refresh_token"))).await.expect(200);
        let renewed = text(&answer.json(), "refresh_token");
        let month = 30 * 24 * 3_600;
        let expected = format!("refresh_token={renewed}; Path=/; Max-Age={month}; HttpOnly; SameSite=Lax");
        assert_eq!(answer.headers[header::SET_COOKIE], expected);
    }

    async fn another_sites_page_may_not_use_the_cookie(database: Database) {
        let app = App::on(database).await;
        let (_, login) = app.login().await;
        let token = text(&login, "refresh_token");
        let fetch_site = http::HeaderName::from_static("sec-fetch-site");
        let browser = with_cookie(&app.anonymous(), &token);
        let evil = [
            browser.header(header::ORIGIN, "https://evil.example"),
            browser.header(header::ORIGIN, "null"),
            browser.header(fetch_site.clone(), "cross-site"),
            browser.header(fetch_site.clone(), "same-site").header(header::ORIGIN, "http://127.0.0.1:8080.evil.example"),
        ];
        for page in evil {
            assert_eq!(bare(&page).await.error(), (403, "origin_not_allowed".to_owned(), None));
        }
        // A page that has the token needs no cookie.
        let page = browser.header(header::ORIGIN, "https://evil.example");
        let tokens = page.post(PATH, &json!({"refresh_token": token})).await.expect(200).json();
        let own = with_cookie(&app.anonymous(), &text(&tokens, "refresh_token"));
        let tokens = bare(&own.header(header::ORIGIN, "http://127.0.0.1:8080")).await.expect(200).json();
        let own = with_cookie(&app.anonymous(), &text(&tokens, "refresh_token"));
        let _tokens = bare(&own.header(fetch_site, "same-origin")).await.expect(200);
    }

    async fn what_is_missing_or_wrong_is_said(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let anonymous = app.anonymous();
        assert_eq!(bare(&anonymous).await.error(), (401, "missing_credentials".to_owned(), None));
        assert_eq!(bare(&anonymous.bearer("garbage")).await.error().0, 401);
        let missing = (400, "missing_refresh_token".to_owned(), Some("refresh_token".to_owned()));
        for client in [&anonymous, &guest] {
            for body in [json!({}), json!({"refresh_token": ""}), json!({"token": "rt_1"})] {
                let answer = client.post(PATH, &body).await;
                assert_eq!(answer.error(), missing, "{body}");
                assert!(answer.text().contains("refresh_token required"));
            }
        }
        assert_eq!(bare(&guest).await.error(), missing, "an access token is no refresh token");
        for wrong in ["rt_1", "garbage", login["access_token"].as_str().unwrap()] {
            let answer = anonymous.post(PATH, &json!({"refresh_token": wrong})).await;
            assert_eq!(answer.error(), (401, "invalid_refresh_token".to_owned(), None));
            assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
            assert!(!answer.text().contains(wrong), "tokens are not repeated");
        }
        let typed = anonymous.post(PATH, &json!({"refresh_token": 7})).await.error();
        assert_eq!(typed, (400, "invalid_parameter".to_owned(), Some("refresh_token".to_owned())));
        assert_eq!(anonymous.post_bytes(PATH, "{").await.error().1, "invalid_json");
        let plain = anonymous.header(header::CONTENT_TYPE, "text/plain");
        let body = json!({"refresh_token": login["refresh_token"]});
        assert_eq!(plain.post(PATH, &body).await.error().0, 415, "a form of another site can send text");
        let _tokens = anonymous.post(PATH, &body).await.expect(200);
    }

    async fn a_replayed_token_ends_the_session(database: Database) {
        let app = App::on(database).await;
        let (_, login) = app.login().await;
        let refresh = async |token: &Value| app.anonymous().post(PATH, &json!({"refresh_token": token})).await;
        let second = refresh(&login["refresh_token"]).await.expect(200).json();
        let third = refresh(&second["refresh_token"]).await.expect(200).json();
        assert_eq!(refresh(&login["refresh_token"]).await.error().1, "invalid_refresh_token");
        assert_eq!(refresh(&third["refresh_token"]).await.error().1, "invalid_refresh_token");
        let renewed = app.anonymous().bearer(&text(&third, "access_token"));
        assert_eq!(renewed.get("/auth/me").await.error(), (401, "invalid_token".to_owned(), None));
    }

    async fn a_refresh_token_is_no_access_token(database: Database) {
        let app = App::with(database, Options::default()).await;
        let (_, login) = app.login().await;
        let client = app.anonymous().bearer(&text(&login, "refresh_token"));
        assert_eq!(client.get("/auth/me").await.error(), (401, "invalid_token".to_owned(), None));
    }
}
