use serde_json::{Value, json};
use testkit::on_both_databases;

use crate::support::{App, NOW};

on_both_databases! {
    async fn a_key_is_shown_once(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let wish = json!({"name": " laptop ", "scopes": ["models:read"], "unknown": true});
        let made = guest.post("/auth/api-keys", &wish).await.expect(201).json();
        let key = made["key"].as_str().unwrap();
        assert!(key.starts_with("sk_live_") && key.len() == "sk_live_".len() + 48);
        assert_eq!(
            made,
            json!({
                "object": "api_key", "id": made["id"], "name": "laptop", "prefix": "sk_live",
                "suffix": &key[key.len() - 4..], "scopes": ["models:read"], "status": "active",
                "created_at": NOW.seconds(), "expires_at": NOW.seconds() + 2_160 * 3_600, "last_used_at": null,
                "revoked_at": null, "key": key,
            })
        );
        let list = guest.get("/auth/api-keys").await.expect(200);
        assert!(!list.text().contains(key), "not shown again");
    }

    async fn its_life_is_asked_for_in_several_spellings(database: Database) {
        let app = App::on(database).await;
        for (wish, seconds) in [
            (json!({"expires_in": "720h"}), 720 * 3_600),
            (json!({"expires_in": 3_600}), 3_600),
            (json!({"expires_in": 3_600_000_000_000_i64}), 3_600),
            (json!({"expires_in_days": 90}), 90 * 86_400),
            (json!({"expires_in": null, "expires_in_days": null, "scopes": null}), 2_160 * 3_600),
        ] {
            let mut wish = wish;
            wish["name"] = json!("k");
            let made = app.guest().await.post("/auth/api-keys", &wish).await.expect(201).json();
            assert_eq!(made["expires_at"], NOW.seconds() + seconds, "{wish}");
        }
    }

    async fn every_refusal_names_its_field(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let with = |field: &str, value: Value| {
            let mut wish = json!({"name": "k"});
            wish[field] = value;
            wish
        };
        let many: Vec<String> = (0..65).map(|n| n.to_string()).collect();
        let cases = [
            (json!({}), "missing_parameter", "name"),
            (json!({"name": null}), "invalid_parameter", "name"),
            (json!({"name": 7}), "invalid_parameter", "name"),
            (json!({"name": ""}), "invalid_parameter", "name"),
            (json!({"name": "n".repeat(101)}), "invalid_parameter", "name"),
            (json!({"name": "bell \u{7}"}), "invalid_parameter", "name"),
            (with("expires_in", json!("soon")), "invalid_parameter", "expires_in"),
            (with("expires_in", json!(0)), "invalid_parameter", "expires_in"),
            (with("expires_in", json!(-1)), "invalid_parameter", "expires_in"),
            (with("expires_in", json!(1.5)), "invalid_parameter", "expires_in"),
            (with("expires_in", json!(true)), "invalid_parameter", "expires_in"),
            (with("expires_in", json!("2161h")), "invalid_parameter", "expires_in"),
            (with("expires_in", json!("0s")), "invalid_parameter", "expires_in"),
            (with("expires_in_days", json!(0)), "invalid_parameter", "expires_in_days"),
            (with("expires_in_days", json!(91)), "invalid_parameter", "expires_in_days"),
            (with("expires_in_days", json!(i64::MAX)), "invalid_parameter", "expires_in_days"),
            (with("expires_in_days", json!("ten")), "invalid_parameter", "expires_in_days"),
            (json!({"name": "k", "expires_in": 60, "expires_in_days": 1}), "invalid_parameter", "expires_in_days"),
            (with("scopes", json!("all")), "invalid_parameter", "scopes"),
            (with("scopes", json!(["read", 7])), "invalid_parameter", "scopes[1]"),
            (with("scopes", json!(["read", "reed"])), "invalid_parameter", "scopes[1]"),
            (with("scopes", json!(many)), "invalid_parameter", "scopes"),
        ];
        for (wish, code, param) in cases {
            let error = guest.post("/auth/api-keys", &wish).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{wish}");
        }
        let list = guest.get("/auth/api-keys?include_revoked=true").await.expect(200).json();
        assert_eq!(list["data"], json!([]), "nothing came of it");
    }

    async fn nothing_else_is_listened_to(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let (_, other) = app.login().await;
        let wish = json!({"name": "k", "user_id": other["user_id"], "owner": other["user_id"], "roles": ["admin"],
            "is_admin": true, "id": "key_00000000000000000000", "key": "sk_live_mine", "prefix": "sk_mine",
            "last_used_at": 1, "revoked_at": null, "created_at": 0});
        let made = guest.post("/auth/api-keys", &wish).await.expect(201).json();
        assert_ne!(made["id"], wish["id"]);
        let by_key = app.anonymous().api_key(made["key"].as_str().unwrap());
        let me = by_key.get("/auth/me").await.expect(200).json();
        assert_eq!((&me["id"], &me["roles"], &me["is_admin"]), (&login["user_id"], &json!(["guest"]), &json!(false)));
        assert_eq!((&made["prefix"], &made["last_used_at"]), (&json!("sk_live"), &Value::Null));
        let guest = app.anonymous().post("/auth/guest-login", &wish).await.expect(201).json();
        assert_ne!(guest["user_id"], other["user_id"], "nor at a guest's login");
    }

    async fn the_sixth_is_too_many(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        for _ in 0..5 {
            let _key = guest.post("/auth/api-keys", &json!({"name": "k"})).await.expect(201);
        }
        let answer = guest.post("/auth/api-keys", &json!({"name": "k"})).await;
        assert_eq!(answer.error(), (400, "api_key_limit_reached".to_owned(), None));
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains("limit"));
    }

    async fn keys_make_keys_only_if_made_for_it(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let plain = guest.post("/auth/api-keys", &json!({"name": "k"})).await.expect(201).json();
        let plain = app.anonymous().bearer(plain["key"].as_str().unwrap());
        let answer = plain.post("/auth/api-keys", &json!({"name": "more"})).await;
        assert_eq!(answer.error(), (403, "insufficient_scope".to_owned(), None));
        assert_eq!(answer.json()["error"]["type"], "permission_error");
        assert_eq!(plain.get("/auth/api-keys").await.error().0, 403);

        let wish = json!({"name": "k", "scopes": ["keys:manage"]});
        let manager = guest.post("/auth/api-keys", &wish).await.expect(201).json();
        let manager = app.anonymous().api_key(manager["key"].as_str().unwrap());
        let _made = manager.post("/auth/api-keys", &wish).await.expect(201);
        let error = manager.post("/auth/api-keys", &json!({"name": "unlimited"})).await.error();
        assert_eq!(error, (403, "insufficient_scope".to_owned(), Some("scopes".to_owned())));
    }
}
