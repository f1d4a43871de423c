use http::header;
use serde_json::{Value, json};
use testkit::{client::Client, on_both_databases};

use crate::support::App;

const PATH: &str = "/auth/password";
const OLD: &str = "correct horse";
const NEW: &str = "battery staple";

/// Ada's account, and its tokens.
async fn ada(app: &App) -> (Client, Value) {
    let wish = json!({"email": "ada@example.org", "username": "ada", "password": OLD});
    let tokens = app.guest().await.post("/auth/upgrade", &wish).await.expect(200).json();
    (app.anonymous().bearer(tokens["access_token"].as_str().unwrap()), tokens)
}

on_both_databases! {
    async fn one_changes_it_by_the_one_there_is(database: Database) {
        let app = App::on(database).await;
        let (ada, tokens) = ada(&app).await;
        for (wish, code, param) in [
            (json!({"current_password": "wrong horse", "new_password": NEW}), "wrong_password", "current_password"),
            (json!({"current_password": OLD, "new_password": "short"}), "invalid_parameter", "new_password"),
            (json!({"current_password": OLD}), "missing_parameter", "new_password"),
            (json!({"current_password": OLD, "new_password": 12_345_678}), "invalid_parameter", "new_password"),
        ] {
            let refused = ada.post(PATH, &wish).await;
            assert_eq!(refused.error(), (400, code.to_owned(), Some(param.to_owned())));
            assert!(!refused.text().contains(OLD) && !refused.text().contains("wrong horse"));
        }
        let wish = json!({"current_password": OLD, "new_password": NEW});
        let plain = ada.header(header::CONTENT_TYPE, "text/plain").post_bytes(PATH, wish.to_string()).await;
        assert_eq!(plain.error().0, 415);
        assert_eq!(ada.post(PATH, &wish).await.expect(200).json(), json!({"status": "changed"}));
        assert_eq!(ada.post(PATH, &wish).await.error().1, "wrong_password", "it is another now");
        let _still_in = ada.get("/auth/me").await.expect(200);
        let renewed = json!({"refresh_token": tokens["refresh_token"]});
        let _tokens = app.anonymous().post("/auth/refresh-token", &renewed).await.expect(200);
    }

    async fn only_who_is_signed_in_to_an_account_does(database: Database) {
        let app = App::on(database).await;
        let wish = json!({"current_password": OLD, "new_password": NEW});
        assert_eq!(app.anonymous().post(PATH, &wish).await.error().1, "missing_credentials");
        assert_eq!(app.guest().await.post(PATH, &wish).await.error(), (409, "not_an_account".to_owned(), None));
        let (ada, tokens) = ada(&app).await;
        let key = ada.post("/auth/api-keys", &json!({"name": "k"})).await.expect(201).json();
        let by_key = app.anonymous().api_key(key["key"].as_str().unwrap());
        assert_eq!(by_key.post(PATH, &wish).await.error(), (403, "insufficient_scope".to_owned(), None));
        let cookie = format!("refresh_token={}", tokens["refresh_token"].as_str().unwrap());
        let by_cookie = app.anonymous().header(header::COOKIE, &cookie);
        assert_eq!(by_cookie.post(PATH, &wish).await.error().1, "missing_credentials", "a browser sends it by itself");
    }

    async fn who_guesses_has_to_wait(database: Database) {
        let app = App::on(database).await;
        let (ada, _) = ada(&app).await;
        let guess = json!({"current_password": "wrong horse", "new_password": NEW});
        for _ in 0..20 {
            assert_eq!(ada.post(PATH, &guess).await.error().1, "wrong_password");
        }
        let answer = ada.post(PATH, &guess).await;
        assert_eq!(answer.error(), (429, "rate_limit_exceeded".to_owned(), None));
        assert_eq!(answer.headers[header::RETRY_AFTER], "180");
    }
}
