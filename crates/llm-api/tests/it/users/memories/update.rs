use std::time::Duration;

use http::Method;
use testkit::client::Answer;

use super::*;
use testkit::on_both_databases;

async fn patch(client: &Client, path: &str, body: Value) -> Answer {
    client.call(Method::PATCH, path, Some(body.to_string().into())).await
}

on_both_databases! {
    async fn a_memory_is_changed(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let made = keep(&guest, "Likes tea").await;
        app.clock.advance(Duration::from_secs(5));
        let changed = patch(&guest, &path(&made), json!({"kind": "core"})).await.expect(200).json();
        assert_eq!((&changed["kind"], &changed["content"]), (&json!("core"), &json!("Likes tea")));
        assert_eq!((&changed["created_at"], &changed["updated_at"]), (&json!(NOW.seconds()), &json!(NOW.seconds() + 5)));
        let changed = patch(&guest, &path(&made), json!({"content": "Likes coffee"})).await.expect(200).json();
        assert_eq!((&changed["kind"], &changed["content"]), (&json!("core"), &json!("Likes coffee")));
        assert_eq!(guest.get(&path(&made)).await.expect(200).json(), changed);
        // What it said is no longer known.
        keep(&guest, "Likes tea").await;
    }

    async fn what_cannot_be_changed_is_named(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let (made, _) = (keep(&guest, "Likes tea").await, keep(&guest, "Likes coffee").await);
        let taken = patch(&guest, &path(&made), json!({"content": "likes coffee!"})).await.error();
        assert_eq!(taken, (409, "memory_exists".to_owned(), Some("content".to_owned())));
        let empty = patch(&guest, &path(&made), json!({"content": ""})).await.error();
        assert_eq!(empty, (400, "invalid_parameter".to_owned(), Some("content".to_owned())));
        let kind = patch(&guest, &path(&made), json!({"kind": "x"})).await.error();
        assert_eq!(kind.2.as_deref(), Some("kind"));
        let foreign = patch(&other, &path(&made), json!({"content": "Likes milk"})).await.error();
        assert_eq!(foreign, (404, "memory_not_found".to_owned(), None));
        assert_eq!(guest.get(&path(&made)).await.expect(200).json(), made);
    }
}
