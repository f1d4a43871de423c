use std::time::Duration;

use super::*;
use crate::support::NOW;
use testkit::on_both_databases;

on_both_databases! {
    async fn what_is_named_changes_and_the_rest_stays(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let body = json!({"name": "Thesis", "description": "d", "instruction": "i"});
        let project = guest.post(PATH, &body).await.expect(201).json();
        app.clock.advance(Duration::from_secs(10));
        let mut expected = project.clone();
        expected["updated_at"] = json!(NOW.seconds() + 10);
        for (change, field, value) in [
            (json!({"name": "Renamed"}), "name", json!("Renamed")),
            (json!({"title": "Again"}), "name", json!("Again")),
            (json!({"description": null}), "description", json!(null)),
            (json!({"instruction": ""}), "instruction", json!(null)),
            (json!({"instruction": "Be kind."}), "instruction", json!("Be kind.")),
            (json!({"is_favorite": true}), "is_favorite", json!(true)),
        ] {
            let changed = patch(&guest, &project, change.clone()).await.expect(200).json();
            expected[field] = value;
            assert_eq!(changed, expected, "{change}");
        }
        assert_eq!(guest.get(&path(&project)).await.expect(200).json(), expected);
    }

    async fn putting_away_is_dated_and_can_be_undone(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let project = make(&app, &guest, "Thesis").await;
        for _ in 0..2 {
            let archived = patch(&guest, &project, json!({"archived": true})).await.expect(200).json();
            assert_eq!((&archived["is_archived"], &archived["archived_at"]), (&json!(true), &json!(NOW.seconds())));
            app.clock.advance(Duration::from_mins(1));
        }
        let back = patch(&guest, &project, json!({"is_archived": false})).await.expect(200).json();
        assert_eq!((&back["is_archived"], &back["archived_at"]), (&json!(false), &json!(null)));
    }

    async fn nothing_new_changes_nothing(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let project = make(&app, &guest, "Thesis").await;
        app.clock.advance(Duration::from_mins(1));
        for nothing in [json!({}), json!({"name": "Thesis"}), json!({"unknown": 1}), json!({"name": null})] {
            assert_eq!(patch(&guest, &project, nothing).await.expect(200).json(), project);
        }
    }

    async fn names_of_ones_own_projects_stay_apart(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let project = make(&app, &guest, "a").await;
        make(&app, &guest, "b").await;
        let error = patch(&guest, &project, json!({"name": "b"})).await.error();
        assert_eq!(error, (409, "project_name_exists".to_owned(), Some("name".to_owned())));
        assert_eq!(guest.get(&path(&project)).await.expect(200).json()["name"], "a");
        assert_eq!(patch(&other, &project, json!({"name": "c"})).await.error().1, "project_not_found");
        assert_eq!(patch(&guest, &project, json!({"name": ""})).await.error().2.as_deref(), Some("name"));
    }
}
