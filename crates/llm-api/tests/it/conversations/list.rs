use super::*;

fn titles(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap()).collect()
}

testkit::on_both_databases! {
    async fn a_nul_is_no_text(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let (status, code, param) = guest.get(&format!("{PATH}?limit=2&q=%00")).await.error();
        assert_eq!((status, code.as_str(), param.as_deref()), (400, "invalid_parameter", Some("q")));
    }

    async fn pages_follow_one_another(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let mut paths = Vec::new();
        for title in ["a", "b", "c"] {
            paths.push(make(&app, &guest, &json!({"title": title})).await);
        }
        make(&app, &app.guest().await, &json!({"title": "not mine"})).await;
        let page = guest.get(&format!("{PATH}?limit=2")).await.expect(200).json();
        assert_eq!(titles(&page), ["c", "b"]);
        assert_eq!(page["data"][0].get("items"), None);
        assert_eq!((&page["has_more"], &page["next_after"]), (&json!(true), &page["last_id"]));
        let after = page["last_id"].as_str().unwrap();
        for query in [format!("after={after}"), format!("cursor={after}"), "offset=2".to_owned()] {
            let next = guest.get(&format!("{PATH}?limit=2&{query}")).await.expect(200).json();
            assert_eq!(titles(&next), ["a"], "{query}");
            assert_eq!((&next["has_more"], &next["next_after"]), (&json!(false), &json!(null)));
        }
        assert_eq!(titles(&guest.get(&format!("{PATH}?order=asc")).await.expect(200).json()), ["a", "b", "c"]);
        app.clock.advance(Duration::from_secs(1));
        talk(&guest, &paths[0], &["Hello"]).await;
        let sorted = guest.get(&format!("{PATH}?sort=updated_at")).await.expect(200).json();
        assert_eq!(titles(&sorted), ["a", "c", "b"]);
        assert_eq!(sorted["data"][0]["item_count"], 1);
    }

    async fn a_list_can_be_narrowed(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let project = guest.post("/v1/projects", &json!({"name": "p"})).await.expect(201).json();
        let id = project["id"].as_str().unwrap();
        let path = make(&app, &guest, &json!({"title": "Apples", "project_id": id})).await;
        make(&app, &guest, &json!({"title": "Pears", "referrer": "web"})).await;
        talk(&guest, &path, &["Which apples keep until spring?"]).await;
        for (query, found) in [
            (format!("project_id={id}"), &["Apples"][..]),
            ("scope=project".to_owned(), &["Apples"]),
            ("scope=none".to_owned(), &["Pears"]),
            ("scope=all".to_owned(), &["Pears", "Apples"]),
            ("referrer=web".to_owned(), &["Pears"]),
            ("q=pear".to_owned(), &["Pears"]),
            ("q=spring%20keep".to_owned(), &["Apples"]),
            (format!("q=spring&project_id={id}"), &["Apples"]),
            ("q=spring&scope=none".to_owned(), &[]),
            ("q=%21".to_owned(), &[]),
        ] {
            assert_eq!(titles(&guest.get(&format!("{PATH}?{query}")).await.expect(200).json()), found, "{query}");
        }
        guest.delete(&path).await.expect(200);
        for query in ["q=spring", "q=apples"] {
            assert!(titles(&guest.get(&format!("{PATH}?{query}")).await.expect(200).json()).is_empty(), "{query}");
        }
    }

    async fn a_wrong_question_names_its_field(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &other, &json!({})).await;
        let foreign = format!("after={}", path.trim_start_matches("/v1/conversations/"));
        let long = format!("q={}", "x".repeat(257));
        for (query, code, param) in [
            ("limit=0", "invalid_parameter", "limit"),
            ("order=up", "invalid_parameter", "order"),
            ("sort=title", "invalid_parameter", "sort"),
            ("scope=mine", "invalid_parameter", "scope"),
            ("offset=-1", "invalid_parameter", "offset"),
            ("offset=10001", "invalid_parameter", "offset"),
            (&*long, "invalid_parameter", "q"),
            (&*foreign, "invalid_cursor", "after"),
            ("after=msg_0000000000000000", "invalid_cursor", "after"),
            ("after=%00", "invalid_cursor", "after"),
        ] {
            let error = guest.get(&format!("{PATH}?{query}")).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{query}");
        }
        let project = other.post("/v1/projects", &json!({"name": "p"})).await.expect(201).json();
        for id in ["proj_0000000000000000", "x", project["id"].as_str().unwrap()] {
            let error = guest.get(&format!("{PATH}?project_id={id}")).await.error();
            assert_eq!(error, (404, "project_not_found".to_owned(), Some("project_id".to_owned())));
        }
        assert_eq!(app.anonymous().get(PATH).await.error().0, 401);
    }
}
