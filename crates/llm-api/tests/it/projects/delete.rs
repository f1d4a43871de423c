use domain::ids::UserId;

use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn a_deleted_project_is_gone_and_lets_its_conversations_go(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let project = make(&app, &guest, "Thesis").await;
        let conversation = converse(&app, &login["user_id"], &project).await;
        let deleted = guest.delete(&path(&project)).await.expect(200).json();
        assert_eq!(deleted, json!({"id": project["id"], "object": "project.deleted", "deleted": true}));
        for _ in 0..2 {
            assert_eq!(guest.get(&path(&project)).await.error().1, "project_not_found");
            assert_eq!(guest.delete(&path(&project)).await.error().1, "project_not_found");
            assert_eq!(patch(&guest, &project, json!({"name": "x"})).await.error().1, "project_not_found");
        }
        assert_eq!(guest.get(PATH).await.expect(200).json()["total"], 0);
        let owner = UserId::parse(login["user_id"].as_str().unwrap()).unwrap();
        let left = app.store.read().await.unwrap().conversation(&owner, &conversation).await.unwrap().unwrap();
        assert_eq!(left.project_id, None);
    }

    async fn its_conversations_go_with_it_when_asked_for(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let (project, other) = (make(&app, &guest, "a").await, make(&app, &guest, "b").await);
        let inside = converse(&app, &login["user_id"], &project).await;
        let outside = converse(&app, &login["user_id"], &other).await;
        let error = guest.delete(&format!("{}?delete_conversations=perhaps", path(&project))).await.error();
        assert_eq!(error, (400, "invalid_parameter".to_owned(), Some("delete_conversations".to_owned())));
        guest.delete(&format!("{}?delete_conversations=true", path(&project))).await.expect(200);
        let owner = UserId::parse(login["user_id"].as_str().unwrap()).unwrap();
        let mut reader = app.store.read().await.unwrap();
        assert_eq!(reader.conversation(&owner, &inside).await.unwrap(), None);
        assert!(reader.conversation(&owner, &outside).await.unwrap().unwrap().project_id.is_some());
    }

    async fn nobody_deletes_what_is_anothers(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let project = make(&app, &guest, "Thesis").await;
        assert_eq!(other.delete(&path(&project)).await.error(), (404, "project_not_found".to_owned(), None));
        guest.get(&path(&project)).await.expect(200);
    }
}
