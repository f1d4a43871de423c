use super::*;

testkit::on_both_databases! {
    async fn answers_are_rated_and_ratings_taken_back(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b"]).await;
        let answer = format!("{path}/items/{}", ids[1]);
        let rated = patch(&guest, &answer, &json!({"rating": "unlike", "rating_comment": "wrong"})).await.expect(200).json();
        assert_eq!((&rated["rating"], &rated["rating_comment"]), (&json!("unlike"), &json!("wrong")));
        assert_eq!(rated["rated_at"].as_i64(), Some(app.clock.now().seconds()));
        assert_eq!(guest.get(&answer).await.expect(200).json(), rated);
        let rated = patch(&guest, &answer, &json!({"rating": "like"})).await.expect(200).json();
        assert_eq!((&rated["rating"], rated.get("rating_comment")), (&json!("like"), None));
        let unrated = patch(&guest, &answer, &json!({"rating": null})).await.expect(200).json();
        assert_eq!((unrated.get("rating"), unrated.get("rated_at")), (None, None));

        for (body, code, param) in [
            (json!({}), "missing_parameter", "rating"),
            (json!({"rating": "love"}), "invalid_parameter", "rating"),
            (json!({"rating": "like", "rating_comment": "x".repeat(2_001)}), "invalid_parameter", "rating_comment"),
        ] {
            let error = patch(&guest, &answer, &body).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())));
        }
        let like = json!({"rating": "like"});
        let question = format!("{path}/items/{}", ids[0]);
        assert_eq!(patch(&guest, &question, &like).await.error().1, "invalid_item_role");
        assert_eq!(patch(&other, &answer, &like).await.error().1, "conversation_not_found");
    }
}
