use super::*;

testkit::on_both_databases! {
    async fn an_item_is_found_in_its_conversation_on_any_branch(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        let elsewhere = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b"]).await;
        let item = format!("{path}/items/{}", ids[1]);
        assert_eq!(guest.get(&item).await.expect(200).json()["branch"], "MAIN");
        guest.delete(&format!("{item}?cascade=after")).await.expect(200);
        assert_eq!(guest.get(&item).await.expect(200).json()["branch"], "MAIN_20270115080000");
        let not_found = (404, "item_not_found".to_owned(), None);
        assert_eq!(other.get(&item).await.error().1, "conversation_not_found");
        let unknown = format!("{PATH}/{UNKNOWN}/items/{}", ids[0]);
        assert_eq!(guest.get(&unknown).await.error().1, "conversation_not_found");
        for path in [format!("{elsewhere}/items/{}", ids[0]), format!("{path}/items/x")] {
            assert_eq!(guest.get(&path).await.error(), not_found, "{path}");
        }
        assert_eq!(guest.get(&format!("{PATH}/x/items/{}", ids[0])).await.error().1, "invalid_id");
    }
}
