use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn a_memory_is_forgotten_by_its_owner(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let made = keep(&guest, "Likes tea").await;
        assert_eq!(other.delete(&path(&made)).await.error(), (404, "memory_not_found".to_owned(), None));
        let gone = guest.delete(&path(&made)).await.expect(200).json();
        assert_eq!(gone, json!({"id": made["id"], "object": "memory.deleted", "deleted": true}));
        assert_eq!(guest.delete(&path(&made)).await.error().0, 404);
        assert_eq!(guest.get(&path(&made)).await.error().0, 404);
        keep(&guest, "Likes tea").await;
    }
}
