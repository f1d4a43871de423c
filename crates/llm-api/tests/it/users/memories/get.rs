use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn a_memory_is_its_owners(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let made = keep(&guest, "Likes tea").await;
        assert_eq!(guest.get(&path(&made)).await.expect(200).json(), made);
        for (client, path) in
            [(&other, path(&made)), (&guest, format!("{PATH}/mem_0123456789")), (&guest, format!("{PATH}/x"))]
        {
            assert_eq!(client.get(&path).await.error(), (404, "memory_not_found".to_owned(), None), "{path}");
        }
        assert_eq!(app.anonymous().get(&path(&made)).await.error().0, 401);
    }
}
