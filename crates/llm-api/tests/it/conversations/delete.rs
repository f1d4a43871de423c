use super::*;

testkit::on_both_databases! {
    async fn what_is_deleted_is_gone_everywhere(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({"title": "t"})).await;
        let items = talk(&guest, &path, &["a", "b"]).await;
        let call = json!({"type": "mcp_call", "call_id": "c"});
        guest.post(&format!("{path}/items"), &call).await.expect(201);
        assert_eq!(other.delete(&path).await.error().1, "conversation_not_found");
        let deleted = guest.delete(&path).await.expect(200).json();
        let id = path.trim_start_matches("/v1/conversations/");
        assert_eq!(deleted, json!({"id": id, "object": "conversation.deleted", "deleted": true}));
        assert_eq!(guest.delete(&path).await.error().1, "conversation_not_found");
        for rest in ["", "/items", "/branches", "/branches/MAIN"] {
            assert_eq!(guest.get(&format!("{path}{rest}")).await.error().1, "conversation_not_found", "{rest}");
        }
        for rest in [format!("/items/{}", items[0]), "/items/by-call-id/c".to_owned()] {
            assert_eq!(guest.get(&format!("{path}{rest}")).await.error().1, "conversation_not_found", "{rest}");
        }
        let message = json!({"role": "user", "content": "x"});
        assert_eq!(guest.post(&format!("{path}/items"), &message).await.error().1, "conversation_not_found");
        assert_eq!(patch(&guest, &path, &json!({"title": "x"})).await.error().1, "conversation_not_found");
        assert_eq!(guest.get(PATH).await.expect(200).json()["data"], json!([]));
        assert_eq!(guest.delete(&format!("{PATH}/x")).await.error().1, "invalid_id");
    }

    async fn what_was_shared_of_it_is_gone(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({"title": "t"})).await;
        talk(&guest, &path, &["a", "b"]).await;
        let share = guest.post(&format!("{path}/share"), &json!({})).await.expect(201).json();
        let open = format!("/v1/share/{}", share["slug"].as_str().unwrap());
        app.anonymous().get(&open).await.expect(200);
        guest.delete(&path).await.expect(200);
        let (status, ..) = app.anonymous().get(&open).await.error();
        assert!(matches!(status, 404 | 410), "{status}");
    }
}
