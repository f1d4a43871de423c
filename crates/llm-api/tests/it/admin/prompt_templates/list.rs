use super::*;
use testkit::on_both_databases;

fn keys(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|template| template["key"].as_str().unwrap()).collect()
}

on_both_databases! {
    async fn every_template_is_listed_once(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        pirate(&root).await;
        let _changed = patch(&root, TIMING, json!({"enabled": false})).await.expect(200);
        let body = json!({"key": "timing", "model": "m", "content": "x"});
        root.post(PATH, &body).await.expect(201);
        let all = root.get(&format!("{PATH}?order=asc")).await.expect(200).json();
        assert_eq!(keys(&all).len(), 10, "{:?}", keys(&all));
        let content = |key: &str, model: Value| {
            let is_it = |one: &&Value| one["key"] == key && one["model"] == model;
            all["data"].as_array().unwrap().iter().find(is_it).unwrap()["content"].as_str().unwrap()
        };
        assert_eq!(content("persona.pirate", Value::Null), "a pirate who says arr");
        assert_eq!(content("timing", json!("m")), "x");
        assert!(content("timing", Value::Null).contains("{{"), "the one that the server brings along");
        let first = root.get(&format!("{PATH}?limit=7&order=asc")).await.expect(200).json();
        let after = first["next_after"].as_str().unwrap();
        let rest = root.get(&format!("{PATH}?limit=7&order=asc&after={after}")).await.expect(200).json();
        assert_eq!([keys(&first), keys(&rest)].concat(), keys(&all));
        assert_eq!(rest["next_after"], Value::Null);
        for (query, count) in
            [("key=timing", 2), ("model=m", 1), ("is_system=true", 8), ("is_system=false&key=timing", 1), ("key=x", 0)]
        {
            let page = root.get(&format!("{PATH}?{query}")).await.expect(200).json();
            assert_eq!(keys(&page).len(), count, "{query}");
        }
    }

    async fn what_cannot_be_asked_for_is_named(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let long = format!("key={}", "x".repeat(257));
        for (query, code, param) in [
            ("after=pt_nobody0000000000000000000", "invalid_cursor", "after"),
            ("limit=no", "invalid_parameter", "limit"),
            ("is_system=maybe", "invalid_parameter", "is_system"),
            (&*long, "invalid_parameter", "key"),
        ] {
            let error = root.get(&format!("{PATH}?{query}")).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{query}");
        }
        assert_eq!(app.guest().await.get(PATH).await.error(), forbidden());
    }
}
