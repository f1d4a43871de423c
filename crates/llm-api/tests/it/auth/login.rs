use http::header;
use identity::Options;
use testkit::on_both_databases;

use crate::support::{App, ISSUER};

on_both_databases! {
    async fn it_says_where_to_sign_in(database: Database) {
        let app = App::on(database).await;
        let answer = app.anonymous().get("/auth/login").await.expect(200);
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
        let login = answer.json();
        let url = url::Url::parse(login["authorization_url"].as_str().unwrap()).unwrap();
        assert!(url.as_str().starts_with(&format!("{ISSUER}/auth/authorize?")));
        let get = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        assert_eq!(get("state"), login["state"].as_str().unwrap());
        assert_eq!((get("response_type").as_str(), get("code_challenge_method").as_str()), ("code", "S256"));
        assert_eq!(get("code_challenge").len(), 43);
        assert_eq!(get("redirect_uri"), format!("{ISSUER}/auth/callback"));
        assert_eq!(get("scope"), "openid profile email");
        let again = app.anonymous().get("/auth/login").await.expect(200).json();
        assert_ne!(again["state"], login["state"]);
    }

    async fn browsers_are_sent_there(database: Database) {
        let app = App::on(database).await;
        let browser = app.anonymous().header(header::ACCEPT, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
        for answer in [browser.get("/auth/login").await, app.anonymous().get("/auth/login?mode=redirect").await] {
            let answer = answer.expect(302);
            assert!(answer.headers[header::LOCATION].to_str().unwrap().starts_with(&format!("{ISSUER}/auth/authorize?")));
        }
        for (accept, status) in [
            ("application/xhtml+xml, TEXT/HTML", 302),
            ("application/json, text/html;q=0.9", 200),
            ("text/html;q=0, application/json", 200),
            ("*/*", 200),
        ] {
            let client = app.anonymous().header(header::ACCEPT, accept);
            assert_eq!(client.get("/auth/login").await.status.as_u16(), status, "{accept}");
        }
    }

    async fn tokens_go_to_listed_origins_only(database: Database) {
        let options = Options { redirect_origins: vec!["https://app.example".to_owned()], ..Options::default() };
        let app = App::with(database, options).await;
        let refused = (400, "invalid_redirect_url".to_owned(), Some("redirect_url".to_owned()));
        for bad in ["https://evil.example/", "//evil.example", "javascript:alert(1)", "https://app.example@evil.example"] {
            let error = app.anonymous().get(&format!("/auth/login?redirect_url={bad}")).await.error();
            assert_eq!(error, refused, "{bad}");
        }
        let _good = app.anonymous().get("/auth/login?redirect_url=https://app.example/landing").await.expect(200);
        let _none = app.anonymous().get("/auth/login?redirect_url=").await.expect(200);
    }
}
