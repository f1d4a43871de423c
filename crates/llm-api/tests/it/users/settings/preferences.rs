use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn preferences_have_a_place_of_their_own(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let _first = patch(&guest, PREFERENCES, json!({"preferences": {"theme": "dark", "hide_artifacts": true}})).await;
        let shown = patch(&guest, PREFERENCES, json!({"enable_search": false, "hide_artifacts": null})).await;
        let shown = shown.expect(200).json()["preferences"].clone();
        assert_eq!((&shown["theme"], &shown["enable_search"]), (&json!("dark"), &json!(false)));
        assert!(shown.get("hide_artifacts").is_none());
        assert_eq!(guest.get(PREFERENCES).await.expect(200).json()["preferences"], shown);
        assert_eq!(settings(&guest).await["preferences"], shown);
        let error = patch(&guest, PREFERENCES, json!({"enable_search": 1})).await.error();
        assert_eq!(error, (400, "invalid_parameter".to_owned(), Some("preferences.enable_search".to_owned())));
    }
}
