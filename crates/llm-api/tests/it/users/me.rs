use http::header;
use serde_json::json;
use testkit::on_both_databases;

use crate::support::{App, NOW};

on_both_databases! {
    async fn the_profile_is_what_auth_me_says_and_more(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let answer = guest.get("/v1/users/me").await.expect(200);
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        let profile = answer.json();
        assert_eq!(
            profile,
            json!({
                "id": login["user_id"], "object": "user", "username": login["username"],
                "email": format!("{}@guest.invalid", login["username"].as_str().unwrap()), "email_verified": false,
                "name": null, "picture": null, "subject": login["principal_id"], "roles": ["guest"], "groups": [],
                "feature_flags": [], "is_admin": false, "is_guest": true, "auth_method": "jwt",
                "created_at": NOW.seconds(),
            })
        );
        let me = guest.get("/auth/me").await.expect(200).json();
        for (name, value) in me.as_object().unwrap() {
            assert_eq!(&profile[name], value, "{name}");
        }
    }

    async fn nobody_has_no_profile(database: Database) {
        let app = App::on(database).await;
        assert_eq!(app.anonymous().get("/v1/users/me").await.error().0, 401);
    }
}
