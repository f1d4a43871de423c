use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn a_user_is_shown_and_changed(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let (client, ada) = account(&app, "ada", vec![Role::User]).await;
        let id = ada.id.as_str();
        let shown = root.get(&format!("/v1/admin/users/{id}")).await.expect(200).json();
        assert_eq!(
            shown,
            json!({
                "id": id, "object": "user", "username": "ada", "email": "ada@example.org", "email_verified": false,
                "name": null, "issuer": ISSUER, "subject": id, "roles": ["user"], "is_admin": false, "is_guest": false,
                "active": true, "disabled_at": null, "created_at": NOW.seconds() + 1,
            })
        );
        let change = json!({
            "roles": ["admin"], "username": "ada2", "email": "ada2@example.org", "name": " Ada ",
            "id": "user_00000000000000000000", "disabled_at": 1, "active": false,
            "subject": "x", "issuer": "y", "password_hash": "z", "created_at": 0,
        });
        let changed = patch(&root, id, &change).await.expect(200).json();
        let mut expected = shown;
        for (field, value) in [
            ("roles", json!(["user", "admin"])),
            ("is_admin", json!(true)),
            ("username", json!("ada2")),
            ("email", json!("ada2@example.org")),
            ("name", json!("Ada")),
        ] {
            expected[field] = value;
        }
        assert_eq!(changed, expected, "nothing else is listened to");
        client.get("/v1/admin/users").await.expect(200);
        let verified = patch(&root, id, &json!({"email_verified": true})).await.expect(200).json();
        expected["email_verified"] = json!(true);
        assert_eq!(verified, expected, "an administrator's word counts");
        let moved = patch(&root, id, &json!({"email": "ada3@example.org"})).await.expect(200).json();
        assert_eq!(moved["email_verified"], false, "for that address");
        patch(&root, id, &json!({"roles": []})).await.expect(200);
        assert_eq!(client.get("/v1/admin/users").await.error().1, "admin_required");
    }

    async fn a_change_that_cannot_be_is_refused(database: Database) {
        let app = App::on(database).await;
        let (root, me) = admin(&app).await;
        let (_, ada) = account(&app, "ada", vec![Role::User]).await;
        let (_, login) = app.login().await;
        let guest = login["user_id"].as_str().unwrap();
        let (me, ada) = (me.id.as_str(), ada.id.as_str());
        for (id, change, status, code, param) in [
            (ada, json!({"roles": ["overlord"]}), 400, "invalid_parameter", Some("roles[0]")),
            (ada, json!({"roles": ["guest"]}), 400, "invalid_parameter", Some("roles")),
            (ada, json!({"username": "a b"}), 400, "invalid_parameter", Some("username")),
            (ada, json!({"email": "ada"}), 400, "invalid_parameter", Some("email")),
            (ada, json!({"email_verified": "yes"}), 400, "invalid_parameter", Some("email_verified")),
            (ada, json!({"name": "a\u{1b}"}), 400, "invalid_parameter", Some("name")),
            (ada, json!({"username": "ROOT"}), 409, "username_taken", Some("username")),
            (ada, json!({"email": "ROOT@example.org"}), 409, "email_taken", Some("email")),
            (guest, json!({"roles": ["admin"]}), 409, "not_an_account", None),
            (me, json!({"roles": ["user"]}), 409, "last_admin", None),
            ("user_00000000000000000000", json!({"name": "x"}), 404, "user_not_found", None),
            ("nonsense", json!({}), 404, "user_not_found", None),
        ] {
            let error = patch(&root, id, &change).await.error();
            assert_eq!(error, (status, code.to_owned(), param.map(str::to_owned)), "{change}");
        }
        assert_eq!(act(&root, me, "deactivate").await.error().1, "cannot_disable_self");
        for verb in ["activate", "deactivate"] {
            assert_eq!(act(&root, "user_00000000000000000000", verb).await.error().1, "user_not_found");
        }
        assert_eq!(root.get("/v1/admin/users/nonsense").await.error().1, "user_not_found");
    }
}
