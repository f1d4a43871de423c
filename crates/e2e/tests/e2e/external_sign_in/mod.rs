//! Signing in through a real provider, its access tokens, its keys, and without it.

mod agent;
mod provider;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, PATIENCE, Server};
use agent::{Agent, fragment, query};
pub(crate) use provider::{LANDING, Site};

/// Where a browser begins that wants to sign in through the provider.
async fn login(server: &Server) -> String {
    begin(server, "", None).await
}

/// The same for the caller of this token, with `more` in the query.
async fn begin(server: &Server, more: &str, token: Option<&str>) -> String {
    let path = format!("/auth/login?provider=oidc&redirect_url={LANDING}{more}");
    let begun = server.get("llm-api", &path, token).await.expect(200).json();
    let url = begun["authorization_url"].as_str().unwrap().to_owned();
    let asked = query(&url);
    assert_eq!((&*asked["code_challenge_method"], &*asked["response_type"]), ("S256", "code"));
    url
}

async fn me(server: &Server, token: &str) -> Value {
    server.get("llm-api", "/auth/me", Some(token)).await.expect(200).json()
}

/// An access token that the provider gave to another client, for the server.
async fn app_token(site: &Site, server: &Server, name: &str) -> String {
    // The example of RFC 7636, appendix B.
    let (verifier, challenge) =
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let url = format!(
        "{}/auth?client_id=web-app&response_type=code&scope=openid&redirect_uri={LANDING}&state=s\
         &code_challenge={challenge}&code_challenge_method=S256",
        site.issuer()
    );
    let (landed, _) = Agent::new().sign_in(&url, name).await;
    let code = query(&landed)["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "web-app"),
        ("code", &code),
        ("redirect_uri", LANDING),
        ("code_verifier", verifier),
    ];
    let tokens = server.form(&format!("{}/token", site.issuer()), &form).await.expect(200).json();
    tokens["access_token"].as_str().unwrap().to_owned()
}

async fn with_token(server: &Server, service: &str, path: &str, token: &str) -> Answer {
    server.call(Method::GET, &server.url(service, path), Some(token), None).await
}

/// Waits until a token is refused: what was known is believed for a moment.
async fn refused(server: &Server, token: &str) -> String {
    let begun = std::time::Instant::now();
    loop {
        let answer = server.get("llm-api", "/auth/me", Some(token)).await;
        if answer.status != StatusCode::OK {
            return answer.expect(401).json()["error"]["code"].as_str().unwrap().to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "the token is still good");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn the_whole_way_with_roles_and_logout() {
    let site = Site::new();
    let _provider = site.provider("one").await;
    let server = site.setup().start().await;

    let mut browser = Agent::new();
    let (landed, callback) = browser.sign_in(&login(&server).await, "admin").await;
    let tokens = fragment(&landed);
    let admin = me(&server, &tokens["access_token"]).await;
    assert_eq!((&admin["subject"], &admin["email"]), (&json!("admin"), &json!("admin@example.org")));
    assert_eq!((&admin["roles"], &admin["is_admin"]), (&json!(["user", "admin"]), &json!(true)));
    server.get("llm-api", "/v1/admin/users", Some(&tokens["access_token"])).await.expect(200);

    // The state is used up; none and a forged one never were.
    let again = browser.get(&callback).await;
    assert!(again.status == StatusCode::BAD_REQUEST && again.text.contains("invalid_state"), "{}", again.text);
    for bad in ["code=x&state=forged", "code=x"] {
        let answer = browser.get(&format!("{}/auth/callback?{bad}", site.server)).await;
        assert!(answer.status == StatusCode::BAD_REQUEST && answer.text.contains("invalid_state"), "{}", answer.text);
    }
    // Who is sent another's code goes away without anything.
    let authorization = login(&server).await;
    let mut attacker = Agent::new();
    let stolen = attacker.callback(&authorization, "ada", &site.server).await;
    let (landed, _) = Agent::new().sign_in(&stolen, "nobody").await;
    assert_eq!(query(&landed)["error"], "invalid_state");
    assert!(fragment(&landed).is_empty());

    let (landed, _) = Agent::new().sign_in(&login(&server).await, "ada").await;
    let ada = me(&server, &fragment(&landed)["access_token"]).await;
    assert_eq!((&ada["roles"], &ada["username"]), (&json!(["user"]), &json!("ada")));

    let path = format!("/auth/logout?redirect_url={LANDING}");
    let out = server.get("llm-api", &path, Some(&tokens["access_token"])).await.expect(200).json();
    let (landed, _) = browser.sign_in(out["logout_url"].as_str().unwrap(), "admin").await;
    assert!(landed.starts_with(LANDING), "{landed}");
    assert_eq!(refused(&server, &tokens["access_token"]).await, "invalid_token");
}

#[tokio::test]
async fn a_guest_becomes_who_signs_in_and_stays_the_same_user() {
    let site = Site::new();
    let _provider = site.provider("one").await;
    let server = site.setup().start().await;
    let guest = server.guest().await;
    let before = me(&server, &guest).await;

    let (landed, _) = Agent::new().sign_in(&begin(&server, "&upgrade=true", Some(&guest)).await, "ada").await;
    let brought = fragment(&landed);
    assert_eq!(brought.keys().collect::<Vec<_>>(), ["upgrade_code"], "no session yet");
    let code = json!({"code": brought["upgrade_code"]});
    let upgraded = server.post("llm-api", "/auth/upgrade", Some(&guest), &code).await.expect(200).json();
    let token = upgraded["access_token"].as_str().unwrap();
    let ada = me(&server, token).await;
    assert_eq!((&before["is_guest"], &ada["is_guest"]), (&json!(true), &json!(false)));
    assert_eq!((&ada["id"], &ada["subject"], &ada["roles"]), (&before["id"], &json!("ada"), &json!(["user"])));
    assert_eq!(refused(&server, &guest).await, "invalid_token");
    let again = server.post("llm-api", "/auth/upgrade", Some(token), &code).await.expect(409).json();
    assert_eq!(again["error"]["code"], "not_a_guest");

    let (landed, _) = Agent::new().sign_in(&login(&server).await, "ada").await;
    assert_eq!(me(&server, &fragment(&landed)["access_token"]).await["id"], before["id"]);
    let out = server.get("llm-api", "/auth/logout", Some(token)).await.expect(200).json();
    assert!(out["logout_url"].as_str().unwrap().starts_with(&site.issuer()), "its session is the provider's, too");
}

#[tokio::test]
async fn every_service_takes_the_providers_tokens_while_their_keys_count() {
    let site = Site::new();
    let provider = site.provider("one").await;
    let server = site.setup().start().await;
    let old = app_token(&site, &server, "ada").await;
    let ada = me(&server, &old).await;
    assert_eq!((&ada["subject"], &ada["roles"]), (&json!("ada"), &json!(["user"])));
    let admin = app_token(&site, &server, "admin").await;
    assert_eq!(me(&server, &admin).await["is_admin"], true);
    with_token(&server, "gateway", "/v1/models", &old).await.expect(200);
    for service in ["response-api", "media-api", "mcp-tools", "template-api"] {
        let answer = with_token(&server, service, "/v1/nothing-there", &old).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{service} knows the caller: {:?}", answer.json());
    }

    drop(provider);
    let _provider = site.provider("two").await;
    let new = app_token(&site, &server, "ada").await;
    assert_eq!(me(&server, &new).await["id"], ada["id"], "the new key was looked up");
    assert_eq!(refused(&server, &old).await, "invalid_token", "the old key is gone");
}

#[tokio::test]
async fn a_server_starts_before_its_provider() {
    let site = Site::new();
    let server = site.setup().start().await;
    let path = format!("/auth/login?provider=oidc&redirect_url={LANDING}");
    let down = server.get("llm-api", &path, None).await.expect(503);
    assert_eq!(down.json()["error"]["code"], "identity_provider_unavailable");
    server.guest().await;
    let said = server.log().lines().filter(|line| line.contains("reach the sign-in provider")).count();
    assert_eq!(said, 1, "{}", server.log());
    let _provider = site.provider("one").await;
    let begun = std::time::Instant::now();
    while server.get("llm-api", &path, None).await.status != StatusCode::OK {
        assert!(begun.elapsed() < PATIENCE, "{}", server.log());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (landed, _) = Agent::new().sign_in(&login(&server).await, "ada").await;
    assert_eq!(me(&server, &fragment(&landed)["access_token"]).await["subject"], "ada");
}
