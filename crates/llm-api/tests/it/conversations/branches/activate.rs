use super::*;

testkit::on_both_databases! {
    async fn the_conversation_goes_on_from_the_branch(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b"]).await;
        guest.post(&format!("{path}/branches"), &json!({"name": "other", "fork_from_item_id": ids[0]})).await.expect(201);
        let activate = format!("{path}/branches/other/activate");
        assert_eq!(other.post(&activate, &json!({})).await.error().1, "conversation_not_found");
        for _ in 0..2 {
            let active: Value = guest.post(&activate, &json!({})).await.expect(200).json();
            assert_eq!((&active["name"], &active["is_active"], &active["item_count"]), (&json!("other"), &json!(true), &json!(1)));
        }
        talk(&guest, &path, &["c"]).await;
        let shown = guest.get(&path).await.expect(200).json();
        assert_eq!((&shown["active_branch"], &shown["item_count"]), (&json!("other"), &json!(2)));
        assert_eq!(texts(&guest, &path, "other").await, ["a", "c"]);
        guest.post(&format!("{path}/branches/main/activate"), &json!({})).await.expect(200);
        assert_eq!(guest.get(&path).await.expect(200).json()["item_count"], 2);
        assert_eq!(texts(&guest, &path, "").await, ["a", "b"]);
        let error = guest.post(&format!("{path}/branches/none/activate"), &json!({})).await.error();
        assert_eq!(error, (404, "branch_not_found".to_owned(), None));
        assert_eq!(guest.post(&format!("{PATH}/x/branches/MAIN/activate"), &json!({})).await.error().1, "invalid_id");
    }
}
