use super::*;

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|branch| branch["name"].as_str().unwrap()).collect()
}

testkit::on_both_databases! {
    async fn pages_follow_one_another(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let conversation = make(&app, &guest, &json!({})).await;
        let path = format!("{conversation}/branches");
        talk(&guest, &conversation, &["a"]).await;
        let first = guest.get(&path).await.expect(200).json();
        assert_eq!((names(&first), &first["total"]), (vec!["MAIN"], &json!(1)));
        assert_eq!((&first["data"][0]["item_count"], &first["data"][0]["is_active"]), (&json!(1), &json!(true)));
        for name in ["one", "two"] {
            guest.post(&path, &json!({"name": name})).await.expect(201);
        }
        let page = guest.get(&format!("{path}?limit=2")).await.expect(200).json();
        assert_eq!((names(&page), &page["total"], &page["has_more"]), (vec!["two", "one"], &json!(3), &json!(true)));
        let next = guest.get(&format!("{path}?limit=2&after=one")).await.expect(200).json();
        assert_eq!((names(&next), &next["has_more"]), (vec!["MAIN"], &json!(false)));
        assert_eq!(names(&guest.get(&format!("{path}?order=asc&after=main")).await.expect(200).json()), ["one", "two"]);
        let error = guest.get(&format!("{path}?after=none")).await.error();
        assert_eq!(error, (400, "invalid_cursor".to_owned(), Some("after".to_owned())));
        assert_eq!(other.get(&path).await.error().1, "conversation_not_found");
    }
}
