use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn a_persona_is_made(database: Database) {
        let app = App::on(database).await;
        let (root, me) = admin(&app).await;
        let made = pirate(&root).await;
        let now = app.clock.now().seconds();
        assert_eq!(
            made,
            json!({
                "id": made["id"], "object": "prompt_template", "key": "persona.pirate", "model": null,
                "name": "persona.pirate", "description": "", "category": "persona", "enabled": true, "is_system": false,
                "active_version": 1, "last_version": 1, "content": "a pirate who says arr", "variables": [],
                "created_at": now, "updated_at": now,
            })
        );
        assert_eq!(root.get(&path(&made)).await.expect(200).json(), made);
        assert_eq!(noted(&root).await, [("prompt_template.created".to_owned(), "persona.pirate".to_owned())]);
        let versions = root.get(&format!("{}/versions", path(&made))).await.expect(200).json();
        assert_eq!(versions["data"][0]["created_by"], me.id.as_str());
    }

    async fn a_text_for_one_model_is_made(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let body = json!({"key": "timing", "model": "vendor/model", "name": "Short", "content": "Today: {{ iso_date }}"});
        let made = root.post(PATH, &body).await.expect(201).json();
        assert_eq!((&made["model"], &made["is_system"]), (&json!("vendor/model"), &json!(false)));
        let again = root.post(PATH, &body).await.error();
        assert_eq!(again, (409, "prompt_template_exists".to_owned(), Some("key".to_owned())));
        assert_eq!(noted(&root).await[0].1, "timing for vendor/model");
    }

    async fn what_cannot_be_used_is_named(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let timing = |content: &str| json!({"key": "timing", "model": "m", "content": content});
        for (body, status, code, param) in [
            (json!({"content": "x"}), 400, "missing_parameter", "key"),
            (json!({"key": "persona.x"}), 400, "missing_parameter", "content"),
            (json!({"key": "other", "content": "x"}), 400, "invalid_parameter", "key"),
            (json!({"key": "persona.", "content": "x"}), 400, "invalid_parameter", "key"),
            (json!({"key": "persona.A b", "content": "x"}), 400, "invalid_parameter", "key"),
            (json!({"key": "persona.x", "content": "x", "name": ""}), 400, "invalid_parameter", "name"),
            (json!({"key": "persona.x", "content": "x", "model": " "}), 400, "invalid_parameter", "model"),
            (
                json!({"key": "persona.x", "content": "x", "description": "d".repeat(1_001)}),
                400,
                "invalid_parameter",
                "description",
            ),
            (json!({"key": "persona.x", "content": " "}), 400, "invalid_template", "content"),
            (json!({"key": "persona.x", "content": "x".repeat(32_769)}), 400, "invalid_template", "content"),
            (json!({"key": "persona.x", "content": "{{ date }}"}), 400, "invalid_template", "content"),
            (timing("{{ dat }}"), 400, "invalid_template", "content"),
            (timing("{% if date %}"), 400, "invalid_template", "content"),
            (timing("{% set a = date ~ date %}"), 400, "invalid_template", "content"),
            (timing("{{ date * 1000000000 }}"), 400, "invalid_template", "content"),
            (timing("{% include 'memory' %}"), 400, "invalid_template", "content"),
            (timing("{{ date | replace('a', date) }}"), 400, "invalid_template", "content"),
            (json!({"key": "timing", "content": "x"}), 409, "prompt_template_exists", "key"),
        ] {
            let error = root.post(PATH, &body).await.error();
            assert_eq!(error, (status, code.to_owned(), Some(param.to_owned())), "{body}");
        }
        assert!(noted(&root).await.is_empty());
    }

    async fn it_is_for_administrators(database: Database) {
        let app = App::on(database).await;
        let body = json!({"key": "persona.x", "content": "x"});
        assert_eq!(app.guest().await.post(PATH, &body).await.error(), forbidden());
        assert_eq!(app.anonymous().post(PATH, &body).await.error().0, 401);
    }
}
