use super::*;

const BULK: &str = "/v1/conversations/bulk-delete";

fn id(path: &str) -> &str {
    path.trim_start_matches("/v1/conversations/")
}

testkit::on_both_databases! {
    async fn what_cannot_be_deleted_keeps_nothing_else_from_being(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let (one, two) = (make(&app, &guest, &json!({})).await, make(&app, &guest, &json!({})).await);
        let theirs = make(&app, &other, &json!({})).await;
        let ids = json!([id(&one), id(&theirs), UNKNOWN, "nonsense", id(&one), UNKNOWN]);
        let body = json!({"conversation_ids": ids});
        let done = guest.post(BULK, &body).await.expect(200).json();
        assert_eq!(
            done,
            json!({
                "object": "conversations.deleted", "deleted": true, "deleted_count": 1, "failed_count": 3,
                "failed_ids": [id(&theirs), UNKNOWN, "nonsense"],
            })
        );
        let again = guest.post(BULK, &body).await.expect(200).json();
        assert_eq!((&again["deleted_count"], &again["failed_count"]), (&json!(0), &json!(4)));
        guest.get(&two).await.expect(200);
        other.get(&theirs).await.expect(200);
    }

    async fn the_number_is_bounded(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let param = Some("conversation_ids".to_owned());
        for body in [json!({}), json!({"conversation_ids": []})] {
            assert_eq!(guest.post(BULK, &body).await.error(), (400, "invalid_request".to_owned(), param.clone()));
        }
        let error = guest.post(BULK, &json!({"conversation_ids": vec!["x"; 101]})).await.error();
        assert_eq!(error, (400, "too_many_ids".to_owned(), param));
        let error = guest.post(BULK, &json!({"conversation_ids": [7]})).await.error();
        assert_eq!(error, (400, "invalid_parameter".to_owned(), Some("conversation_ids[0]".to_owned())));
        guest.post(BULK, &json!({"conversation_ids": vec!["x"; 100]})).await.expect(200);
    }
}
