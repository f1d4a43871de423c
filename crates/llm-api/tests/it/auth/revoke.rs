use http::{Method, header};
use serde_json::json;
use testkit::on_both_databases;

use crate::support::App;

const PATH: &str = "/auth/revoke";

on_both_databases! {
    async fn the_presented_token_is_revoked(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let answer = guest.call(Method::POST, PATH, None).await.expect(200);
        assert!(answer.json()["message"].is_string());
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(guest.get("/auth/me").await.error(), (401, "invalid_token".to_owned(), None));
        let again = app.anonymous().post("/auth/refresh-token", &json!({"refresh_token": login["refresh_token"]})).await;
        assert_eq!(again.error().1, "invalid_refresh_token");
        let _again = guest.post(PATH, &json!({})).await.expect(200);
    }

    async fn the_token_of_the_body_is_revoked(database: Database) {
        let app = App::on(database).await;
        for (field, which) in [("refresh_token", "refresh_token"), ("token", "refresh_token"), ("token", "access_token")] {
            let (guest, login) = app.login().await;
            let _answer = app.anonymous().post(PATH, &json!({field: login[which]})).await.expect(200);
            assert_eq!(guest.get("/auth/me").await.error().0, 401, "{field}: {which}");
        }
    }

    async fn another_users_token_leaves_the_caller_in(database: Database) {
        let app = App::on(database).await;
        let (caller, _) = app.login().await;
        let (other, login) = app.login().await;
        let _answer = caller.post(PATH, &json!({"token": login["access_token"]})).await.expect(200);
        assert_eq!(other.get("/auth/me").await.error().0, 401);
        let _me = caller.get("/auth/me").await.expect(200);
    }

    async fn unknown_tokens_are_answered_like_known_ones(database: Database) {
        let app = App::on(database).await;
        let expected = app.anonymous().post(PATH, &json!({"token": app.login().await.1["access_token"]})).await;
        let expected = expected.expect(200).json();
        for unknown in ["garbage", "rt_garbage", "a.b.c"] {
            let answer = app.anonymous().post(PATH, &json!({"token": unknown})).await.expect(200);
            assert_eq!(answer.json(), expected, "{unknown}");
        }
    }

    async fn what_cannot_be_revoked_here_is_said(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let key = guest.post("/auth/api-keys", &json!({"name": "k"})).await.expect(201).json();
        let error = guest.post(PATH, &json!({"token": key["key"]})).await.error();
        assert_eq!(error, (400, "invalid_parameter".to_owned(), Some("token".to_owned())));
        let by_key = app.anonymous().bearer(key["key"].as_str().unwrap());
        assert_eq!(by_key.post(PATH, &json!({})).await.error().0, 400);
        let _me = by_key.get("/auth/me").await.expect(200);

        let anonymous = app.anonymous();
        assert_eq!(anonymous.post(PATH, &json!({})).await.error(), (401, "missing_credentials".to_owned(), None));
        assert_eq!(anonymous.bearer("garbage").post(PATH, &json!({})).await.error().0, 401);
        let typed = anonymous.post(PATH, &json!({"token": ["x"]})).await.error();
        assert_eq!(typed, (400, "invalid_parameter".to_owned(), Some("token".to_owned())));
    }
}
