use std::time::Duration;

use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn a_new_text_is_a_new_version_and_the_old_ones_can_be_used_again(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let built_in = root.get(TIMING).await.expect(200).json();
        let first = patch(&root, TIMING, json!({"content": "Today: {{ date }}"})).await.expect(200).json();
        assert_eq!((&first["active_version"], &first["last_version"]), (&json!(1), &json!(1)));
        assert_eq!((&first["id"], &first["is_system"]), (&built_in["id"], &json!(true)));
        app.clock.advance(Duration::from_secs(1));
        let second = patch(&root, TIMING, json!({"content": "Now: {{ date }}", "name": "Clock"})).await.expect(200).json();
        assert_eq!((&second["active_version"], &second["name"]), (&json!(2), &json!("Clock")));
        let same = patch(&root, TIMING, json!({"content": "Now: {{ date }}"})).await.expect(200).json();
        assert_eq!(same, second, "the same text is no new version");
        let back = patch(&root, TIMING, json!({"active_version": 1})).await.expect(200).json();
        assert_eq!((&back["content"], &back["last_version"]), (&json!("Today: {{ date }}"), &json!(2)));
        let back = patch(&root, TIMING, json!({"active_version": 0})).await.expect(200).json();
        assert_eq!(back["content"], built_in["content"]);
        let third = patch(&root, TIMING, json!({"content": "Then"})).await.expect(200).json();
        assert_eq!((&third["active_version"], &third["created_at"]), (&json!(3), &json!(app.clock.now().seconds() - 1)));
        let noted: Vec<String> = noted(&root).await.into_iter().map(|(_, detail)| detail).collect();
        assert_eq!(
            noted,
            [
                "timing: active_version 0",
                "timing: active_version 1",
                "timing: name, version 2",
                "timing: version 1",
                "timing: version 3"
            ]
        );
    }
}

#[tokio::test]
async fn what_is_changed_counts_from_the_next_chat_on() {
    let upstream = testkit::upstream::Upstream::start().await;
    let app = App::serving(&upstream).await;
    let (root, _) = admin(&app).await;
    let guest = app.guest().await.header(http::HeaderName::from_static("x-prompt-persona"), "pirate");
    let question = json!({"model": "upstream-chat", "messages": [{"role": "user", "content": "Hi"}]});
    let told = async || {
        guest.post("/v1/chat/completions", &question).await.expect(200);
        upstream.chats().pop().unwrap().json()["messages"][0]["content"].as_str().unwrap().to_owned()
    };
    assert_eq!(told().await, "Act as: pirate");
    let template = pirate(&root).await;
    assert_eq!(told().await, "Act as: a pirate who says arr");
    let _off = patch(&root, &path(&template), json!({"enabled": false})).await.expect(200);
    assert_eq!(told().await, "Act as: pirate");
    let profile = format!("{PATH}/pt_userprofile0000000000000");
    let _changed = patch(&root, &profile, json!({"content": "You are {{ persona }}."})).await.expect(200);
    assert_eq!(told().await, "You are pirate.");
    let own = json!({"key": "user_profile", "model": "upstream-chat", "content": "Be {{ persona }}!"});
    root.post(PATH, &own).await.expect(201);
    assert_eq!(told().await, "Be pirate!");
}

on_both_databases! {
    async fn what_cannot_be_changed_is_named(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let persona = path(&pirate(&root).await);
        for (path, body, code, param) in [
            (TIMING, json!({"content": "{{ nobody }}"}), "invalid_template", "content"),
            (TIMING, json!({"active_version": 7}), "invalid_parameter", "active_version"),
            (TIMING, json!({"active_version": -1}), "invalid_parameter", "active_version"),
            (TIMING, json!({"active_version": 0, "content": "x"}), "invalid_parameter", "active_version"),
            (TIMING, json!({"name": ""}), "invalid_parameter", "name"),
            (TIMING, json!({"enabled": "no"}), "invalid_parameter", "enabled"),
            (&*persona, json!({"active_version": 0}), "invalid_parameter", "active_version"),
        ] {
            let error = patch(&root, path, body.clone()).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{body}");
        }
        assert_eq!(patch(&root, &format!("{PATH}/x"), json!({})).await.error().0, 404);
        assert_eq!(patch(&app.guest().await, TIMING, json!({"enabled": false})).await.error(), forbidden());
        assert_eq!(root.get(TIMING).await.expect(200).json()["updated_at"], Value::Null);
    }

    async fn of_two_new_texts_at_once_neither_is_lost(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let (one, two) =
            tokio::join!(patch(&root, TIMING, json!({"content": "one"})), patch(&root, TIMING, json!({"content": "two"})),);
        let done = [&one, &two].into_iter().filter(|answer| answer.status == 200).count();
        let versions = root.get(&format!("{TIMING}/versions")).await.expect(200).json();
        assert_eq!(versions["data"].as_array().unwrap().len(), done + 1);
        for answer in [one, two] {
            if answer.status != 200 {
                assert_eq!(answer.error().1, "prompt_template_changed");
            }
        }
    }
}
