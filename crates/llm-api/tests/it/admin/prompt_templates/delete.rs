use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn what_somebody_made_can_go(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let made = pirate(&root).await;
        assert_eq!(app.guest().await.delete(&path(&made)).await.error(), forbidden());
        let gone = root.delete(&path(&made)).await.expect(200).json();
        assert_eq!(gone, json!({"id": made["id"], "object": "prompt_template.deleted", "deleted": true}));
        assert_eq!(root.delete(&path(&made)).await.error().1, "prompt_template_not_found");
        assert_eq!(noted(&root).await.pop().unwrap().0, "prompt_template.deleted");
        pirate(&root).await;
    }

    async fn what_the_server_brings_along_stays(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        assert_eq!(root.delete(TIMING).await.error(), (409, "prompt_template_protected".to_owned(), None));
        let _changed = patch(&root, TIMING, json!({"content": "x"})).await.expect(200);
        assert_eq!(root.delete(TIMING).await.error().0, 409);
    }
}
