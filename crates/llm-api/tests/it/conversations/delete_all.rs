use super::*;

testkit::on_both_databases! {
    async fn all_of_mine_and_nobody_elses(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        make(&app, &guest, &json!({})).await;
        make(&app, &guest, &json!({})).await;
        let theirs = make(&app, &other, &json!({})).await;
        let done = guest.delete(PATH).await.expect(200).json();
        assert_eq!(done, json!({"object": "conversations.deleted", "deleted": true, "deleted_count": 2}));
        assert_eq!(guest.delete(PATH).await.expect(200).json()["deleted_count"], 0);
        assert_eq!(guest.get(PATH).await.expect(200).json()["data"], json!([]));
        other.get(&theirs).await.expect(200);
    }
}
