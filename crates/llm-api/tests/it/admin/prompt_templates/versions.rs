use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn every_version_is_there_newest_first(database: Database) {
        let app = App::on(database).await;
        let (root, me) = admin(&app).await;
        let built_in = root.get(TIMING).await.expect(200).json();
        for text in ["one", "two", "three"] {
            let _changed = patch(&root, TIMING, json!({"content": text})).await.expect(200);
        }
        let _back = patch(&root, TIMING, json!({"active_version": 2})).await.expect(200);
        let page = root.get(&format!("{TIMING}/versions?limit=2")).await.expect(200).json();
        assert_eq!(
            page["data"][1],
            json!({
                "id": "2", "object": "prompt_template.version", "version": 2, "content": "two", "active": true,
                "created_by": me.id.as_str(), "created_at": app.clock.now().seconds(),
            })
        );
        let after = page["next_after"].as_str().unwrap();
        let rest = root.get(&format!("{TIMING}/versions?limit=2&after={after}")).await.expect(200).json();
        assert_eq!((&rest["data"][0]["content"], &rest["next_after"]), (&json!("one"), &Value::Null));
        assert_eq!((&rest["data"][1]["version"], &rest["data"][1]["content"]), (&json!(0), &built_in["content"]));
        for (query, param) in [("order=asc", "order"), ("after=x", "after")] {
            let error = root.get(&format!("{TIMING}/versions?{query}")).await.error();
            assert_eq!((error.0, error.2.as_deref()), (400, Some(param)));
        }
        assert_eq!(root.get(&format!("{PATH}/x/versions")).await.error().0, 404);
        assert_eq!(app.guest().await.get(&format!("{TIMING}/versions")).await.error(), forbidden());
        assert!(NOW <= app.clock.now());
    }
}
