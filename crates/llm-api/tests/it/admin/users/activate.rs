use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn who_is_kept_out_is_out_at_once_until_let_in(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let (client, ada) = account(&app, "ada", vec![Role::User]).await;
        let id = ada.id.as_str();
        let key = client.post("/auth/api-keys", &json!({"name": "cron"})).await.expect(201).json();
        let by_key = app.anonymous().api_key(key["key"].as_str().unwrap());
        by_key.get("/auth/me").await.expect(200);
        let out = act(&root, id, "deactivate").await.expect(200).json();
        assert_eq!((&out["active"], &out["disabled_at"]), (&json!(false), &json!(app.clock.now().seconds())));
        assert_eq!(client.get("/auth/me").await.error().1, "invalid_token");
        assert_eq!(by_key.get("/auth/me").await.error().1, "invalid_api_key");
        app.clock.advance(std::time::Duration::from_secs(5));
        assert_eq!(act(&root, id, "deactivate").await.expect(200).json(), out, "once more changes nothing");

        let back = act(&root, id, "activate").await.expect(200).json();
        assert_eq!((&back["active"], &back["disabled_at"]), (&json!(true), &Value::Null));
        by_key.get("/auth/me").await.expect(200);
        assert_eq!(client.get("/auth/me").await.error().1, "invalid_token", "its sessions are over");
        let again = sign_in(&app, "ada").await;
        act(&root, id, "activate").await.expect(200);
        again.get("/auth/me").await.expect(200);
    }
}
