use serde_json::{Value, json};
use testkit::{
    client::Client,
    upstream::{Answer, Upstream},
};

use crate::{
    conversations::{make, put, talk, texts},
    support::App,
};

const BACKUP: &str = "MAIN_20270115080000";

async fn regenerate(caller: &Client, path: &str, item: &str, body: &Value) -> testkit::client::Answer {
    caller.post(&format!("{path}/items/{item}/regenerate"), body).await
}

testkit::on_both_databases! {
    async fn another_answer_begins_another_course(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b", "c", "d"]).await;
        assert_eq!(regenerate(&other, &path, &ids[1], &json!({})).await.error().1, "conversation_not_found");
        assert_eq!(regenerate(&guest, &path, "msg_0000000000000000", &json!({})).await.error().1, "item_not_found");

        let made = regenerate(&guest, &path, &ids[1], &json!({"model": "upstream-chat", "temperature": 0.5})).await;
        let made = made.expect(200).json();
        assert_eq!((&made["branch"], &made["old_main_backup"]), (&json!("MAIN"), &json!(BACKUP)));
        assert_eq!((&made["branch_created"], &made["user_item_id"]), (&json!(true), &json!(ids[0])));
        assert_eq!(made["item"]["content"][0]["text"], "Hello there");
        assert_eq!((&made["usage"]["total_tokens"], &made["item"]["model"]), (&json!(5), &json!("upstream-chat")));
        assert_eq!(made["new_branch"]["item_count"], 2);
        let sent = upstream.chats()[0].json();
        let asked: Vec<&Value> = sent["messages"].as_array().unwrap().iter().filter(|it| it["role"] != "system").collect();
        assert_eq!((json!(asked), &sent["temperature"]), (json!([{"role": "user", "content": "a"}]), &json!(0.5)));
        assert_eq!(texts(&guest, &path, "MAIN").await, ["a", "Hello there"]);
        assert_eq!(texts(&guest, &path, BACKUP).await, ["a", "b", "c", "d"]);

        // Of a question, the answer behind it; by the model that gave that one.
        upstream.next(Answer::says("Third"));
        let made = regenerate(&guest, &path, &ids[0], &json!({})).await.expect(200).json();
        assert_eq!((&made["user_item_id"], &made["item"]["content"][0]["text"]), (&json!(ids[0]), &json!("Third")));
        assert_eq!(upstream.chats()[1].json()["model"], "upstream-chat");
        assert_eq!(texts(&guest, &path, "MAIN").await, ["a", "Third"]);
    }

    async fn a_streamed_one_says_at_its_end_what_was_made(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b"]).await;
        upstream.next(Answer::streams(&["new ", "words"]));
        let body = json!({"model": "upstream-chat", "stream": true});
        let events = regenerate(&guest, &path, &ids[1], &body).await.expect(200).events();
        let [.., report, done] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(done, "[DONE]");
        let report: Value = serde_json::from_str(report).unwrap();
        assert_eq!((&report["object"], &report["branch"]), (&json!("conversation.item.regenerated"), &json!("MAIN")));
        assert_eq!(report["item"]["content"][0]["text"], "new words");
        assert_eq!(texts(&guest, &path, "MAIN").await, ["a", "new words"]);
    }

    async fn a_model_that_fails_changes_nothing(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b"]).await;
        upstream.next(Answer::error(400, "no"));
        let body = json!({"model": "upstream-chat"});
        assert_eq!(regenerate(&guest, &path, &ids[1], &body).await.status.as_u16(), 400);
        assert_eq!(regenerate(&guest, &path, &ids[1], &json!({"model": "x"})).await.error().1, "model_not_found");
        let edit = json!({"content": "A", "regenerate": true, "model": "x"});
        let edited = put(&guest, &format!("{path}/items/{}/edit", ids[0]), &edit).await;
        assert_eq!(edited.error().1, "model_not_found");
        assert_eq!(texts(&guest, &path, "MAIN").await, ["a", "b"]);
        assert_eq!(guest.get(&format!("{path}/branches")).await.expect(200).json()["total"], 1);
    }

    async fn what_is_deleted_meanwhile_gets_no_new_answer(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b"]).await;
        let body = json!({"model": "upstream-chat", "stream": true});
        for (asked, deleted, code) in
            [(1, format!("{path}/items/{}", ids[1]), "item_not_found"), (2, path.clone(), "conversation_not_found")]
        {
            let ids = talk(&guest, &path, &["c", "d"]).await;
            let target = if asked == 1 { deleted.rsplit('/').next().unwrap() } else { &ids[1] };
            upstream.next(Answer::streams(&["late"]).head_after(std::time::Duration::from_millis(300)));
            let asking = regenerate(&guest, &path, target, &body);
            let deleting = async {
                upstream.asked(asked).await;
                guest.delete(&deleted).await.expect(200)
            };
            let (answer, _) = tokio::join!(asking, deleting);
            let events = answer.expect(200).events();
            assert!(events.last().unwrap().contains(code), "{events:?}");
            if asked == 1 {
                assert_eq!(texts(&guest, &path, "MAIN").await, ["a", "c", "d"], "nothing else changed");
                assert_eq!(guest.get(&format!("{path}/branches")).await.expect(200).json()["total"], 1);
            }
        }
    }

    async fn only_room_is_made_if_the_client_asks_itself(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b"]).await;
        let made = regenerate(&guest, &path, &ids[1], &json!({"generate": false})).await.expect(200).json();
        assert_eq!((&made["old_main_backup"], made.get("item")), (&json!(BACKUP), None));
        assert_eq!((texts(&guest, &path, "MAIN").await, upstream.chats().len()), (vec!["a".to_owned()], 0));
    }

    async fn an_edited_question_can_be_asked_at_once(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let ids = talk(&guest, &path, &["a", "b", "c", "d"]).await;
        let edit = json!({"content": "C", "regenerate": true, "model": "upstream-chat"});
        let made = put(&guest, &format!("{path}/items/{}/edit", ids[2]), &edit).await.expect(200).json();
        assert_eq!(made["user_item"]["content"][0]["text"], "C");
        assert_eq!(made["item"]["content"][0]["text"], "Hello there");
        assert_eq!(texts(&guest, &path, "MAIN").await, ["a", "b", "C", "Hello there"]);
        assert_eq!(texts(&guest, &path, BACKUP).await, ["a", "b", "c", "d"]);
    }

    async fn what_is_no_answer_cannot_be_regenerated(database: Database) {
        let upstream = Upstream::start().await;
        let app = App::serving_on(database, &upstream).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({"items": [{"role": "system", "content": "s"}, {"role": "assistant", "content": "x"}]})).await;
        let items = guest.get(&path).await.expect(200).json()["items"].clone();
        for item in items.as_array().unwrap() {
            let id = item["id"].as_str().unwrap();
            assert_eq!(regenerate(&guest, &path, id, &json!({})).await.error().1, "invalid_item_role");
        }
        for (body, param) in [(json!({"temperature": 9}), "temperature"), (json!({"max_tokens": 0}), "max_tokens"), (json!({"model": 1}), "model")] {
            let ids = talk(&guest, &path, &["a", "b"]).await;
            let error = regenerate(&guest, &path, &ids[1], &body).await.error();
            assert_eq!((error.0, error.2.as_deref()), (400, Some(param)), "{body}");
        }
    }
}
