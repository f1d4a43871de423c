use http::header;
use serde_json::json;

use crate::support::{App, NOW};

#[tokio::test]
async fn the_profile_is_what_auth_me_says_and_more() {
    let app = App::new().await;
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

#[tokio::test]
async fn nobody_has_no_profile() {
    let app = App::new().await;
    assert_eq!(app.anonymous().get("/v1/users/me").await.error().0, 401);
}
