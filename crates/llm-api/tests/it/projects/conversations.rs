use super::*;
use testkit::on_both_databases;

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|conversation| conversation["id"].as_str().unwrap()).collect()
}

on_both_databases! {
    async fn a_projects_conversations_are_listed_page_by_page(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let (project, other) = (make(&app, &guest, "a").await, make(&app, &guest, "b").await);
        let mut made = Vec::new();
        for _ in 0..3 {
            app.clock.advance(std::time::Duration::from_millis(1));
            made.push(converse(&app, &login["user_id"], &project).await);
        }
        converse(&app, &login["user_id"], &other).await;
        let path = format!("{}/conversations", path(&project));
        let page = guest.get(&format!("{path}?limit=2")).await.expect(200).json();
        assert_eq!(ids(&page), [made[2].as_str(), made[1].as_str()]);
        assert_eq!(page["data"][0]["project_id"], project["id"]);
        let next = guest.get(&format!("{path}?limit=2&after={}", made[1])).await.expect(200).json();
        assert_eq!((ids(&next), &next["has_more"]), (vec![made[0].as_str()], &json!(false)));
        let up = guest.get(&format!("{path}?order=asc&limit=1")).await.expect(200).json();
        assert_eq!(ids(&up), [made[0].as_str()]);
        // Whatever else is asked for, it is this project's.
        let stubborn = format!("{path}?project_id={}", other["id"].as_str().unwrap());
        assert_eq!(ids(&guest.get(&stubborn).await.expect(200).json()).len(), 3);
    }

    async fn what_is_not_ones_own_is_not_there(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let project = make(&app, &guest, "a").await;
        for missing in [path(&project), format!("{PATH}/proj_0123456789abcdef"), format!("{PATH}/nonsense")] {
            let error = other.get(&format!("{missing}/conversations")).await.error();
            assert_eq!((error.0, &*error.1), (404, "project_not_found"), "{missing}");
        }
        guest.delete(&path(&project)).await.expect(200);
        assert_eq!(guest.get(&format!("{}/conversations", path(&project))).await.error().1, "project_not_found");
    }

    async fn conversations_move_between_projects(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let (first, second) = (make(&app, &guest, "a").await, make(&app, &guest, "b").await);
        let conversation = converse(&app, &login["user_id"], &first).await;
        let to = async |project: Value| {
            let body = json!({"project_id": project}).to_string();
            guest.call(http::Method::PATCH, &format!("/v1/conversations/{conversation}"), Some(body.into())).await
        };
        let counts = async || {
            let list = guest.get(&format!("{PATH}?order=asc")).await.expect(200).json();
            [0, 1].map(|at| list["data"][at]["conversation_count"].as_i64().unwrap())
        };
        assert_eq!(counts().await, [1, 0]);
        to(second["id"].clone()).await.expect(200);
        assert_eq!(counts().await, [0, 1]);
        let theirs = make(&app, &app.guest().await, "theirs").await;
        assert_eq!(to(theirs["id"].clone()).await.error().1, "project_not_found");
        to(json!(null)).await.expect(200);
        assert_eq!(counts().await, [0, 0]);
    }
}
