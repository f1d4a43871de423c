//! The doors of the sign-in when there is an external provider. What comes of it is tested in `identity` and end to end.

use http::header;
use identity::{OidcOptions, Options};
use serde_json::json;
use testkit::{
    client::Client,
    database::Database,
    oidc::{DISCOVERY, KEYS, Provider, Reply},
    on_both_databases,
};

use crate::support::{App, ISSUER};

/// A service whose users may come from the provider, and a key for it to know it by.
async fn app(provider: &Provider, built_in_sign_in: bool) -> App {
    app_on(Database::migrated_sqlite().await, provider, built_in_sign_in).await
}

/// The same on this database.
async fn app_on(database: Database, provider: &Provider, built_in_sign_in: bool) -> App {
    let key = json!({"kty": "RSA", "kid": "one", "n": "sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri", "e": "AQAB"});
    provider.reply(KEYS, Reply::Json(200, json!({"keys": [key]})));
    let oidc = OidcOptions {
        issuer: provider.issuer(),
        client_id: "jan".to_owned(),
        display_name: "<Example> SSO".to_owned(),
        built_in_sign_in,
        ..OidcOptions::default()
    };
    let app = App::with(database, Options { oidc, ..Options::default() }).await;
    app.identity.reach_provider_through(&outbound::Client::new(&outbound::Options::default()).unwrap());
    app
}

/// Where a login sends a browser, at this server.
async fn page(app: &App, query: &str) -> String {
    let login = app.anonymous().get(&format!("/auth/login{query}")).await.expect(200).json();
    login["authorization_url"].as_str().unwrap().strip_prefix(ISSUER).unwrap().to_owned()
}

#[tokio::test]
async fn the_page_has_a_link_that_leads_there() {
    let provider = Provider::start().await;
    let app = app(&provider, true).await;
    let html = app.anonymous().get(&page(&app, "").await).await.expect(200).text();
    assert!(html.contains("sign in with &lt;Example&gt; SSO"), "{html}");
    let link = html.split("<a href=\"").find(|part| part.contains("provider=oidc")).unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let gone = app.anonymous().get(&format!("/auth/{link}")).await.expect(302);
    let target = gone.headers[header::LOCATION].to_str().unwrap();
    assert!(target.starts_with(&format!("{}/authorize?client_id=jan&", provider.issuer())), "{target}");
    let cookie = gone.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("jan_browser=") && cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    assert_eq!(gone.headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn without_passwords_browsers_go_at_once() {
    let provider = Provider::start().await;
    let app = app(&provider, false).await;
    let path = page(&app, "").await;
    let _gone = app.anonymous().get(&path).await.expect(302);
    let password = json!({"email": "ada@example.org", "password": "correct horse"});
    assert_eq!(app.guest().await.post("/auth/upgrade", &password).await.error().1, "built_in_sign_in_disabled");
}

#[tokio::test]
async fn while_it_is_down_everybody_is_told() {
    let provider = Provider::start().await;
    let app = app(&provider, true).await;
    let direct = format!("{}&provider=oidc", page(&app, "").await);
    provider.reply(DISCOVERY, Reply::Json(500, json!({})));
    let answer = app.anonymous().get("/auth/login?provider=oidc").await;
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    assert_eq!((answer.error().0, answer.error().1.as_str()), (503, "identity_provider_unavailable"));
    let shown = app.anonymous().get(&direct).await.expect(503);
    assert!(shown.headers.contains_key(header::RETRY_AFTER));
    assert!(shown.text().contains("The sign-in provider does not answer"), "{}", shown.text());
}

const BEGIN: &str = "/auth/login?provider=oidc&upgrade=true";

on_both_databases! {
    async fn a_guest_begins_an_upgrade_by_token_or_cookie(database: Database) {
        let provider = Provider::start().await;
        let app = app_on(database, &provider, true).await;
        let (guest, login) = app.login().await;
        let text = |name: &str| login[name].as_str().unwrap().to_owned();
        let with_cookie = |client: &Client, token: &str| client.header(header::COOKIE, &format!("refresh_token={token}"));
        let cookie = with_cookie(&app.anonymous(), &text("refresh_token"));
        for begun in [guest.get(BEGIN).await, cookie.get(BEGIN).await] {
            let url = begun.expect(200).json()["authorization_url"].as_str().unwrap().to_owned();
            assert!(url.ends_with("&provider=oidc"), "{url}");
        }
        // The cookie does not count where the headers name somebody.
        for (bad, code) in [("garbage", "invalid_token"), ("sk_live_x", "invalid_api_key")] {
            assert_eq!(cookie.bearer(bad).get(BEGIN).await.error(), (401, code.to_owned(), None));
        }
        let _page = cookie.bearer("garbage").get("/auth/login").await.expect(200);
        let key = guest.post("/auth/api-keys", &json!({"name": "k"})).await.expect(201).json();
        let by_key = cookie.api_key(key["key"].as_str().unwrap());
        assert_eq!(by_key.get(BEGIN).await.error(), (403, "insufficient_scope".to_owned(), None));
        let evil = cookie.header(header::ORIGIN, "https://evil.example");
        assert_eq!(evil.get(BEGIN).await.error(), (403, "origin_not_allowed".to_owned(), None));

        let _spent = app.anonymous().post("/auth/refresh-token", &json!({"refresh_token": text("refresh_token")})).await;
        assert_eq!(cookie.get(BEGIN).await.error(), (401, "invalid_refresh_token".to_owned(), None));
    }

    async fn what_cannot_be_is_refused(database: Database) {
        let provider = Provider::start().await;
        let app = app(&provider, true).await;
        let refused = |param: &str| (400, "invalid_parameter".to_owned(), Some(param.to_owned()));
        assert_eq!(app.anonymous().get("/auth/login?provider=other").await.error(), refused("provider"));
        let none = App::on(database).await;
        for query in ["?provider=oidc", "?upgrade=true"] {
            assert_eq!(none.guest().await.get(&format!("/auth/login{query}")).await.error(), refused("provider"));
        }
        assert_eq!(app.anonymous().get("/auth/login?upgrade=true").await.error().1, "missing_credentials");
        let guest = app.guest().await;
        let _begun = guest.get("/auth/login?upgrade=true").await.expect(200);
        let wish = json!({"email": "bob@example.org", "password": "correct horse"});
        let bob = app.guest().await.post("/auth/upgrade", &wish).await.expect(200).json();
        let bob = app.anonymous().bearer(bob["access_token"].as_str().unwrap());
        assert_eq!(bob.get("/auth/login?upgrade=true").await.error().1, "not_a_guest");
        let error = guest.post("/auth/upgrade", &json!({"code": "uc_forged"})).await.error();
        assert_eq!(error, (400, "invalid_upgrade_code".to_owned(), Some("code".to_owned())));
        assert_eq!(guest.post("/auth/upgrade", &json!({})).await.error().1, "missing_parameter");
        let error = guest.get("/auth/logout?redirect_url=https://evil.example/").await.error();
        assert_eq!(error, (400, "invalid_redirect_url".to_owned(), Some("redirect_url".to_owned())));
        let out = guest.get("/auth/logout?redirect_url=http://localhost:3000/bye&mode=redirect").await.expect(200);
        assert_eq!(out.json(), json!({"status": "logged out"}), "a guest has no session at the provider");
    }
}
