use super::*;

const BACKUP: &str = "MAIN_20270115080000";

testkit::on_both_databases! {
    async fn a_question_begins_a_new_course(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b", "c", "d"]).await;
        let edit = format!("{path}/items/{}/edit", ids[2]);
        assert_eq!(put(&other, &edit, &json!({"content": "C"})).await.error().1, "conversation_not_found");
        let done = put(&guest, &edit, &json!({"content": "C"})).await.expect(200).json();
        assert_eq!((&done["branch"], &done["old_main_backup"]), (&json!("MAIN"), &json!(BACKUP)));
        assert_eq!((&done["branch_created"], &done["item"]), (&json!(true), &done["user_item"]));
        let item = &done["item"];
        assert_ne!(item["id"], json!(ids[2]));
        assert_eq!((&item["role"], &item["branch"]), (&json!("user"), &json!("MAIN")));
        assert_eq!(item["content"], json!([{"type": "input_text", "text": "C"}]));
        let branch = &done["new_branch"];
        assert_eq!((&branch["name"], &branch["parent_branch"]), (&json!("MAIN"), &json!(BACKUP)));
        assert_eq!((&branch["forked_from_item_id"], &branch["item_count"]), (&json!(ids[2]), &json!(3)));
        assert_eq!(branch["is_active"], true);
        assert_eq!(texts(&guest, &path, "MAIN").await, ["a", "b", "C"]);
        assert_eq!(texts(&guest, &path, BACKUP).await, ["a", "b", "c", "d"]);
        // The first item, by the other verb, with parts.
        let parts = json!({"content": [{"type": "input_text", "text": "A"}]});
        guest.post(&format!("{path}/items/{}/edit", ids[0]), &parts).await.expect(200);
        assert_eq!(texts(&guest, &path, "MAIN").await, ["A"]);
        assert_eq!(guest.get(&path).await.expect(200).json()["item_count"], 1);
        assert_eq!(guest.get(&format!("{path}/branches")).await.expect(200).json()["total"], 3);
    }

    async fn an_answer_changes_where_it_stands(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "beta", "c"]).await;
        let done = put(&guest, &format!("{path}/items/{}/edit", ids[1]), &json!({"content": "gamma"})).await.expect(200).json();
        assert_eq!((&done["item"]["id"], done.get("user_item")), (&json!(ids[1]), None));
        assert_eq!(done["item"]["edited_at"].as_i64(), Some(app.clock.now().seconds()));
        assert_eq!((&done["old_main_backup"], &done["new_branch"]["name"]), (&json!(BACKUP), &json!(BACKUP)));
        assert_eq!(texts(&guest, &path, "MAIN").await, ["a", "gamma", "c"]);
        assert_eq!(texts(&guest, &path, BACKUP).await, ["a", "beta", "c"]);
        for word in ["beta", "gamma"] {
            let found = guest.get(&format!("{PATH}?q={word}")).await.expect(200).json();
            assert_eq!(found["data"].as_array().unwrap().len(), 1, "{word}");
        }
    }

    async fn what_cannot_be_edited_stays(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a"]).await;
        let system = json!({"role": "system", "content": "x"});
        let call = json!({"type": "mcp_call", "call_id": "c"});
        for item in [system, call] {
            let item = guest.post(&format!("{path}/items"), &item).await.expect(201).json();
            let edit = format!("{path}/items/{}/edit", item["id"].as_str().unwrap());
            assert_eq!(put(&guest, &edit, &json!({"content": "x"})).await.error().1, "invalid_item_role");
        }
        let edit = format!("{path}/items/{}/edit", ids[0]);
        for (body, code, param) in [
            (json!({}), "missing_parameter", "content"),
            (json!({"content": 7}), "invalid_parameter", "content"),
            (json!({"content": "x".repeat(100_001)}), "invalid_parameter", "content"),
            (json!({"content": [{"type": "input_text", "text": 7}]}), "invalid_parameter", "content[0].text"),
        ] {
            let error = put(&guest, &edit, &body).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())));
        }
        assert_eq!(put(&guest, &format!("{path}/items/x/edit"), &json!({"content": "x"})).await.error().1, "item_not_found");
        assert_eq!(guest.get(&format!("{path}/branches")).await.expect(200).json()["total"], 1);
    }

    async fn two_edits_at_once_are_both_kept(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b"]).await;
        let edit = format!("{path}/items/{}/edit", ids[0]);
        let (one, two) = (json!({"content": "one"}), json!({"content": "two"}));
        let (one, two) = tokio::join!(put(&guest, &edit, &one), put(&guest, &edit, &two));
        one.expect(200);
        two.expect(200);
        let branches = guest.get(&format!("{path}/branches")).await.expect(200).json();
        let mut all = Vec::new();
        for branch in branches["data"].as_array().unwrap() {
            all.push(texts(&guest, &path, branch["name"].as_str().unwrap()).await.join(" "));
        }
        all.sort();
        assert_eq!(all, ["a b", "one", "two"]);
        let active = branches["data"].as_array().unwrap().iter().filter(|branch| branch["is_active"] == true);
        assert_eq!(active.count(), 1);
    }
}
