use super::*;

testkit::on_both_databases! {
    async fn a_branch_goes_with_what_only_it_shows(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        talk(&guest, &path, &["a"]).await;
        guest.post(&format!("{path}/branches"), &json!({"name": "b"})).await.expect(201);
        let message = json!({"role": "user", "content": "only here"});
        let item = guest.post(&format!("{path}/items?branch=b"), &message).await.expect(201).json();
        let branch = format!("{path}/branches/b");
        assert_eq!(other.delete(&branch).await.error().1, "conversation_not_found");
        let deleted = guest.delete(&branch).await.expect(200).json();
        assert_eq!(deleted, json!({"name": "b", "object": "conversation.branch.deleted", "deleted": true}));
        assert_eq!(guest.delete(&branch).await.error(), (404, "branch_not_found".to_owned(), None));
        let item = format!("{path}/items/{}", item["id"].as_str().unwrap());
        assert_eq!(guest.get(&item).await.error().1, "item_not_found");
        assert_eq!(texts(&guest, &path, "MAIN").await, ["a"]);
        assert_eq!(guest.get(&format!("{PATH}?q=only")).await.expect(200).json()["data"], json!([]));
    }

    async fn main_and_the_active_one_are_protected(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let protected = (400, "branch_protected".to_owned(), None);
        assert_eq!(guest.delete(&format!("{path}/branches/MAIN")).await.error(), protected);
        guest.post(&format!("{path}/branches"), &json!({"name": "b"})).await.expect(201);
        guest.post(&format!("{path}/branches/b/activate"), &json!({})).await.expect(200);
        for name in ["main", "b"] {
            assert_eq!(guest.delete(&format!("{path}/branches/{name}")).await.error(), protected, "{name}");
        }
    }
}
