use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn something_is_remembered(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let made = guest.post(PATH, &json!({"content": " Likes\ntea. ", "kind": "core"})).await.expect(201).json();
        assert_eq!(
            made,
            json!({
                "id": made["id"], "object": "memory", "content": "Likes tea.", "kind": "core", "project_id": null,
                "source": "user", "created_at": NOW.seconds(), "updated_at": NOW.seconds(),
            })
        );
        assert!(made["id"].as_str().unwrap().starts_with("mem_"));
    }

    async fn what_is_known_is_not_kept_twice(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let first = keep(&guest, "Likes tea").await;
        assert_eq!(guest.post(PATH, &json!({"content": "likes TEA."})).await.expect(200).json(), first);
        assert_eq!(texts(&guest).await, ["Likes tea"]);
        keep(&other, "Likes tea").await;
    }

    async fn a_memory_can_be_of_a_project(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let project = guest.post("/v1/projects", &json!({"name": "Thesis"})).await.expect(201).json();
        let body = json!({"content": "Uses LaTeX", "project_id": project["id"]});
        assert_eq!(guest.post(PATH, &body).await.expect(201).json()["project_id"], project["id"]);
        keep(&guest, "Uses LaTeX").await;
        for (client, id) in [(&other, &project["id"]), (&guest, &json!("proj_nonsense!"))] {
            let error = client.post(PATH, &json!({"content": "x", "project_id": id})).await.error();
            assert_eq!(error, (404, "project_not_found".to_owned(), Some("project_id".to_owned())));
        }
    }

    async fn what_cannot_be_remembered_is_named(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        for (body, code, param) in [
            (json!({}), "missing_parameter", "content"),
            (json!({"content": " \n"}), "invalid_parameter", "content"),
            (json!({"content": 1}), "invalid_parameter", "content"),
            (json!({"content": "x".repeat(1_001)}), "invalid_parameter", "content"),
            (json!({"content": "x", "kind": "Core"}), "invalid_parameter", "kind"),
        ] {
            let error = guest.post(PATH, &body).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{body}");
        }
        assert_eq!(app.anonymous().post(PATH, &json!({"content": "x"})).await.error().0, 401);
        assert!(texts(&guest).await.is_empty());
        guest.post(PATH, &json!({"content": "\u{e9}".repeat(1_000)})).await.expect(201);
    }
}
