use http::header;
use serde_json::{Value, json};
use testkit::on_both_databases;

use crate::support::{App, NOW};

on_both_databases! {
    async fn callers_see_themselves(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let answer = guest.get("/auth/me").await.expect(200);
        assert_eq!(answer.headers["x-auth-method"], "jwt");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        let username = login["username"].as_str().unwrap();
        assert_eq!(
            answer.json(),
            json!({
                "object": "user", "id": login["user_id"], "username": username,
                "email": format!("{username}@guest.invalid"), "subject": login["principal_id"], "auth_method": "jwt",
                "name": null, "roles": ["guest"], "is_admin": false, "is_guest": true, "picture": null,
                "created_at": NOW.seconds(),
            })
        );
    }

    async fn a_key_speaks_for_its_owner_in_each_place(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let key = guest.post("/auth/api-keys", &json!({"name": "k"})).await.expect(201).json();
        let key = key["key"].as_str().unwrap();
        let anonymous = app.anonymous();
        let apikey = http::HeaderName::from_static("apikey");
        for caller in [anonymous.bearer(key), anonymous.api_key(key), anonymous.header(apikey, key)] {
            let answer = caller.get("/auth/me").await.expect(200);
            assert_eq!(answer.headers["x-auth-method"], "apikey");
            let me = answer.json();
            assert_eq!(me["id"], login["user_id"]);
            assert_eq!(me["auth_method"], "apikey");
        }
    }

    async fn no_identity_comes_from_headers_or_goes_into_them(database: Database) {
        let app = App::on(database).await;
        let (guest, _) = app.login().await;
        let other = app.login().await.1;
        let posing = guest.header(http::HeaderName::from_static("x-user-id"), other["user_id"].as_str().unwrap());
        let answer = posing.get("/auth/me").await.expect(200);
        assert_ne!(answer.json()["id"], other["user_id"]);
        for (name, value) in &answer.headers {
            let value = value.to_str().unwrap();
            assert!(!value.contains("user_") && !value.contains("guest-"), "{name}: {value}");
        }
    }

    async fn every_bad_credential_is_401(database: Database) {
        let app = App::on(database).await;
        let (_, login) = app.login().await;
        let token = login["access_token"].as_str().unwrap();
        let anonymous = app.anonymous();
        let flipped = format!("{}x", &token[..token.len() - 1]);
        let long_key = format!("sk_{}", "a".repeat(300));
        let cases = [
            (anonymous.clone(), "missing_credentials"),
            (anonymous.header(header::AUTHORIZATION, "Basic dXNlcjpwYXNz"), "invalid_token"),
            (anonymous.header(header::AUTHORIZATION, "Bearer"), "invalid_token"),
            (anonymous.bearer("nonsense"), "invalid_token"),
            (anonymous.bearer(&flipped), "invalid_token"),
            (anonymous.bearer(&"a.".repeat(5_000)), "invalid_token"),
            (anonymous.bearer("sk_live_unknown"), "invalid_api_key"),
            (anonymous.api_key(token), "invalid_api_key"),
            (anonymous.api_key(&long_key), "invalid_api_key"),
            (anonymous.bearer(token).api_key("sk_live_unknown"), "invalid_api_key"),
        ];
        for (caller, code) in cases {
            let answer = caller.get("/auth/me").await;
            assert_eq!(answer.error(), (401, code.to_owned(), None));
            assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
            assert_eq!(answer.json()["error"]["type"], "auth_error");
        }
    }

    async fn a_token_and_a_foreign_key_conflict(database: Database) {
        let app = App::on(database).await;
        let (one, other) = (app.guest().await, app.guest().await);
        let key = |value: Value| value["key"].as_str().unwrap().to_owned();
        let own = key(one.post("/auth/api-keys", &json!({"name": "own"})).await.expect(201).json());
        let foreign = key(other.post("/auth/api-keys", &json!({"name": "foreign"})).await.expect(201).json());
        let _both = one.api_key(&own).get("/auth/me").await.expect(200);
        assert_eq!(one.api_key(&foreign).get("/auth/me").await.error().1, "conflicting_credentials");
    }

    async fn an_expired_token_says_so(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        app.clock.advance(std::time::Duration::from_hours(1));
        assert_eq!(guest.get("/auth/me").await.error(), (401, "token_expired".to_owned(), None));
    }

    async fn without_the_database_nobody_is_a_stranger(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        app.store.close().await;
        assert_eq!(guest.get("/auth/me").await.error(), (503, "service_unavailable".to_owned(), None));
    }
}
