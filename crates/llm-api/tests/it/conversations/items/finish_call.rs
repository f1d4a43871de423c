use super::*;

testkit::on_both_databases! {
    async fn what_became_of_a_call_is_noted(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        let items = json!({"items": [
            {"type": "mcp_call", "call_id": "c", "server_label": "s", "name": "t", "arguments": "{}", "status": "in_progress", "x": 1},
            {"type": "function_call", "call_id": "f", "name": "f", "arguments": "{}"},
        ]});
        guest.post(&format!("{path}/items"), &items).await.expect(200);
        let call = format!("{path}/items/by-call-id/c");
        let body = json!({"status": "completed", "output": "four \u{1f469}", "name": "sum"});
        assert_eq!(patch(&other, &call, &body).await.error().1, "conversation_not_found");
        let done = patch(&guest, &call, &body).await.expect(200).json();
        assert_eq!((&done["status"], &done["output"]), (&json!("completed"), &json!("four \u{1f469}")));
        assert_eq!((&done["name"], &done["arguments"], &done["x"]), (&json!("sum"), &json!("{}"), &json!(1)));
        assert_eq!((&done["call_id"], done["completed_at"].is_i64()), (&json!("c"), true));
        assert_eq!(guest.get(&call).await.expect(200).json(), done);
        let failed = patch(&guest, &call, &json!({"status": "failed", "error": {"code": 1}})).await.expect(200).json();
        assert_eq!((&failed["error"], &failed["status"]), (&json!({"code": 1}), &json!("failed")));

        for (body, code) in [(json!({}), "missing_parameter"), (json!({"status": "calling"}), "invalid_parameter")] {
            let error = patch(&guest, &call, &body).await.error();
            assert_eq!(error, (400, code.to_owned(), Some("status".to_owned())));
        }
        for other in ["f", "none"] {
            let error = patch(&guest, &format!("{path}/items/by-call-id/{other}"), &json!({"status": "failed"})).await.error();
            assert_eq!(error, (404, "item_not_found".to_owned(), None), "{other}");
        }
    }
}
