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

    async fn long_items_make_a_page_short(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let part = json!({"type": "input_text", "text": "x".repeat(100_000)});
        let long = json!({"role": "user", "content": vec![part; 50]});
        let mut ids = Vec::new();
        for _ in 0..3 {
            let made = guest.post(&format!("{path}/items"), &long).await.expect(201).json();
            ids.push(made["id"].as_str().unwrap().to_owned());
        }
        ids.extend(talk(&guest, &path, &["a", "b"]).await);
        let (mut seen, mut sizes, mut after) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = guest.get(&format!("{path}/items?order=asc{after}")).await.expect(200).json();
            let data = page["data"].as_array().unwrap();
            seen.extend(data.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            sizes.push(data.len());
            if page["has_more"] == false {
                break;
            }
            assert_eq!(page["next_after"], page["last_id"]);
            after = format!("&after={}", page["last_id"].as_str().unwrap());
        }
        assert_eq!((seen, sizes), (ids.clone(), vec![1, 1, 3]));
        let whole = guest.get(&path).await.expect(200).json();
        assert_eq!((whole["items"].as_array().unwrap().len(), &whole["items_has_more"]), (1, &json!(true)));
        // By its id it is there as it is.
        let item = guest.get(&format!("{path}/items/{}", ids[2])).await.expect(200).json();
        assert_eq!(item["content"].as_array().unwrap().len(), 50);
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
