use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn a_change_leaves_the_rest_and_stays(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let profile = json!({"profile_settings": {"nickname": "Ada", "occupation": "baker"}});
        let _first = patch(&guest, PATH, profile).await.expect(200);
        app.clock.advance(Duration::from_secs(5));
        let change = json!({"profile_settings": {"base_style": "Concise"}, "memory_config": {"max_user_items": 20}});
        let changed = patch(&guest, PATH, change).await.expect(200).json();
        assert_eq!(changed["profile_settings"]["nick_name"], "Ada");
        assert_eq!(changed["profile_settings"]["base_style"], "Concise");
        assert_eq!(changed["memory_config"]["max_user_items"], 20);
        assert_eq!(changed["memory_config"]["max_project_items"], 5);
        assert_eq!((&changed["created_at"], &changed["updated_at"]), (&json!(NOW.seconds()), &json!(NOW.seconds() + 5)));
        assert_eq!(settings(&guest).await, changed);
        assert_eq!(settings(&other).await["profile_settings"]["nick_name"], "", "nobody else's are changed");

        let back = patch(&guest, PATH, json!({"profile_settings": {"nick_name": null}, "memory_config": null})).await;
        let back = back.expect(200).json();
        assert_eq!(
            (&back["profile_settings"]["nick_name"], &back["profile_settings"]["occupation"]),
            (&json!(""), &json!("baker"))
        );
        assert_eq!(back["memory_config"]["max_user_items"], 3);
    }

    async fn what_was_read_can_be_sent_back(database: Database) {
        let app = App::on(database).await;
        let (guest, _) = app.login().await;
        let mut whole = settings(&guest).await;
        whole["enable_trace"] = json!(true);
        whole["user_id"] = json!(app.login().await.1["user_id"]);
        whole["roles"] = json!(["admin"]);
        let after = patch(&guest, PATH, whole.clone()).await.expect(200).json();
        let before = settings(&guest).await;
        assert_eq!(after, before);
        assert_ne!(after["user_id"], whole["user_id"]);
        assert!(after["enable_trace"] == true && after.get("roles").is_none());
    }

    async fn a_wrong_value_names_its_field_and_changes_nothing(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let before = settings(&guest).await;
        for (change, code, param) in [
            (json!({"profile_settings": {"base_style": "Creative"}}), "invalid_base_style", "profile_settings.base_style"),
            (json!({"memory_config": {"max_user_items": 21}}), "invalid_parameter", "memory_config.max_user_items"),
            (json!({"memory_config": {"min_similarity": "high"}}), "invalid_parameter", "memory_config.min_similarity"),
            (
                json!({"profile_settings": {"nick_name": "n".repeat(256)}}),
                "invalid_parameter",
                "profile_settings.nick_name",
            ),
            (json!({"enable_trace": true, "enable_tools": 1}), "invalid_parameter", "enable_tools"),
            (json!({"advanced_settings": "all"}), "invalid_parameter", "advanced_settings"),
            (json!({"preferences": {"enable_search": "no"}}), "invalid_parameter", "preferences.enable_search"),
        ] {
            let answer = patch(&guest, PATH, change.clone()).await;
            assert_eq!(answer.error(), (400, code.to_owned(), Some(param.to_owned())), "{change}");
        }
        assert_eq!(patch(&guest, PATH, json!(["enable_trace"])).await.error().1, "invalid_request");
        assert_eq!(guest.call(Method::PATCH, PATH, Some("{".into())).await.error().1, "invalid_json");
        assert_eq!(settings(&guest).await, before);
    }

    async fn two_tabs_at_once_both_get_their_way(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let (one, two) = (json!({"preferences": {"one": 1}}), json!({"preferences": {"two": 2}}));
        let (one, two) = tokio::join!(patch(&guest, PATH, one), patch(&guest, PATH, two));
        let _both = (one.expect(200), two.expect(200));
        let preferences = settings(&guest).await["preferences"].clone();
        assert_eq!((&preferences["one"], &preferences["two"]), (&json!(1), &json!(2)));
    }
}
