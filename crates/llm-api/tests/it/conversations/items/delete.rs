use super::*;

testkit::on_both_databases! {
    async fn one_item_goes_and_the_rest_stays(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({"title": "t"})).await;
        let ids = talk(&guest, &path, &["a", "b", "c"]).await;
        let item = format!("{path}/items/{}", ids[1]);
        assert_eq!(other.delete(&item).await.error().1, "conversation_not_found");
        let left = guest.delete(&item).await.expect(200).json();
        assert_eq!((&left["object"], &left["title"]), (&json!("conversation"), &json!("t")));
        assert_eq!((&left["deleted_item_id"], &left["item_count"]), (&json!(ids[1]), &json!(2)));
        assert_eq!((left.get("branch"), left.get("old_main_backup")), (None, None));
        assert_eq!(texts(&guest, &path, "MAIN").await, ["a", "c"]);
        assert_eq!(guest.delete(&item).await.error(), (404, "item_not_found".to_owned(), None));
        assert_eq!(guest.get(&item).await.error().1, "item_not_found");
        let error = guest.delete(&format!("{path}/items/{}?cascade=before", ids[0])).await.error();
        assert_eq!(error, (400, "invalid_parameter".to_owned(), Some("cascade".to_owned())));
        assert_eq!(guest.delete(&format!("{path}/items/x")).await.error().1, "item_not_found");
    }

    async fn a_call_takes_its_output_along(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let items = json!({"items": [
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "1"},
            {"type": "function_call", "call_id": "d", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "d", "output": "1"},
        ]});
        let added = guest.post(&format!("{path}/items"), &items).await.expect(200).json();
        let id = |at: usize| added["data"][at]["id"].as_str().unwrap().to_owned();
        let left = guest.delete(&format!("{path}/items/{}", id(0))).await.expect(200).json();
        assert_eq!(left["item_count"], 2);
        assert_eq!(guest.get(&format!("{path}/items/{}", id(1))).await.error().1, "item_not_found");
        let left = guest.delete(&format!("{path}/items/{}", id(3))).await.expect(200).json();
        assert_eq!(left["item_count"], 1, "an output goes alone");
        guest.get(&format!("{path}/items/{}", id(2))).await.expect(200);
    }

    async fn other_branches_keep_it(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b"]).await;
        guest.post(&format!("{path}/branches"), &json!({"name": "other"})).await.expect(201);
        let item = format!("{path}/items/{}", ids[0]);
        guest.delete(&item).await.expect(200);
        assert_eq!(texts(&guest, &path, "MAIN").await, ["b"]);
        assert_eq!(texts(&guest, &path, "other").await, ["a", "b"]);
        assert_eq!(guest.get(&item).await.expect(200).json()["branch"], "other");
        guest.delete(&item).await.expect(200);
        assert_eq!(texts(&guest, &path, "other").await, ["b"]);
        assert_eq!(guest.get(&item).await.error().1, "item_not_found");
    }

    async fn what_follows_can_go_too_and_is_kept_by_another_name(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b", "c"]).await;
        let left = guest.delete(&format!("{path}/items/{}?cascade=after", ids[1])).await.expect(200).json();
        let backup = "MAIN_20270115080000";
        assert_eq!((&left["branch"], &left["old_main_backup"]), (&json!("MAIN"), &json!(backup)));
        assert_eq!((&left["branch_created"], &left["item_count"]), (&json!(true), &json!(1)));
        assert_eq!(texts(&guest, &path, "MAIN").await, ["a"]);
        assert_eq!(texts(&guest, &path, backup).await, ["a", "b", "c"]);
        // Twice in a second.
        let left = guest.delete(&format!("{path}/items/{}?cascade=after", ids[0])).await.expect(200).json();
        assert_eq!(left["old_main_backup"], json!(format!("{backup}_2")));
        assert_eq!(texts(&guest, &path, "MAIN").await, [""; 0]);
    }
}
