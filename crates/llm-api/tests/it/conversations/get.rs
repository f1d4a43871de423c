use super::*;

testkit::on_both_databases! {
    async fn a_conversation_is_shown_with_its_items(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({"title": "t"})).await;
        talk(&guest, &path, &["a", "b", "c"]).await;
        let whole = guest.get(&path).await.expect(200).json();
        assert_eq!((&whole["object"], &whole["item_count"]), (&json!("conversation"), &json!(3)));
        assert_eq!(whole["items_has_more"], false);
        assert_eq!(texts(&guest, &path, "main").await, ["a", "b", "c"]);
        let part = guest.get(&format!("{path}?items_limit=2")).await.expect(200).json();
        assert_eq!((part["items"].as_array().unwrap().len(), &part["items_has_more"]), (2, &json!(true)));
        let bare = guest.get(&format!("{path}?include_items=false")).await.expect(200).json();
        assert_eq!((bare.get("items"), bare.get("items_has_more")), (None, None));
    }

    async fn what_is_not_mine_is_not_there(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        for path in [&*path, &format!("{PATH}/{UNKNOWN}")] {
            for path in [path.to_owned(), format!("{path}?include_items=false")] {
                assert_eq!(other.get(&path).await.error(), (404, "conversation_not_found".to_owned(), None), "{path}");
            }
        }
        for id in ["TEMPORARY_CHAT_ID", "conv_x", "msg_0000000000000000", "conv_%27OR%271"] {
            assert_eq!(guest.get(&format!("{PATH}/{id}")).await.error().1, "invalid_id", "{id}");
        }
        let error = guest.get(&format!("{path}?branch=other")).await.error();
        assert_eq!(error, (404, "branch_not_found".to_owned(), None));
        for bad in ["items_limit=0", "items_limit=x"] {
            let error = guest.get(&format!("{path}?{bad}")).await.error();
            assert_eq!(error, (400, "invalid_parameter".to_owned(), Some("items_limit".to_owned())));
        }
    }
}
