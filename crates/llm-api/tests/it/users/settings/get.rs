use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn who_changed_nothing_has_the_defaults(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let shown = settings(&guest).await;
        assert_eq!(
            shown,
            json!({
                "object": "user.settings", "id": shown["id"], "user_id": login["user_id"],
                "memory_config": {
                    "enabled": true, "observe_enabled": true, "inject_user_core": true, "inject_semantic": true,
                    "inject_episodic": false, "max_user_items": 3, "max_project_items": 5, "max_episodic_items": 3,
                    "min_similarity": 0.75,
                },
                "profile_settings": {
                    "base_style": "Friendly", "custom_instructions": "", "nick_name": "", "occupation": "",
                    "more_about_you": "",
                },
                "advanced_settings": {"web_search": false, "code_enabled": false},
                "enable_trace": false, "enable_tools": true,
                "preferences": {
                    "selected_model": null, "enable_deep_research": false, "enable_thinking": true, "enable_search": true,
                    "enable_browser": false,
                },
                "created_at": NOW.seconds(), "updated_at": NOW.seconds(),
            })
        );
        assert_eq!(settings(&guest).await, shown, "the id too");
    }
}

#[tokio::test]
async fn the_first_model_is_selected_until_another_is() {
    let app = App::serving(&Upstream::start().await).await;
    let guest = app.guest().await;
    let models = guest.get("/v1/models").await.expect(200).json();
    assert_eq!(settings(&guest).await["preferences"]["selected_model"], models["data"][0]["id"]);
    let chosen = patch(&guest, PATH, json!({"preferences": {"selected_model": "other"}})).await.expect(200).json();
    assert_eq!(chosen["preferences"]["selected_model"], "other");
}

on_both_databases! {
    async fn nobody_has_no_settings(database: Database) {
        let app = App::on(database).await;
        for path in [PATH, PREFERENCES] {
            assert_eq!(app.anonymous().get(path).await.error().0, 401);
            assert_eq!(patch(&app.anonymous(), path, json!({})).await.error().0, 401);
        }
    }
}
