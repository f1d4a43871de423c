use serde_json::{Value, json};
use testkit::on_both_databases;

use crate::support::App;

const PATH: &str = "/auth/upgrade";

on_both_databases! {
    async fn a_guest_becomes_an_account_and_stays_the_same_user(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let key = guest.post("/auth/api-keys", &json!({"name": "k"})).await.expect(201).json();
        let settings = json!({"profile_settings": {"nick_name": "Ada"}});
        let _kept = guest.call(http::Method::PATCH, "/v1/users/me/settings", Some(settings.to_string().into())).await;

        let wish = json!({"email": " Ada@Example.org ", "username": "Ada", "full_name": "Ada Lovelace",
            "password": "correct horse"});
        let upgraded = guest.post(PATH, &wish).await.expect(200).json();
        assert_eq!(upgraded["status"], "upgraded");
        assert_eq!((&upgraded["token_type"], &upgraded["expires_in"]), (&json!("Bearer"), &json!(3_600)));
        let account = app.anonymous().bearer(upgraded["access_token"].as_str().unwrap());
        let me = account.get("/auth/me").await.expect(200).json();
        assert_eq!(me, upgraded["user"]);
        assert_eq!((&me["id"], &me["subject"]), (&login["user_id"], &login["principal_id"]));
        assert_eq!((&me["email"], &me["username"]), (&json!("Ada@Example.org"), &json!("Ada")));
        assert_eq!((&me["name"], &me["roles"]), (&json!("Ada Lovelace"), &json!(["user"])));
        assert_eq!((&me["is_guest"], &me["is_admin"]), (&json!(false), &json!(false)));

        assert_eq!(guest.get("/auth/me").await.error().1, "invalid_token", "a planted token shares no account");
        let stale = app.anonymous().post("/auth/refresh-token", &json!({"refresh_token": login["refresh_token"]})).await;
        assert_eq!(stale.error().1, "invalid_refresh_token");
        let by_key = app.anonymous().api_key(key["key"].as_str().unwrap());
        let profile = by_key.get("/v1/users/me").await.expect(200).json();
        assert_eq!((&profile["id"], &profile["email_verified"]), (&login["user_id"], &json!(false)));
        let kept = account.get("/v1/users/me/settings").await.expect(200).json();
        assert_eq!(kept["profile_settings"]["nick_name"], "Ada");
        let tokens =
            app.anonymous().post("/auth/refresh-token", &json!({"refresh_token": upgraded["refresh_token"]})).await;
        let _tokens = tokens.expect(200);
    }

    async fn an_address_is_enough(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let upgraded = guest.post(PATH, &json!({"email": "ada@example.org", "username": null})).await.expect(200).json();
        assert_eq!(upgraded["user"]["username"], login["username"]);
        assert_eq!(upgraded["user"]["name"], Value::Null);
    }

    async fn nothing_else_is_listened_to(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let wish = json!({"email": "ada@example.org", "roles": ["admin"], "sub": "x", "id": "user_0000000000000000",
            "user_id": "x", "email_verified": true, "attributes": {"is_admin": true}, "is_admin": true,
            "admin_access": true, "feature_flags": ["admin_access"]});
        let upgraded = guest.post(PATH, &wish).await.expect(200).json();
        let user = &upgraded["user"];
        assert_eq!((&user["id"], &user["subject"]), (&login["user_id"], &login["principal_id"]));
        assert_eq!((&user["roles"], &user["is_admin"]), (&json!(["user"]), &json!(false)));
        let account = app.anonymous().bearer(upgraded["access_token"].as_str().unwrap());
        assert_eq!(account.get("/v1/users/me").await.expect(200).json()["email_verified"], false);
        let flags = json!({"preferences": {"is_admin": true, "admin_access": true, "feature_flags": ["admin_access"]}});
        let _kept = account.call(http::Method::PATCH, "/v1/users/me/settings", Some(flags.to_string().into())).await;
        assert_eq!(account.get("/auth/me").await.expect(200).json()["is_admin"], false);
        assert_eq!(account.get("/v1/admin/users").await.error().1, "admin_required");
    }

    async fn an_account_cannot_be_upgraded_nor_its_names_be_had_twice(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let first = guest.post(PATH, &json!({"email": "ada@example.org", "username": "ada"})).await.expect(200).json();
        let account = app.anonymous().bearer(first["access_token"].as_str().unwrap());
        let again = account.post(PATH, &json!({"email": "other@example.org"})).await;
        assert_eq!(again.error(), (409, "not_a_guest".to_owned(), None));
        assert_eq!(again.json()["error"]["type"], "conflict_error");
        let other = app.guest().await;
        for (wish, code, param) in [
            (json!({"email": "ADA@example.org"}), "email_taken", "email"),
            (json!({"email": "other@example.org", "username": "ADA"}), "username_taken", "username"),
        ] {
            assert_eq!(other.post(PATH, &wish).await.error(), (409, code.to_owned(), Some(param.to_owned())));
        }
        assert_eq!(other.get("/auth/me").await.expect(200).json()["is_guest"], true, "nothing came of it");
    }

    async fn every_refusal_names_its_field(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        for (wish, code, param) in [
            (json!({}), "missing_parameter", "email"),
            (json!({"email": null}), "missing_parameter", "email"),
            (json!({"email": "ada"}), "invalid_parameter", "email"),
            (json!({"email": "ada@guest.invalid"}), "invalid_parameter", "email"),
            (json!({"email": "ada@example.org", "username": "ab"}), "invalid_parameter", "username"),
            (json!({"email": "ada@example.org", "username": "guest-ada"}), "invalid_parameter", "username"),
            (json!({"email": "ada@example.org", "full_name": "n".repeat(256)}), "invalid_parameter", "full_name"),
            (json!({"email": "ada@example.org", "password": "short"}), "invalid_parameter", "password"),
            (json!({"email": "ada@example.org", "password": "p".repeat(257)}), "invalid_parameter", "password"),
            (json!({"email": "ada@example.org", "password": 12_345_678}), "invalid_parameter", "password"),
        ] {
            let answer = guest.post(PATH, &wish).await;
            assert_eq!(answer.error(), (400, code.to_owned(), Some(param.to_owned())), "{wish}");
        }
        let answer = guest.post(PATH, &json!({"email": "ada@example.org", "password": "hunter2"})).await;
        assert!(!answer.text().contains("hunter2"), "passwords are not repeated");
        assert_eq!(guest.get("/auth/me").await.expect(200).json()["is_guest"], true, "nothing came of it");
    }

    async fn only_the_guest_itself_can(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let wish = json!({"email": "thief@example.org", "password": "correct horse"});
        assert_eq!(app.anonymous().post(PATH, &wish).await.error().0, 401);
        let key = guest.post("/auth/api-keys", &json!({"name": "k", "scopes": ["keys:manage"]})).await.expect(201).json();
        let by_key = app.anonymous().api_key(key["key"].as_str().unwrap());
        assert_eq!(by_key.post(PATH, &wish).await.error(), (403, "insufficient_scope".to_owned(), None));
    }
}
