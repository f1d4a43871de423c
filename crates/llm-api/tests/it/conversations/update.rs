use super::*;

testkit::on_both_databases! {
    async fn what_is_not_named_stays(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let body = json!({"title": "t", "referrer": "r", "metadata": {"a": "1", "b": "2"}});
        let path = make(&app, &guest, &body).await;
        app.clock.advance(Duration::from_secs(5));
        let before = patch(&guest, &path, &json!({})).await.expect(200).json();
        assert_eq!((&before["title"], &before["updated_at"]), (&json!("t"), &before["created_at"]));
        let after = patch(&guest, &path, &json!({"metadata": {"a": null, "c": "3"}})).await.expect(200).json();
        assert_eq!(after["metadata"], json!({"b": "2", "c": "3"}));
        assert_eq!((&after["title"], &after["referrer"]), (&json!("t"), &json!("r")));
        assert_eq!(after["updated_at"].as_i64(), before["updated_at"].as_i64().map(|at| at + 5));
        let after = patch(&guest, &path, &json!({"title": null, "referrer": "", "metadata": null})).await.expect(200).json();
        assert_eq!((after.get("title"), after.get("referrer"), &after["metadata"]), (None, None, &json!({})));
        let after = patch(&guest, &path, &json!({"title": "other"})).await.expect(200).json();
        assert_eq!(after["title"], "other");
        assert_eq!(guest.get(&format!("{path}?include_items=false")).await.expect(200).json(), after);
    }

    async fn it_moves_from_project_to_project(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let project = guest.post("/v1/projects", &json!({"name": "p"})).await.expect(201).json();
        let theirs = other.post("/v1/projects", &json!({"name": "p"})).await.expect(201).json();
        let path = make(&app, &guest, &json!({})).await;
        let moved = patch(&guest, &path, &json!({"project_id": project["id"]})).await.expect(200).json();
        assert_eq!(moved["project_id"], project["id"]);
        for foreign in [theirs["id"].clone(), json!("proj_0000000000000000"), json!("x")] {
            let error = patch(&guest, &path, &json!({"project_id": foreign})).await.error();
            assert_eq!(error, (404, "project_not_found".to_owned(), Some("project_id".to_owned())));
        }
        for none in [json!(null), json!("")] {
            patch(&guest, &path, &json!({"project_id": project["id"]})).await.expect(200);
            let out = patch(&guest, &path, &json!({"project_id": none})).await.expect(200).json();
            assert_eq!(out.get("project_id"), None);
        }
    }

    async fn a_wrong_change_changes_nothing(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({"title": "t"})).await;
        for (body, param) in [
            (json!({"title": "x".repeat(257)}), "title"),
            (json!({"title": "new", "referrer": "x".repeat(65)}), "referrer"),
            (json!({"title": "new", "metadata": {"": "v"}}), "metadata"),
            (json!({"title": "new", "metadata": {"k": "v".repeat(513)}}), "metadata.k"),
            (json!({"title": ["x"]}), "title"),
        ] {
            let error = patch(&guest, &path, &body).await.error();
            assert_eq!(error, (400, "invalid_parameter".to_owned(), Some(param.to_owned())));
        }
        let body = json!({"title": "theirs"});
        assert_eq!(patch(&other, &path, &body).await.error().1, "conversation_not_found");
        assert_eq!(patch(&guest, &format!("{PATH}/x"), &body).await.error().1, "invalid_id");
        assert_eq!(guest.get(&path).await.expect(200).json()["title"], "t");
    }

    async fn metadata_never_grows_beyond_its_bounds(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let entries = |range: std::ops::Range<usize>| {
            range.map(|n| (format!("k{n}"), json!("v"))).collect::<serde_json::Map<_, _>>()
        };
        let path = make(&app, &guest, &json!({"metadata": entries(0..16)})).await;
        let full = guest.get(&path).await.expect(200).json();
        for (body, param) in [
            (json!({"metadata": entries(16..17)}), "metadata"),
            (json!({"metadata": entries(0..10_000)}), "metadata"),
            (json!({"metadata": {"k": "v".repeat(100_000)}}), "metadata.k"),
            (json!({"metadata": {"k".repeat(100_000): "v"}}), "metadata"),
            (json!({"metadata": {"k": {"k": {"k": "v"}}}}), "metadata.k"),
        ] {
            let refused = (400, "invalid_parameter".to_owned(), Some(param.to_owned()));
            assert_eq!(patch(&guest, &path, &body).await.error(), refused);
        }
        let error = guest.post(PATH, &json!({"metadata": entries(0..10_000)})).await.error();
        assert_eq!(error, (400, "invalid_parameter".to_owned(), Some("metadata".to_owned())));
        assert_eq!(guest.get(&path).await.expect(200).json(), full, "nothing is lost");
    }

    async fn two_that_change_two_fields_at_once_both_get_their_way(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let (title, note) = (json!({"title": "t"}), json!({"metadata": {"k": "v"}}));
        let (one, other) = tokio::join!(patch(&guest, &path, &title), patch(&guest, &path, &note));
        one.expect(200);
        other.expect(200);
        let after = guest.get(&path).await.expect(200).json();
        assert_eq!((&after["title"], &after["metadata"]), (&json!("t"), &json!({"k": "v"})));
    }
}
