use super::*;

/// An item of every type, with fields of each, as clients have them.
fn one_of_each() -> Vec<Value> {
    const LIST: &str = r#"[
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "a"},
            {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"},
            {"type": "input_file", "file_id": "file_1"},
            {"type": "text", "text": {"text": "b", "annotations": []}},
            {"type": "image", "url": "https://example.org/a.png"},
            {"type": "file", "file_id": "f", "name": "n", "mime_type": "text/plain", "size": 5},
            {"type": "audio", "id": "a", "transcript": "t", "data": "AA==", "format": "wav"},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            {"type": "computer_screenshot", "image_url": null, "file_id": "f", "detail": "auto"},
            {"type": "computer_action", "action": {"type": "click", "x": 1, "y": 2}}
        ]},
        {"type": "message", "role": "assistant", "status": "incomplete", "phase": "commentary", "content": [
            {"type": "output_text", "text": "a", "annotations": [{"type": "file_path", "file_id": "f", "index": 0}], "logprobs": []},
            {"type": "refusal", "refusal": "no"},
            {"type": "reasoning_text", "text": "hm"},
            {"type": "summary_text", "text": "hm"},
            {"type": "thinking", "thinking": "hm"},
            {"type": "code", "language": "python", "code": "1", "execution_id": "e", "output": "1", "error": null, "exit_code": 0},
            {"type": "function_call", "function_call": {"name": "f"}},
            {"type": "function_call_output", "function_call_output": {"output": "x"}},
            {"type": "tool_calls", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"type": "tool_call_id", "tool_call_id": "c"},
            {"type": "mcp_call", "mcp_call": {}},
            {"type": "tool_result", "tool_result": {"any": ["thing"]}, "finish_reason": "stop"}
        ]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}", "status": "completed"},
        {"type": "function_call_output", "call_id": "c1", "output": "1", "status": "completed"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "x", "status": "completed"},
        {"type": "file_search_call", "queries": ["q"], "results": null, "status": "searching"},
        {"type": "web_search_call", "action": {"type": "search", "query": "q"}, "status": "completed"},
        {"type": "image_generation_call", "result": "AA==", "status": "generating"},
        {"type": "computer_call", "call_id": "c2", "action": {"type": "wait"}, "pending_safety_checks": [], "status": "completed"},
        {"type": "computer_call_output", "call_id": "c2", "output": {"type": "computer_screenshot", "file_id": "f"}, "acknowledged_safety_checks": [], "status": "completed"},
        {"type": "code_interpreter_call", "code": "1", "container_id": "c", "outputs": [], "status": "completed"},
        {"type": "local_shell_call", "call_id": "c3", "action": {"type": "exec", "command": ["ls"], "env": {}}, "status": "completed"},
        {"type": "local_shell_call_output", "call_id": "c3", "output": "x", "status": "completed"},
        {"type": "shell_call", "call_id": "c4", "action": {"commands": ["ls"], "max_output_length": 9}, "commands": ["ls"], "status": "completed"},
        {"type": "shell_call_output", "call_id": "c4", "output": [{"stdout": "", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}], "max_output_length": 9, "shell_outputs": [], "status": "completed"},
        {"type": "apply_patch_call", "call_id": "c5", "operation": {"type": "delete_file", "path": "p"}, "status": "completed"},
        {"type": "apply_patch_call_output", "call_id": "c5", "output": "x", "status": "failed"},
        {"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "t", "input_schema": {}}], "error": "e"},
        {"type": "mcp_approval_request", "server_label": "s", "name": "t", "arguments": "{}"},
        {"type": "mcp_approval_response", "approval_request_id": "r", "approve": true, "reason": "why not"},
        {"type": "mcp_call", "call_id": "c6", "server_label": "s", "name": "t", "arguments": "{}", "output": null, "error": {"type": "http_error", "code": 1, "message": "m"}, "status": "calling"},
        {"type": "custom_tool_call", "call_id": "c7", "name": "t", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "c7", "output": [{"type": "input_text", "text": "x"}]},
        {"type": "tool_search_call", "call_id": "c8", "arguments": {"a": 1}, "execution": "server", "status": "completed"},
        {"type": "tool_search_output", "call_id": "c8", "tools": [], "execution": "server", "status": "completed"},
        {"type": "additional_tools", "role": "developer", "tools": []},
        {"type": "configuration_update", "reasoning": {"effort": "low"}},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "program", "call_id": "c9", "code": "1", "fingerprint": "f"},
        {"type": "program_output", "call_id": "c9", "result": "1", "status": "completed"}
    ]"#;
    serde_json::from_str(LIST).unwrap()
}

/// Whether everything that was given is there as it was given.
fn assert_kept(given: &Value, kept: &Value) {
    for (name, value) in given.as_object().unwrap() {
        assert_eq!(kept.get(name), Some(value), "{name} of {given}");
    }
}

testkit::on_both_databases! {
    async fn items_of_every_type_come_back_as_they_were_given(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let given = one_of_each();
        for some in given.chunks(20) {
            let added = guest.post(&format!("{path}/items"), &json!({"items": some})).await.expect(200).json();
            assert_eq!((&added["object"], &added["has_more"]), (&json!("list"), &json!(false)));
            assert_eq!(added["first_id"], added["data"][0]["id"]);
            for (given, added) in some.iter().zip(added["data"].as_array().unwrap()) {
                assert_kept(given, added);
                let id = added["id"].as_str().unwrap();
                assert!(id.strip_prefix("msg_").is_some_and(|body| body.len() == 16), "{id}");
                assert_eq!(guest.get(&format!("{path}/items/{id}")).await.expect(200).json(), *added);
            }
        }
        let shown = guest.get(&path).await.expect(200).json();
        let kept = shown["items"].as_array().unwrap();
        assert_eq!(kept.len(), given.len());
        for (given, kept) in given.iter().zip(kept) {
            assert_kept(given, kept);
        }
    }

    async fn one_item_can_be_the_body(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = format!("{}/items", make(&app, &guest, &json!({})).await);
        let item = guest.post(&path, &json!({"role": "user", "content": "Hello", "call_id": "x"})).await.expect(201).json();
        assert_eq!(
            item,
            json!({
                "id": item["id"], "object": "conversation.item", "type": "message", "status": "completed", "role": "user",
                "call_id": "x", "content": [{"type": "input_text", "text": "Hello"}], "branch": "MAIN",
                "sequence_number": 1, "created_at": 1_800_000_000, "completed_at": 1_800_000_000,
            })
        );
        let error = guest.post(&path, &json!({"role": "user", "content": "Hello", "call_id": "x"})).await.error();
        assert_eq!(error, (409, "call_id_exists".to_owned(), Some("call_id".to_owned())));
        let typed = json!({"role": "user", "content": "Hello", "content_type": "text"});
        assert_eq!(guest.post(&path, &typed).await.expect(201).json()["content"][0]["type"], "text");
    }

    async fn each_fault_names_its_field_and_nothing_is_added(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let conversation = make(&app, &guest, &json!({})).await;
        let path = format!("{conversation}/items");
        let fine = json!({"role": "user", "content": "x"});
        for (body, code, param) in [
            (json!({}), "missing_parameter", "items"),
            (json!({"items": []}), "invalid_parameter", "items"),
            (json!({"items": {}}), "invalid_parameter", "items"),
            (json!({"items": vec![fine.clone(); 21]}), "invalid_parameter", "items"),
            (json!({"items": [fine, {"role": "user", "content": [{"type": "input_text", "text": "x".repeat(100_001)}]}]}), "invalid_parameter", "items[1].content[0].text"),
            (json!({"items": [{"type": "nonsense"}]}), "invalid_parameter", "items[0].type"),
            (json!({"role": "user"}), "missing_parameter", "content"),
            (json!({"role": "user", "content": [{"type": "x"}]}), "invalid_parameter", "content[0].type"),
        ] {
            let error = guest.post(&path, &body).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())));
        }
        let text = |length: usize| "\u{e9}".repeat(length);
        let size = |kind: &str, megabytes: u64| json!({"type": kind, "size": megabytes * 1_000_000});
        // Each limit of a part: what is just within it, what is over it, and the field that is named.
        for (within, over, field) in [
            (json!({"type": "input_text", "text": text(100_000)}), json!({"type": "input_text", "text": text(100_001)}), "text"),
            (json!({"type": "refusal", "refusal": text(100_000)}), json!({"type": "refusal", "refusal": text(100_001)}), "refusal"),
            (json!({"type": "code", "code": text(50_000)}), json!({"type": "code", "code": text(50_001)}), "code"),
            (json!({"type": "thinking", "thinking": text(50_000)}), json!({"type": "thinking", "thinking": text(50_001)}), "thinking"),
            (json!({"type": "tool_calls", "tool_calls": vec![json!({}); 16]}), json!({"type": "tool_calls", "tool_calls": vec![json!({}); 17]}), "tool_calls"),
            (
                json!({"type": "output_text", "text": "x", "annotations": vec![json!({}); 100]}),
                json!({"type": "output_text", "text": "x", "annotations": vec![json!({}); 101]}),
                "annotations",
            ),
            (size("audio", 25), size("audio", 26), "size"),
            (size("image", 20), size("image", 21), "size"),
            (size("file", 512), size("file", 513), "size"),
        ] {
            let param = format!("items[0].content[1].{field}");
            let with = |part: Value| json!({"items": [{"role": "assistant", "content": [{"type": "text", "text": "x"}, part]}]});
            let error = guest.post(&path, &with(over)).await.error();
            assert_eq!(error, (400, "invalid_parameter".to_owned(), Some(param.clone())));
            let elsewhere = make(&app, &guest, &json!({})).await;
            let kept = guest.post(&format!("{elsewhere}/items"), &with(within)).await;
            assert_eq!(kept.status.as_u16(), 200, "{param}: {}", kept.text());
        }
        for (item, param) in [
            (json!({"role": "user", "content": text(100_001)}), "content"),
            (json!({"role": "user", "content": vec![json!({"type": "text", "text": "x"}); 101]}), "content"),
            (json!({"role": "user", "content": []}), "content"),
            (json!({"type": "mcp_call", "call_id": "c".repeat(257)}), "call_id"),
            (json!({"role": "boss", "content": "x"}), "role"),
            (json!({"role": "user", "content": "x", "status": "done"}), "status"),
        ] {
            let error = guest.post(&path, &item).await.error();
            assert_eq!(error, (400, "invalid_parameter".to_owned(), Some(param.to_owned())));
        }
        let call = json!({"type": "mcp_call", "call_id": "c"});
        guest.post(&path, &call).await.expect(201);
        let error = guest.post(&path, &json!({"items": [{"role": "user", "content": "x"}, call]})).await.error();
        assert_eq!(error, (409, "call_id_exists".to_owned(), Some("items[1].call_id".to_owned())));
        let message = json!({"role": "user", "content": "x"});
        assert_eq!(other.post(&path, &message).await.error().1, "conversation_not_found");
        assert_eq!(guest.post(&format!("{PATH}/{UNKNOWN}/items"), &message).await.error().1, "conversation_not_found");
        assert_eq!(guest.post(&format!("{PATH}/x/items"), &message).await.error().1, "invalid_id");
        assert_eq!(guest.post(&format!("{path}?branch=none"), &message).await.error().1, "branch_not_found");
        let error = guest.post_bytes(&path, r#"{"role":"user","content":"\u0000"}"#).await.error();
        assert_eq!(error.0, 400);
        assert_eq!(guest.get(&conversation).await.expect(200).json()["item_count"], 1);
    }

    async fn items_go_to_the_branch_that_is_named(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        talk(&guest, &path, &["a", "b"]).await;
        guest.post(&format!("{path}/branches"), &json!({"name": "other"})).await.expect(201);
        let message = json!({"role": "user", "content": "c"});
        let added = guest.post(&format!("{path}/items?branch=other"), &message).await.expect(201).json();
        assert_eq!(added["branch"], "other");
        assert_eq!(texts(&guest, &path, "other").await, ["a", "b", "c"]);
        assert_eq!(texts(&guest, &path, "MAIN").await, ["a", "b"]);
    }
}
