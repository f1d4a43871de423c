use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn everything_is_forgotten_and_nobody_elses(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let project = guest.post("/v1/projects", &json!({"name": "Thesis"})).await.expect(201).json();
        let body = json!({"content": "Uses LaTeX", "project_id": project["id"]});
        guest.post(PATH, &body).await.expect(201);
        keep(&guest, "Likes tea").await;
        keep(&guest, "Likes coffee").await;
        keep(&other, "Likes tea").await;
        let of_project = guest.delete(&format!("{PATH}?project_id={}", project["id"].as_str().unwrap())).await;
        assert_eq!(
            of_project.expect(200).json(),
            json!({"object": "memory.list.deleted", "deleted": true, "deleted_count": 1})
        );
        let foreign = other.delete(&format!("{PATH}?project_id={}", project["id"].as_str().unwrap())).await.error();
        assert_eq!(foreign, (404, "project_not_found".to_owned(), Some("project_id".to_owned())));
        assert_eq!(guest.delete(PATH).await.expect(200).json()["deleted_count"], 2);
        assert_eq!(guest.delete(PATH).await.expect(200).json()["deleted_count"], 0);
        assert!(texts(&guest).await.is_empty());
        assert_eq!(texts(&other).await, ["Likes tea"]);
    }
}
