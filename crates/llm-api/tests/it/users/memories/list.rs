use std::time::Duration;

use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn pages_have_what_was_asked_for(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let project = guest.post("/v1/projects", &json!({"name": "Thesis"})).await.expect(201).json();
        let mut ids = Vec::new();
        for (content, kind, project) in
            [("one", "core", &Value::Null), ("two", "fact", &project["id"]), ("three", "episode", &Value::Null)]
        {
            let body = json!({"content": content, "kind": kind, "project_id": project});
            ids.push(guest.post(PATH, &body).await.expect(201).json()["id"].as_str().unwrap().to_owned());
            app.clock.advance(Duration::from_millis(2));
        }
        let page = guest.get(&format!("{PATH}?limit=2")).await.expect(200).json();
        assert_eq!((&page["data"][0]["content"], &page["has_more"]), (&json!("three"), &json!(true)));
        let next = guest.get(&format!("{PATH}?limit=2&after={}", page["next_after"].as_str().unwrap())).await;
        let next = next.expect(200).json();
        assert_eq!((&next["data"][0]["content"], &next["next_after"]), (&json!("one"), &Value::Null));
        let project = project["id"].as_str().unwrap();
        for (query, found) in [
            ("order=asc".to_owned(), vec!["one", "two", "three"]),
            ("kind=core".to_owned(), vec!["one"]),
            (format!("project_id={project}"), vec!["two"]),
            ("project_id=none".to_owned(), vec!["three", "one"]),
        ] {
            let page = guest.get(&format!("{PATH}?{query}")).await.expect(200).json();
            let texts: Vec<&str> =
                page["data"].as_array().unwrap().iter().map(|memory| memory["content"].as_str().unwrap()).collect();
            assert_eq!(texts, found, "{query}");
        }
        assert!(texts(&app.guest().await).await.is_empty());
    }

    async fn what_cannot_be_asked_for_is_named(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let foreign = keep(&other, "Likes tea").await["id"].as_str().unwrap().to_owned();
        let theirs = other.post("/v1/projects", &json!({"name": "Theirs"})).await.expect(201).json();
        let theirs = theirs["id"].as_str().unwrap();
        for (query, status, code, param) in [
            (format!("after={foreign}"), 400, "invalid_cursor", "after"),
            ("after=x".to_owned(), 400, "invalid_cursor", "after"),
            ("kind=all".to_owned(), 400, "invalid_parameter", "kind"),
            ("limit=0".to_owned(), 400, "invalid_parameter", "limit"),
            ("project_id=x".to_owned(), 404, "project_not_found", "project_id"),
            (format!("project_id={theirs}"), 404, "project_not_found", "project_id"),
        ] {
            let error = guest.get(&format!("{PATH}?{query}")).await.error();
            assert_eq!(error, (status, code.to_owned(), Some(param.to_owned())), "{query}");
        }
    }
}
