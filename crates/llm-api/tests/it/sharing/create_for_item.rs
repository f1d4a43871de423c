use super::*;

fn texts(public: &Value) -> Vec<&str> {
    let items = public["snapshot"]["items"].as_array().unwrap();
    items.iter().map(|item| item["content"][0]["text"].as_str().unwrap()).collect()
}

async fn share_item(world: &World, item: &ItemId, wish: Value) -> testkit::client::Answer {
    let path = format!("/v1/conversations/{}/items/{item}/share", world.conversation);
    world.guest.post(&path, &wish).await
}

on_both_databases! {
    async fn an_answer_is_shared_alone_or_with_its_questions(database: Database) {
        let world = World::new(database).await;
        world.say("user", "First.").await;
        world.say("user", "Second.").await;
        world.add("function_call", None, &json!({"name": "f", "arguments": "SECRET"})).await;
        let answer = world.say("assistant", "Both.").await;
        world.say("user", "Later.").await;

        let alone = share_item(&world, &answer, json!({"expires_in": 5})).await.expect(201).json();
        assert_eq!((&alone["scope"], &alone["item_id"]), (&json!("item"), &json!(answer.as_str())));
        assert_eq!(texts(&world.open(&alone).await.expect(200).json()), ["Both."]);
        for field in ["include_context", "include_context_messages"] {
            let with = share_item(&world, &answer, json!({field: true})).await.expect(201).json();
            assert_eq!(texts(&world.open(&with).await.expect(200).json()), ["First.", "Second.", "Both."], "{field}");
            assert_eq!(with["share_options"]["include_context_messages"], true);
        }
        // The same by the conversation's address.
        for wish in [json!({"scope": "item", "item_id": answer.as_str()}), json!({"item_id": answer.as_str()})] {
            let share = world.share(wish).await;
            assert_eq!(share["scope"], "item");
            assert_eq!(texts(&world.open(&share).await.expect(200).json()), ["Both."]);
        }
    }

    async fn only_whole_answers_are_shared_by_themselves(database: Database) {
        let world = World::new(database).await;
        let body = json!({"content": [{"type": "text", "text": "x"}]});
        let items = [
            world.say("user", "x").await,
            world.say("system", "x").await,
            world.add("function_call", None, &json!({})).await,
            world.add_in("in_progress", "message", Some("assistant"), &body).await,
            world.add_in("incomplete", "message", Some("assistant"), &body).await,
            world.add("message", Some("assistant"), &json!({"content": [{"type": "refusal", "refusal": "x"}]})).await,
        ];
        for item in items {
            assert_eq!(share_item(&world, &item, json!({})).await.error().1, "item_not_shareable");
        }
    }

    async fn what_is_not_there_is_not_shared(database: Database) {
        let world = World::new(database).await;
        let other = World::on(App::new().await).await;
        let elsewhere = other.say("assistant", "x").await;
        let mut missing = vec!["msg_0123456789abcdef".to_owned(), "nonsense".to_owned(), elsewhere.to_string()];
        for item in missing.drain(..) {
            let path = format!("/v1/conversations/{}/items/{item}/share", world.conversation);
            assert_eq!(
                world.guest.post(&path, &json!({})).await.error(),
                (404, "item_not_found".to_owned(), None),
                "{item}"
            );
        }
        let answer = world.say("assistant", "x").await;
        let path = format!("/v1/conversations/{}/items/{answer}/share", world.conversation);
        let stranger = world.app.guest().await;
        assert_eq!(stranger.post(&path, &json!({})).await.error().1, "conversation_not_found");
    }
}
