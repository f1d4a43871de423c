use serde_json::{Value, json};

use super::*;

testkit::on_both_databases! {
    async fn a_conversation_begins_with_what_it_was_given(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let empty = guest.post(PATH, &json!({})).await.expect(200).json();
        assert_eq!(
            empty,
            json!({
                "id": empty["id"], "object": "conversation", "created_at": 1_800_000_000, "updated_at": 1_800_000_000,
                "metadata": {}, "active_branch": "MAIN", "item_count": 0,
            })
        );
        let id = empty["id"].as_str().unwrap();
        assert!(id.strip_prefix("conv_").is_some_and(|body| body.len() == 16), "{id}");
        assert_eq!(guest.call(http::Method::POST, PATH, None).await.expect(200).json()["item_count"], 0);

        let body = json!({
            "title": " Plans\nfor spring ", "metadata": {"topic": "garden"}, "referrer": "web",
            "items": [{"role": "user", "content": "Hello"}, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}],
            "unknown": 1,
        });
        let made = guest.post(PATH, &body).await.expect(200).json();
        assert_eq!(made["title"], "Plans for spring");
        assert_eq!((&made["metadata"], &made["referrer"]), (&json!({"topic": "garden"}), &json!("web")));
        assert_eq!(made["item_count"], 2);
        let shown = guest.get(&format!("{PATH}/{}", made["id"].as_str().unwrap())).await.expect(200).json();
        assert_eq!(shown["items"][0]["content"], json!([{"type": "input_text", "text": "Hello"}]));
        assert_eq!(shown["items"][1]["call_id"], "c");
    }

    async fn it_can_belong_to_a_project(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let project = guest.post("/v1/projects", &json!({"name": "p"})).await.expect(201).json();
        let body = json!({"project_id": project["id"]});
        assert_eq!(guest.post(PATH, &body).await.expect(200).json()["project_id"], project["id"]);
        let not_found = (404, "project_not_found".to_owned(), Some("project_id".to_owned()));
        assert_eq!(other.post(PATH, &body).await.error(), not_found);
        assert_eq!(guest.post(PATH, &json!({"project_id": "x"})).await.error(), not_found);
    }

    async fn each_bound_names_its_field(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let message = json!({"role": "user", "content": "x"});
        let many: serde_json::Map<_, _> = (0..17).map(|n| (format!("k{n}"), json!("v"))).collect();
        for (body, code, param) in [
            (json!({"title": "t".repeat(257)}), "invalid_parameter", "title"),
            (json!({"title": 7}), "invalid_parameter", "title"),
            (json!({"referrer": "r".repeat(65)}), "invalid_parameter", "referrer"),
            (json!({"metadata": many}), "invalid_parameter", "metadata"),
            (json!({"metadata": {"_k": "v"}}), "invalid_parameter", "metadata"),
            (json!({"metadata": {"k": "v".repeat(513)}}), "invalid_parameter", "metadata.k"),
            (json!({"metadata": {"k": 1}}), "invalid_parameter", "metadata.k"),
            (json!({"items": vec![message.clone(); 21]}), "invalid_parameter", "items"),
            (json!({"items": [message, {"role": "boss", "content": "x"}]}), "invalid_parameter", "items[1].role"),
            (json!({"items": [{"role": "user", "content": [{"type": "input_text"}]}]}), "missing_parameter", "items[0].content[0].text"),
        ] {
            let error = guest.post(PATH, &body).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())));
        }
        let twice = json!({"type": "mcp_call", "call_id": "c"});
        let error = guest.post(PATH, &json!({"items": [twice, twice]})).await.error();
        assert_eq!(error, (409, "call_id_exists".to_owned(), Some("items[1].call_id".to_owned())));
        let list: Value = guest.get(PATH).await.expect(200).json();
        assert_eq!(list["data"], json!([]), "nothing was made");
    }
}
