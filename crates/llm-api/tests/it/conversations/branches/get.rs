use super::*;

testkit::on_both_databases! {
    async fn a_branch_is_found_by_its_name(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        guest.post(&format!("{path}/branches"), &json!({"name": "My idea"})).await.expect(201);
        for (name, shown) in [("MAIN", "MAIN"), ("main", "MAIN"), ("My%20idea", "My idea")] {
            let branch: Value = guest.get(&format!("{path}/branches/{name}")).await.expect(200).json();
            assert_eq!(branch["name"], shown);
        }
        let error = guest.get(&format!("{path}/branches/none")).await.error();
        assert_eq!(error, (404, "branch_not_found".to_owned(), None));
        assert_eq!(other.get(&format!("{path}/branches/MAIN")).await.error().1, "conversation_not_found");
        assert_eq!(guest.get(&format!("{PATH}/x/branches/MAIN")).await.error().1, "invalid_id");
    }
}
