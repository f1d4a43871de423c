use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn the_page_is_kept_framed_and_scripted_by_nobody(database: Database) {
        let app = App::on(database).await;
        let url = app.anonymous().get("/auth/login").await.expect(200).json()["authorization_url"].clone();
        let path = url.as_str().unwrap().strip_prefix(ISSUER).unwrap().to_owned();
        let answer = app.anonymous().get(&path).await.expect(200);
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(answer.headers[header::X_FRAME_OPTIONS], "DENY");
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
        let html = answer.text();
        assert!(html.starts_with("<!doctype html>") && html.contains("<html lang=\"en\">"), "{html}");
        for id in ["name", "password"] {
            assert!(html.contains(&format!("<label for=\"{id}\">")) && html.contains(&format!("id=\"{id}\"")), "{html}");
        }
    }

    async fn a_page_that_nobody_was_sent_to_shows_no_form(database: Database) {
        let app = App::on(database).await;
        let anonymous = app.anonymous();
        assert_eq!(anonymous.get("/auth/authorize").await.error().0, 400);
        let url = anonymous.get("/auth/login").await.expect(200).json()["authorization_url"].as_str().unwrap().to_owned();
        let path = url.strip_prefix(ISSUER).unwrap();
        let evil = path.replace("redirect_uri=http%3A%2F%2F127.0.0.1%3A8080", "redirect_uri=https%3A%2F%2Fevil.example");
        assert_ne!(evil, path);
        let error = anonymous.get(&evil).await.error();
        assert_eq!(error, (400, "invalid_parameter".to_owned(), Some("redirect_uri".to_owned())));
        let plain = path.replace("code_challenge_method=S256", "code_challenge_method=plain");
        assert_eq!(anonymous.get(&plain).await.error().2.as_deref(), Some("code_challenge_method"));
    }
}
