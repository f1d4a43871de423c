use axum::body::Body;
use http::{Request, header};
use http_kit::PeerAddr;
use identity::Options;
use serde_json::json;
use testkit::on_both_databases;

use crate::support::App;

on_both_databases! {
    async fn a_guest_gets_tokens_that_are_kept_from_caches(database: Database) {
        let app = App::on(database).await;
        let answer = app.anonymous().post("/auth/guest-login", &json!({"name": "ignored"})).await.expect(201);
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert!(!answer.headers.contains_key(header::SET_COOKIE), "it would take the place of who is signed in");
        let guest = answer.json();
        assert_eq!(guest["token_type"], "Bearer");
        assert_eq!(guest["expires_in"], 3_600);
        assert!(guest["username"].as_str().unwrap().starts_with("guest-"));
        assert!(guest["refresh_token"].as_str().unwrap().len() >= 64);

        let me = app.anonymous().bearer(guest["access_token"].as_str().unwrap()).get("/auth/me").await.expect(200).json();
        assert_eq!(me["id"], guest["user_id"]);
        assert_eq!(me["subject"], guest["principal_id"]);
    }

    async fn the_body_may_be_missing_but_not_broken(database: Database) {
        let app = App::on(database).await;
        let _guest = app.anonymous().call(http::Method::POST, "/auth/guest-login", None).await.expect(201);
        let error = app.anonymous().post_bytes("/auth/guest-login", "{").await.error();
        assert_eq!(error, (400, "invalid_json".to_owned(), None));
        let error = app.anonymous().post("/auth/guest-login", &json!("guest")).await.error();
        assert_eq!(error.0, 400);
        // What any site's page can have a browser send (`security.md` A11).
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let page = app.anonymous().header(header::CONTENT_TYPE, kind);
            let error = page.post_bytes("/auth/guest-login", "{}").await.error();
            assert_eq!(error, (415, "unsupported_media_type".to_owned(), None), "{kind}");
            let _guest = page.call(http::Method::POST, "/auth/guest-login", None).await.expect(201);
        }
    }

    async fn too_many_from_one_place_have_to_wait(database: Database) {
        let app = App::with(database, Options { guest_logins_per_hour: 1, ..Options::default() }).await;
        let _first = app.login().await;
        let answer = app.anonymous().post("/auth/guest-login", &json!({})).await;
        assert_eq!(answer.error(), (429, "rate_limit_exceeded".to_owned(), None));
        assert_eq!(answer.headers[header::RETRY_AFTER], "3600");
        // A header does not make it another place.
        let elsewhere = app.anonymous().header(http::HeaderName::from_static("x-forwarded-for"), "203.0.113.9");
        assert_eq!(elsewhere.post("/auth/guest-login", &json!({})).await.error().0, 429);
    }

    async fn each_connections_address_counts_for_itself(database: Database) {
        let app = App::with(database, Options { guest_logins_per_hour: 1, ..Options::default() }).await;
        for (address, status) in [("203.0.113.7:1", 201), ("203.0.113.7:2", 429), ("203.0.113.8:1", 201)] {
            let mut request = Request::post("/auth/guest-login").body(Body::empty()).unwrap();
            request.extensions_mut().insert(PeerAddr(address.parse().unwrap()));
            assert_eq!(app.anonymous().send(request).await.status, status, "{address}");
        }
    }

    async fn an_operator_may_want_no_guests(database: Database) {
        let app = App::with(database, Options { guest_login: false, ..Options::default() }).await;
        let error = app.anonymous().post("/auth/guest-login", &json!({})).await.error();
        assert_eq!(error, (503, "guest_login_disabled".to_owned(), None));
    }

    async fn an_operator_may_keep_guests_from_chats_and_conversations(database: Database) {
        let options = Options { guest_chat: false, guest_conversations: false, ..Options::default() };
        let app = App::with(database, options).await;
        let guest = app.guest().await;
        let refused = (403, "guest_not_allowed".to_owned(), None);
        assert_eq!(guest.post("/v1/chat/completions", &json!({})).await.error(), refused);
        for path in ["/v1/conversations", "/v1/projects", "/v1/shares"] {
            assert_eq!(guest.get(path).await.error(), refused, "{path}");
        }
        guest.get("/v1/models").await.expect(200);
        guest.get("/auth/api-keys").await.expect(200);
    }
}
