mod activate;
mod get;
mod list;
mod update;

use domain::Role;
use http::Method;
use serde_json::{Value, json};
use testkit::client::{Answer, Client};

use super::{account, admin, sign_in};
use crate::support::{App, ISSUER, NOW};
use testkit::on_both_databases;

async fn patch(client: &Client, id: &str, change: &Value) -> Answer {
    client.call(Method::PATCH, &format!("/v1/admin/users/{id}"), Some(change.to_string().into())).await
}

async fn act(client: &Client, id: &str, verb: &str) -> Answer {
    client.call(Method::POST, &format!("/v1/admin/users/{id}/{verb}"), None).await
}

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect()
}

on_both_databases! {
    async fn only_administrators_come_in(database: Database) {
        let app = App::on(database).await;
        let (root, me) = admin(&app).await;
        let (user, _) = account(&app, "ada", vec![Role::User]).await;
        let mut walked = 0;
        for operation in root.contract().operations().iter().filter(|operation| operation.path.starts_with("/v1/admin")) {
            let method = &operation.method;
            let path = operation.path.replace("{id}", me.id.as_str());
            for client in [&app.guest().await, &user] {
                let (status, code, _) = client.call(method.clone(), &path, None).await.error();
                assert_eq!((status, code.as_str()), (403, "admin_required"), "{method} {path}");
            }
            assert_eq!(app.anonymous().call(method.clone(), &path, None).await.error().0, 401, "{path}");
            walked += 1;
        }
        assert!(walked >= 6, "{walked}");
    }

    async fn only_a_key_made_for_it_administers(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        for (scopes, status) in [(json!(["admin", "read"]), 200), (json!([]), 403), (json!(["keys:manage"]), 403)] {
            let wish = json!({"name": "cron", "scopes": scopes});
            let key = root.post("/auth/api-keys", &wish).await.expect(201).json();
            let by_key = app.anonymous().api_key(key["key"].as_str().unwrap());
            let answer = by_key.get("/v1/admin/users").await.expect(status);
            assert!(status == 200 || answer.error().1 == "insufficient_scope");
        }
    }
}
