use super::*;

testkit::on_both_databases! {
    async fn a_call_is_found_before_its_output(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        let items = json!({"items": [
            {"type": "function_call", "call_id": "call 1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call 1", "output": "1"},
            {"type": "function_call_output", "call_id": "lone", "output": "1"},
            {"type": "mcp_call", "call_id": "a/b?c", "name": "f", "arguments": "{}"},
        ]});
        guest.post(&format!("{path}/items"), &items).await.expect(200);
        let kind = async |query: &str| guest.get(&format!("{path}/items/by-call-id/{query}")).await.expect(200).json()["type"].clone();
        assert_eq!(kind("call%201").await, "function_call");
        assert_eq!(kind("call%201?type=function_call_output").await, "function_call_output");
        assert_eq!(kind("lone").await, "function_call_output");
        assert_eq!(kind("a%2fb%3Fc").await, "mcp_call");
        let not_found = (404, "item_not_found".to_owned(), None);
        for query in ["other", "lone?type=function_call"] {
            assert_eq!(guest.get(&format!("{path}/items/by-call-id/{query}")).await.error(), not_found, "{query}");
        }
        assert_eq!(other.get(&format!("{path}/items/by-call-id/lone")).await.error().1, "conversation_not_found");
        assert_eq!(guest.get(&format!("{PATH}/x/items/by-call-id/lone")).await.error().1, "invalid_id");
    }
}
