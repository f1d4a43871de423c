use domain::Role;
use http::{Method, header};
use serde_json::{Value, json};
use testkit::on_both_databases;

use crate::{
    admin::account,
    support::{App, NOW},
};

const PATH: &str = "/auth/validate";

on_both_databases! {
    async fn the_presented_credential_is_told(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let answer = guest.call(Method::POST, PATH, None).await.expect(200);
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        let expected = json!({
            "active": true, "user_id": login["user_id"], "sub": login["principal_id"], "username": login["username"],
            "roles": ["guest"], "auth_method": "jwt", "exp": NOW.seconds() + 3_600,
        });
        assert_eq!(answer.json(), expected);
        assert_eq!(guest.post(PATH, &json!({"token": login["access_token"]})).await.expect(200).json(), expected);

        let wish = json!({"name": "k", "scopes": ["chat:write", "models:read"]});
        let key = guest.post("/auth/api-keys", &wish).await.expect(201).json();
        let by_key = app.anonymous().api_key(key["key"].as_str().unwrap());
        let told = by_key.post(PATH, &json!({})).await.expect(200).json();
        assert_eq!((&told["active"], &told["auth_method"]), (&json!(true), &json!("apikey")));
        assert_eq!((&told["scope"], &told["exp"]), (&json!("chat:write models:read"), &key["expires_at"]));
    }

    async fn of_what_is_not_good_nothing_is_told(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let (other, others) = app.login().await;
        let key = other.post("/auth/api-keys", &json!({"name": "k"})).await.expect(201).json();
        for token in [&others["access_token"], &key["key"], &json!("garbage"), &json!("a.b.c"), &json!("sk_live_0")] {
            let told = guest.post(PATH, &json!({"token": token})).await.expect(200).json();
            assert_eq!(told, json!({"active": false}), "{token}");
        }
        let (root, _) = account(&app, "root", vec![Role::User, Role::Admin]).await;
        let told = root.post(PATH, &json!({"token": others["access_token"]})).await.expect(200).json();
        assert_eq!((&told["active"], &told["user_id"]), (&json!(true), &others["user_id"]));
        let _out = other.call(Method::POST, "/auth/revoke", None).await.expect(200);
        let told: Value = root.post(PATH, &json!({"token": others["access_token"]})).await.expect(200).json();
        assert_eq!(told, json!({"active": false}));
        assert_eq!(other.post(PATH, &json!({})).await.error(), (401, "invalid_token".to_owned(), None));
        assert_eq!(app.anonymous().post(PATH, &json!({"token": login["access_token"]})).await.error().0, 401);
    }

    async fn what_cannot_be_validated_is_said(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        for token in [login["refresh_token"].clone(), json!(7)] {
            let answer = guest.post(PATH, &json!({"token": token})).await;
            assert_eq!(answer.error(), (400, "invalid_parameter".to_owned(), Some("token".to_owned())));
        }
    }
}
