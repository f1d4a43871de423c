use super::*;
use testkit::on_both_databases;

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|project| project["name"].as_str().unwrap()).collect()
}

on_both_databases! {
    async fn pages_follow_one_another(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let mut made = Vec::new();
        for name in ["a", "b", "c"] {
            made.push(make(&app, &guest, name).await);
        }
        converse(&app, &login["user_id"], &made[1]).await;
        make(&app, &app.guest().await, "not mine").await;
        let page = guest.get(&format!("{PATH}?limit=2")).await.expect(200).json();
        assert_eq!(names(&page), ["c", "b"]);
        assert_eq!((&page["has_more"], &page["total"], &page["next_after"]), (&json!(true), &json!(3), &made[1]["id"]));
        assert_eq!(page["data"][1]["conversation_count"], 1);
        for parameter in ["after", "cursor"] {
            let after = page["next_after"].as_str().unwrap();
            let next = guest.get(&format!("{PATH}?limit=2&{parameter}={after}")).await.expect(200).json();
            assert_eq!(names(&next), ["a"]);
            assert_eq!((&next["has_more"], &next["next_after"]), (&json!(false), &json!(null)));
        }
        assert_eq!(names(&guest.get(&format!("{PATH}?order=asc")).await.expect(200).json()), ["a", "b", "c"]);
    }

    async fn a_list_can_be_narrowed(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        for (name, favorite, archived) in [("a", false, false), ("b", true, false), ("c", true, true)] {
            let body = json!({"name": name, "is_favorite": favorite, "is_archived": archived});
            app.clock.advance(std::time::Duration::from_millis(1));
            guest.post(PATH, &body).await.expect(201);
        }
        for (query, found) in [
            ("archived=true", &["c"][..]),
            ("archived=false", &["b", "a"]),
            ("archived=all", &["c", "b", "a"]),
            ("favorite=true", &["c", "b"]),
            ("favorite=false", &["a"]),
            ("favorite=true&archived=false", &["b"]),
        ] {
            let list = guest.get(&format!("{PATH}?{query}")).await.expect(200).json();
            assert_eq!((names(&list), &list["total"]), (found.to_vec(), &json!(found.len())), "{query}");
        }
    }

    async fn a_wrong_question_names_its_field(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let theirs = make(&app, &other, "theirs").await;
        let foreign = format!("after={}", theirs["id"].as_str().unwrap());
        for (query, code, param) in [
            ("limit=0", "invalid_parameter", "limit"),
            ("order=up", "invalid_parameter", "order"),
            ("archived=perhaps", "invalid_parameter", "archived"),
            ("favorite=1", "invalid_parameter", "favorite"),
            ("after=proj_0123456789abcdef", "invalid_cursor", "after"),
            ("after=%00", "invalid_cursor", "after"),
            (&foreign, "invalid_cursor", "after"),
        ] {
            let error = guest.get(&format!("{PATH}?{query}")).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{query}");
        }
    }
}
