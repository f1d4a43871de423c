use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn what_the_server_brings_along_is_shown(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let timing = root.get(TIMING).await.expect(200).json();
        assert_eq!(
            (&timing["key"], &timing["is_system"], &timing["active_version"]),
            (&json!("timing"), &json!(true), &json!(0))
        );
        assert!(timing["content"].as_str().unwrap().contains("{{ weekday }}"));
        assert_eq!(timing["variables"][0]["name"], "weekday");
        assert_eq!((&timing["created_at"], &timing["updated_at"]), (&Value::Null, &Value::Null));
        for id in ["pt_nobody0000000000000000000", "x"] {
            let error = root.get(&format!("{PATH}/{id}")).await.error();
            assert_eq!(error, (404, "prompt_template_not_found".to_owned(), None));
        }
        assert_eq!(app.guest().await.get(TIMING).await.error(), forbidden());
    }
}
