use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn ones_own_project_is_shown_with_its_conversations_counted(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let project = make(&app, &guest, "Thesis").await;
        assert_eq!(guest.get(&path(&project)).await.expect(200).json(), project);
        for _ in 0..2 {
            converse(&app, &login["user_id"], &project).await;
        }
        assert_eq!(guest.get(&path(&project)).await.expect(200).json()["conversation_count"], 2);
    }

    async fn what_is_not_ones_own_is_not_there(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let project = make(&app, &guest, "Thesis").await;
        for missing in [path(&project), format!("{PATH}/proj_0123456789abcdef"), format!("{PATH}/nonsense")] {
            assert_eq!(other.get(&missing).await.error().1, "project_not_found", "{missing}");
            assert_eq!(other.get(&missing).await.error().0, 404);
        }
        assert_eq!(app.anonymous().get(&path(&project)).await.error().0, 401);
    }
}
