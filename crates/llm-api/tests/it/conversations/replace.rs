use super::*;

testkit::on_both_databases! {
    async fn metadata_takes_the_place_of_what_there_was(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({"title": "t", "metadata": {"a": "1", "b": "2"}})).await;
        let after = guest.post(&path, &json!({"metadata": {"c": "3"}})).await.expect(200).json();
        assert_eq!((&after["metadata"], &after["title"]), (&json!({"c": "3"}), &json!("t")));
        assert_eq!(guest.post(&path, &json!({})).await.expect(200).json(), after);
        let after = guest.post(&path, &json!({"title": "", "referrer": "r", "metadata": null})).await.expect(200).json();
        assert_eq!((after.get("title"), &after["referrer"], &after["metadata"]), (None, &json!("r"), &json!({})));
        let error = guest.post(&path, &json!({"metadata": {"k": null}})).await.error();
        assert_eq!(error, (400, "invalid_parameter".to_owned(), Some("metadata.k".to_owned())));
        assert_eq!(other.post(&path, &json!({"title": "x"})).await.error().1, "conversation_not_found");
    }
}
