use super::*;

fn shown(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|item| item["content"][0]["text"].as_str().unwrap()).collect()
}

testkit::on_both_databases! {
    async fn pages_follow_one_another(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = format!("{}/items", make(&app, &guest, &json!({})).await);
        let empty = guest.get(&path).await.expect(200).json();
        assert_eq!((&empty["data"], &empty["first_id"], &empty["has_more"]), (&json!([]), &json!(null), &json!(false)));
        let ids = talk(&guest, path.trim_end_matches("/items"), &["a", "b", "c"]).await;
        let page = guest.get(&format!("{path}?limit=2&include[]=message.output_text.logprobs")).await.expect(200).json();
        assert_eq!(shown(&page), ["c", "b"]);
        assert_eq!((&page["first_id"], &page["last_id"], &page["has_more"]), (&json!(ids[2]), &json!(ids[1]), &json!(true)));
        let next = guest.get(&format!("{path}?limit=2&after={}", ids[1])).await.expect(200).json();
        assert_eq!((shown(&next), &next["has_more"]), (vec!["a"], &json!(false)));
        let up = guest.get(&format!("{path}?order=asc&after={}", ids[0])).await.expect(200).json();
        assert_eq!(shown(&up), ["b", "c"]);
    }

    async fn a_wrong_question_names_its_field(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        let elsewhere = make(&app, &guest, &json!({})).await;
        let foreign = talk(&guest, &elsewhere, &["x"]).await.remove(0);
        for (query, code, param) in [
            ("limit=0".to_owned(), "invalid_parameter", "limit"),
            ("order=up".to_owned(), "invalid_parameter", "order"),
            (format!("after={foreign}"), "invalid_cursor", "after"),
            ("after=msg_0000000000000000".to_owned(), "invalid_cursor", "after"),
            ("after=x".to_owned(), "invalid_cursor", "after"),
        ] {
            let error = guest.get(&format!("{path}/items?{query}")).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{query}");
        }
        assert_eq!(other.get(&format!("{path}/items")).await.error().1, "conversation_not_found");
        assert_eq!(guest.get(&format!("{path}/items?branch=none")).await.error().1, "branch_not_found");
        assert_eq!(guest.get(&format!("{PATH}/x/items")).await.error().1, "invalid_id");
    }
}
