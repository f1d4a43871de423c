use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn a_user_is_shown_to_administrators_and_an_unknown_one_is_404(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let (_, ada) = account(&app, "ada", vec![Role::User]).await;
        let shown = root.get(&format!("/v1/admin/users/{}", ada.id)).await.expect(200).json();
        assert_eq!((&shown["id"], &shown["username"]), (&json!(ada.id), &json!("ada")));
        assert!(!shown.to_string().contains("password"), "{shown}");
        for id in ["user_0000000000000000", "nonsense", ".."] {
            assert_eq!(root.get(&format!("/v1/admin/users/{id}x")).await.error().0, 404, "{id}");
        }
    }
}
