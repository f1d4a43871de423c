use serde_json::json;
use testkit::on_both_databases;

use crate::support::App;

on_both_databases! {
    async fn pages_follow_one_another(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let mut ids = Vec::new();
        for name in ["a", "b", "c"] {
            app.clock.advance(std::time::Duration::from_millis(1));
            let made = guest.post("/auth/api-keys", &json!({"name": name})).await.expect(201).json();
            ids.insert(0, made["id"].as_str().unwrap().to_owned());
        }
        let page = guest.get("/auth/api-keys?limit=2").await.expect(200).json();
        assert_eq!(page["object"], "list");
        assert_eq!((&page["data"][0]["id"], &page["data"][1]["id"]), (&json!(ids[0]), &json!(ids[1])));
        assert_eq!((&page["first_id"], &page["last_id"]), (&json!(ids[0]), &json!(ids[1])));
        assert_eq!((&page["has_more"], &page["next_after"], &page["total"]), (&json!(true), &json!(ids[1]), &json!(3)));
        for parameter in ["after", "cursor"] {
            let next = guest.get(&format!("/auth/api-keys?limit=2&{parameter}={}", ids[1])).await.expect(200).json();
            assert_eq!(next["data"][0]["id"], json!(ids[2]));
            assert_eq!((&next["has_more"], &next["next_after"]), (&json!(false), &json!(null)));
        }
        let up = guest.get("/auth/api-keys?order=asc").await.expect(200).json();
        assert_eq!(up["data"][0]["name"], "a");
    }

    async fn a_wrong_question_names_its_field(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        for (query, code, param) in [
            ("limit=0", "invalid_parameter", "limit"),
            ("limit=ten", "invalid_parameter", "limit"),
            ("order=up", "invalid_parameter", "order"),
            ("after=key_00000000000000000000", "invalid_cursor", "after"),
            ("after=%27%20OR%201", "invalid_cursor", "after"),
            ("after=%00", "invalid_cursor", "after"),
            ("include_revoked=perhaps", "invalid_parameter", "include_revoked"),
        ] {
            let error = guest.get(&format!("/auth/api-keys?{query}")).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{query}");
        }
    }

    async fn what_is_over_is_shown_on_demand(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let made = guest.post("/auth/api-keys", &json!({"name": "k", "expires_in": 60})).await.expect(201).json();
        let _used = app.anonymous().bearer(made["key"].as_str().unwrap()).get("/auth/me").await.expect(200);
        app.clock.advance(std::time::Duration::from_mins(1));
        assert_eq!(guest.get("/auth/api-keys").await.expect(200).json()["data"], json!([]));
        let all = guest.get("/auth/api-keys?include_revoked=true").await.expect(200).json();
        assert_eq!(all["data"][0]["status"], "expired");
    }
}
