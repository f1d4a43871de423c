use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn a_text_is_tried_and_not_kept(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let path = format!("{TIMING}/preview");
        let shown = root.post(&path, &json!({})).await.expect(200).json();
        assert!(shown["rendered"].as_str().unwrap().starts_with("The current date is Friday, 15 January 2027"));
        let tried = json!({"content": "{{ date }} {{ language }}", "variables": {"language": "fr", "date": [1, {"a": 2}]}});
        let shown = root.post(&path, &tried).await.expect(200).json();
        assert_eq!(shown, json!({"object": "prompt_template.preview", "rendered": "[1, {'a': 2}] fr"}));
        assert_eq!(root.get(TIMING).await.expect(200).json()["updated_at"], Value::Null);
        let persona = format!("{PATH}/{}/preview", pirate(&root).await["id"].as_str().unwrap());
        assert_eq!(root.post(&persona, &json!({})).await.expect(200).json()["rendered"], "a pirate who says arr");
    }

    async fn what_cannot_be_tried_is_named(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let path = format!("{TIMING}/preview");
        let many: Vec<u32> = (0..60_000).collect();
        for (body, code, param) in [
            (json!({"content": "{{ nobody }}"}), "invalid_template", "content"),
            (
                json!({"content": "{% for x in date %}{{ x }}{% endfor %}", "variables": {"date": many}}),
                "invalid_template",
                "content",
            ),
            (json!({"variables": {"nobody": 1}}), "invalid_parameter", "variables.nobody"),
            (json!({"variables": []}), "invalid_parameter", "variables"),
        ] {
            let error = root.post(&path, &body).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{}", body["content"]);
        }
        assert_eq!(root.post(&format!("{PATH}/x/preview"), &json!({})).await.error().0, 404);
        assert_eq!(app.guest().await.post(&path, &json!({})).await.error(), forbidden());
    }
}
