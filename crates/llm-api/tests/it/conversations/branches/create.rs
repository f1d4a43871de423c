use super::*;

testkit::on_both_databases! {
    async fn a_branch_shows_what_was_there_and_goes_its_own_way(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let conversation = make(&app, &guest, &json!({})).await;
        let path = format!("{conversation}/branches");
        let ids = talk(&guest, &conversation, &["a", "b", "c"]).await;
        let body = json!({"name": "My idea", "description": "d", "fork_from_item_id": ids[1]});
        let made = guest.post(&path, &body).await.expect(201).json();
        assert_eq!(
            made,
            json!({
                "object": "conversation.branch", "name": "My idea", "description": "d", "parent_branch": "MAIN",
                "forked_at": 1_800_000_000, "forked_from_item_id": ids[1], "item_count": 2,
                "created_at": 1_800_000_000, "updated_at": 1_800_000_000, "is_active": false,
            })
        );
        assert_eq!(texts(&guest, &conversation, "My%20idea").await, ["a", "b"]);
        assert_eq!(texts(&guest, &conversation, "MAIN").await, ["a", "b", "c"]);
        let unnamed = guest.call(http::Method::POST, &path, None).await.expect(201).json();
        assert_eq!((&unnamed["name"], &unnamed["item_count"]), (&json!("BRANCH_20270115080000"), &json!(3)));
        let body = json!({"name": "deeper", "parent_branch": "My idea"});
        let deeper = guest.post(&path, &body).await.expect(201).json();
        assert_eq!((&deeper["parent_branch"], &deeper["item_count"]), (&json!("My idea"), &json!(2)));
    }

    async fn each_fault_names_its_field(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let conversation = make(&app, &guest, &json!({})).await;
        let path = format!("{conversation}/branches");
        let ids = talk(&guest, &conversation, &["a", "b"]).await;
        guest.post(&path, &json!({"name": "one", "fork_from_item_id": ids[0]})).await.expect(201);
        for (body, status, code, param) in [
            (json!({"name": ""}), 400, "invalid_parameter", "name"),
            (json!({"name": "a/b"}), 400, "invalid_parameter", "name"),
            (json!({"name": "x".repeat(65)}), 400, "invalid_parameter", "name"),
            (json!({"description": "x".repeat(513)}), 400, "invalid_parameter", "description"),
            (json!({"name": "one"}), 409, "branch_exists", "name"),
            (json!({"name": "main"}), 409, "branch_exists", "name"),
            (json!({"name": "MAIN"}), 409, "branch_exists", "name"),
            (json!({"parent_branch": "none"}), 404, "branch_not_found", "parent_branch"),
            (json!({"fork_from_item_id": "x"}), 404, "item_not_found", "fork_from_item_id"),
            (json!({"fork_from_item_id": ids[1], "parent_branch": "one"}), 404, "item_not_found", "fork_from_item_id"),
        ] {
            let error = guest.post(&path, &body).await.error();
            assert_eq!(error, (status, code.to_owned(), Some(param.to_owned())));
        }
        assert_eq!(other.post(&path, &json!({"name": "two"})).await.error().1, "conversation_not_found");
        assert_eq!(guest.post(&format!("{PATH}/x/branches"), &json!({})).await.error().1, "invalid_id");
    }
}
