use serde_json::json;
use testkit::on_both_databases;

use crate::support::{App, NOW};

on_both_databases! {
    async fn a_revoked_key_stops_at_once(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let made = guest.post("/auth/api-keys", &json!({"name": "k"})).await.expect(201).json();
        let by_key = app.anonymous().bearer(made["key"].as_str().unwrap());
        let _me = by_key.get("/auth/me").await.expect(200);

        let path = format!("/auth/api-keys/{}", made["id"].as_str().unwrap());
        let answer = guest.delete(&path).await.expect(204);
        assert!(answer.body.is_empty());
        let answer = by_key.get("/auth/me").await;
        assert_eq!(answer.error(), (401, "invalid_api_key".to_owned(), None));
        assert!(!answer.json()["error"]["message"].as_str().unwrap().is_empty());

        assert_eq!(guest.delete(&path).await.error(), (404, "api_key_not_found".to_owned(), None));
        let all = guest.get("/auth/api-keys?include_revoked=true").await.expect(200).json();
        assert_eq!(all["data"][0]["status"], "revoked");
        assert_eq!(all["data"][0]["revoked_at"], NOW.seconds());
    }

    async fn foreign_and_unknown_keys_are_the_same_nothing(database: Database) {
        let app = App::on(database).await;
        let (owner, other) = (app.guest().await, app.guest().await);
        let made = owner.post("/auth/api-keys", &json!({"name": "k"})).await.expect(201).json();
        let id = made["id"].as_str().unwrap();
        let mut bodies = Vec::new();
        for id in [id, "key_00000000000000000000", "nonsense", "..%2f..", "%00"] {
            let answer = other.delete(&format!("/auth/api-keys/{id}")).await;
            if answer.status == 400 || answer.error().1 == "route_not_found" {
                continue; // No path at all.
            }
            assert_eq!(answer.error(), (404, "api_key_not_found".to_owned(), None), "{id}");
            let mut body = answer.json();
            body["error"]["request_id"].take();
            bodies.push(body);
        }
        assert!(bodies.len() >= 3 && bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
        let _me = app.anonymous().bearer(made["key"].as_str().unwrap()).get("/auth/me").await.expect(200);
    }
}
