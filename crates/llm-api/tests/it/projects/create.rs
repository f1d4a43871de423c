use super::*;
use crate::support::NOW;
use testkit::on_both_databases;

on_both_databases! {
    async fn a_project_is_made(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let made = guest.post(PATH, &json!({"name": " Thesis "})).await.expect(201).json();
        assert_eq!(
            made,
            json!({
                "id": made["id"], "object": "project", "name": "Thesis", "description": null, "instruction": null,
                "is_favorite": false, "is_archived": false, "archived_at": null, "conversation_count": 0,
                "created_at": NOW.seconds(), "updated_at": NOW.seconds(),
            })
        );
        assert!(made["id"].as_str().unwrap().starts_with("proj_"));
        let all = json!({"title": "Other", "description": "d", "instruction": "Be brief.", "is_favorite": true,
            "is_archived": true, "user_id": "user_0123456789abcdef"});
        let made = guest.post(PATH, &all).await.expect(201).json();
        assert_eq!(
            (&made["name"], &made["description"], &made["instruction"]),
            (&json!("Other"), &json!("d"), &json!("Be brief."))
        );
        assert_eq!((&made["is_favorite"], &made["is_archived"]), (&json!(true), &json!(true)));
        assert_eq!(made["archived_at"], NOW.seconds());
        assert_eq!(guest.get(&path(&made)).await.expect(200).json(), made);
    }

    async fn what_is_out_of_bounds_is_named(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        for (body, code, param) in [
            (json!({}), "missing_parameter", "name"),
            (json!({"name": null}), "missing_parameter", "name"),
            (json!({"name": ""}), "invalid_parameter", "name"),
            (json!({"name": "  "}), "invalid_parameter", "name"),
            (json!({"name": 1}), "invalid_parameter", "name"),
            (json!({"name": "a\nb"}), "invalid_parameter", "name"),
            (json!({"name": "x".repeat(121)}), "invalid_parameter", "name"),
            (json!({"name": "x", "instruction": "x".repeat(32_769)}), "invalid_parameter", "instruction"),
            (json!({"name": "x", "description": "x".repeat(2_001)}), "invalid_parameter", "description"),
            (json!({"name": "x", "is_favorite": "yes"}), "invalid_parameter", "is_favorite"),
            (json!({"name": "x", "title": "y"}), "invalid_parameter", "name"),
        ] {
            let error = guest.post(PATH, &body).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{body}");
        }
        assert_eq!(guest.get(PATH).await.expect(200).json()["total"], 0);
        guest.post(PATH, &json!({"name": "\u{e9}".repeat(120), "instruction": "x".repeat(32_768)})).await.expect(201);
    }

    async fn a_name_is_given_once_to_each(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let first = make(&app, &guest, "Thesis").await;
        let error = guest.post(PATH, &json!({"name": "Thesis "})).await.error();
        assert_eq!(error, (409, "project_name_exists".to_owned(), Some("name".to_owned())));
        make(&app, &other, "Thesis").await;
        guest.delete(&path(&first)).await.expect(200);
        make(&app, &guest, "Thesis").await;
    }

    async fn asked_twice_with_a_key_it_is_made_once(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let key = http::HeaderName::from_static("idempotency-key");
        let keyed = guest.header(key.clone(), "stainless-node-retry-1");
        let first = keyed.post(PATH, &json!({"name": "Thesis"})).await.expect(201);
        let again = keyed.post(PATH, &json!({"name": "Thesis"})).await.expect(201);
        assert_eq!(
            (again.json(), &again.headers["idempotent-replayed"]),
            (first.json(), &http::HeaderValue::from_static("true"))
        );
        let error = keyed.post(PATH, &json!({"name": "Other"})).await.error();
        assert_eq!(error, (409, "idempotency_key_reused".to_owned(), Some("Idempotency-Key".to_owned())));
        assert_eq!(guest.get(PATH).await.expect(200).json()["total"], 1);
        // Somebody else's key is another.
        let theirs = other.header(key, "stainless-node-retry-1").post(PATH, &json!({"name": "Thesis"})).await.expect(201);
        assert_ne!(theirs.json()["id"], first.json()["id"]);
    }
}
