//! Signing in through the page.

use std::{collections::HashMap, time::Duration};

use domain::{Kind, Role, Secret};
use identity::{AccountWish, AuthorizationRequest, Landing, Options, SignIn};
use testkit::on_both_databases;

use crate::support::{ISSUER, Server};

const PASSWORD: &str = "correct horse";
const BROWSER: &str = "the cookie of a browser";

/// The parameters of an address.
fn query(url: &str) -> HashMap<String, String> {
    url::Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

/// What a browser that follows this address asks the page for.
fn asked(url: &str) -> AuthorizationRequest {
    let query = query(url);
    let get = |name: &str| query[name].clone();
    AuthorizationRequest {
        client_id: get("client_id"),
        response_type: get("response_type"),
        redirect_uri: get("redirect_uri"),
        state: get("state"),
        code_challenge: get("code_challenge"),
        code_challenge_method: get("code_challenge_method"),
    }
}

async fn with_ada(server: &Server) {
    let wish = AccountWish {
        email: "ada@example.org".to_owned(),
        username: Some("ada".to_owned()),
        password: Some(Secret::new(PASSWORD)),
        ..AccountWish::default()
    };
    server.identity.create_account(wish, vec![Role::User]).await.unwrap();
}

async fn begin(server: &Server) -> AuthorizationRequest {
    asked(&server.identity.begin_login(None, None).await.unwrap().url)
}

/// Signs Ada in at the page; the code.
async fn code(server: &Server, request: &AuthorizationRequest) -> String {
    let password = Secret::new(PASSWORD);
    let back = server.identity.authorize(request, BROWSER, "ada", &password, None).await.unwrap();
    let back = query(&back);
    assert_eq!(back["state"], request.state);
    back["code"].clone()
}

async fn finish(server: &Server, state: &str, code: &str, browser: Option<&str>) -> Result<SignIn, String> {
    let landing = server.identity.finish_login(state, Some(code), browser).await;
    landing.and_then(|Landing { outcome, .. }| outcome).map_err(|error| error.code().to_owned())
}

on_both_databases! {
    async fn who_signs_in_while_the_password_is_replaced_is_not_in(database: Database) {
        let server = Server::new(&database).await;
        with_ada(&server).await;
        let mut before = PASSWORD.to_owned();
        for round in 0..8 {
            let request = begin(&server).await;
            let (old, new) = (Secret::new(before), format!("another horse {round}"));
            let ada = server.identity.find_user("ada").await.unwrap();
            let replaced = Secret::new(new.clone());
            let (back, reset) = tokio::join!(
                server.identity.authorize(&request, BROWSER, "ada", &old, None),
                server.identity.reset_password(&ada, &replaced, false),
            );
            reset.unwrap();
            match back {
                Ok(back) => {
                    let outcome = finish(&server, &request.state, &query(&back)["code"], Some(BROWSER)).await;
                    assert_eq!(outcome.unwrap_err(), "token_exchange_failed", "the code ends with the password");
                }
                Err(error) => assert_eq!(error.code(), "invalid_login"),
            }
            before = new;
        }
    }

    async fn a_browser_that_began_ends_with_tokens(database: Database) {
        let server = Server::new(&database).await;
        with_ada(&server).await;
        let begun = server.identity.begin_login(Some("http://localhost:3000/landing?x=1"), None).await.unwrap();
        assert!(begun.url.starts_with(&format!("{ISSUER}/auth/authorize?client_id=")));
        let request = asked(&begun.url);
        assert_eq!((&request.state, request.redirect_uri.as_str()), (&begun.state, format!("{ISSUER}/auth/callback").as_str()));
        assert!(begun.state.len() >= 43 && request.code_challenge_method == "S256");
        assert_eq!(query(&begun.url)["scope"], "openid profile email");
        let code = code(&server, &request).await;
        // Any server on the database may be the one the browser comes back to.
        let peer = server.peer(&database).await;
        let landing = peer.identity.finish_login(&begun.state, Some(&code), Some(BROWSER)).await.unwrap();
        assert_eq!(landing.redirect_url, "http://localhost:3000/landing?x=1");
        let signed_in = landing.outcome.unwrap();
        assert_eq!(signed_in.user.username, "ada");
        server.bearer(signed_in.access_token.expose()).await.unwrap();
        server.identity.refresh(signed_in.refresh_token.expose()).await.unwrap();
    }

    async fn state_and_code_count_once(database: Database) {
        let server = Server::new(&database).await;
        with_ada(&server).await;
        let (one, two) = (begin(&server).await, begin(&server).await);
        let code = code(&server, &one).await;
        finish(&server, &one.state, &code, Some(BROWSER)).await.unwrap();
        assert_eq!(finish(&server, &one.state, &code, Some(BROWSER)).await.unwrap_err(), "invalid_state");
        assert_eq!(finish(&server, &two.state, &code, Some(BROWSER)).await.unwrap_err(), "token_exchange_failed");
        assert_eq!(finish(&server, &two.state, &code, Some(BROWSER)).await.unwrap_err(), "invalid_state");
    }

    async fn a_sign_in_that_could_not_be_kept_can_be_finished_again(database: Database) {
        let server = Server::new(&database).await;
        with_ada(&server).await;
        let request = begin(&server).await;
        let code = code(&server, &request).await;
        database.execute("ALTER TABLE refresh_tokens RENAME TO away").await;
        server.identity.finish_login(&request.state, Some(&code), Some(BROWSER)).await.unwrap_err();
        database.execute("ALTER TABLE away RENAME TO refresh_tokens").await;
        finish(&server, &request.state, &code, Some(BROWSER)).await.unwrap();
    }

    async fn who_is_put_out_while_a_code_is_exchanged_is_out(database: Database) {
        let server = Server::new(&database).await;
        with_ada(&server).await;
        let ada = server.identity.find_user("ada").await.unwrap();
        for _ in 0..8 {
            let request = begin(&server).await;
            let code = code(&server, &request).await;
            let (finished, put_out) = tokio::join!(
                server.identity.finish_login(&request.state, Some(&code), Some(BROWSER)),
                server.identity.set_disabled(&ada.id, true),
            );
            put_out.unwrap();
            let outcome = finished.unwrap().outcome;
            let live = database.number("SELECT COUNT(*) FROM sessions WHERE revoked_at IS NULL").await;
            assert_eq!(live, 0, "{outcome:?}");
            server.identity.set_disabled(&ada.id, false).await.unwrap();
        }
    }

    async fn a_code_is_for_who_began_and_for_the_browser_that_signed_in(database: Database) {
        let server = Server::new(&database).await;
        with_ada(&server).await;
        // An attacker's code under a victim's state, and the other way round: the verifier is another.
        let (attackers, victims) = (begin(&server).await, begin(&server).await);
        let stolen = code(&server, &victims).await;
        assert_eq!(finish(&server, &attackers.state, &stolen, Some(BROWSER)).await.unwrap_err(), "token_exchange_failed");
        // An attacker's own code and state in a victim's browser.
        for browser in [None, Some("another browser"), Some("")] {
            let request = begin(&server).await;
            let code = code(&server, &request).await;
            assert_eq!(finish(&server, &request.state, &code, browser).await.unwrap_err(), "token_exchange_failed");
        }
    }

    async fn a_code_is_no_way_around_being_put_out(database: Database) {
        let server = Server::new(&database).await;
        with_ada(&server).await;
        let ada = server.identity.find_user("ada").await.unwrap();
        // Kept out and let in again before the code has lapsed.
        let request = begin(&server).await;
        let held = code(&server, &request).await;
        server.identity.set_disabled(&ada.id, true).await.unwrap();
        server.identity.set_disabled(&ada.id, false).await.unwrap();
        assert_eq!(finish(&server, &request.state, &held, Some(BROWSER)).await.unwrap_err(), "token_exchange_failed");
        // Granted for a password that is not the password any more.
        let request = begin(&server).await;
        let held = code(&server, &request).await;
        server.identity.reset_password(&ada, &Secret::new("battery staple"), false).await.unwrap();
        assert_eq!(finish(&server, &request.state, &held, Some(BROWSER)).await.unwrap_err(), "token_exchange_failed");
    }

    async fn what_takes_too_long_has_to_begin_anew(database: Database) {
        let server = Server::new(&database).await;
        with_ada(&server).await;
        let request = begin(&server).await;
        let late_code = code(&server, &request).await;
        server.clock.advance(Duration::from_mins(1));
        assert_eq!(finish(&server, &request.state, &late_code, Some(BROWSER)).await.unwrap_err(), "token_exchange_failed");
        let request = begin(&server).await;
        server.clock.advance(Duration::from_mins(10));
        let code = code(&server, &request).await;
        assert_eq!(finish(&server, &request.state, &code, Some(BROWSER)).await.unwrap_err(), "invalid_state");
        for forged in ["", "garbage", "' OR 1=1 --"] {
            assert_eq!(finish(&server, forged, &code, Some(BROWSER)).await.unwrap_err(), "invalid_state");
        }
    }

    async fn a_refusal_lands_where_it_began(database: Database) {
        let server = Server::new(&database).await;
        let request = begin(&server).await;
        let landing = server.identity.finish_login(&request.state, None, Some(BROWSER)).await.unwrap();
        assert_eq!(landing.redirect_url, format!("{ISSUER}/auth/done"));
        assert_eq!(landing.outcome.unwrap_err().code(), "invalid_request");
    }

    async fn a_new_account_is_signed_in(database: Database) {
        let server = Server::new(&database).await;
        let request = begin(&server).await;
        let wish = AccountWish {
            email: "eve@example.org".to_owned(), password: Some(Secret::new(PASSWORD)), ..AccountWish::default()
        };
        let back = server.identity.register(&request, BROWSER, wish.clone(), None).await.unwrap();
        let signed_in = finish(&server, &request.state, &query(&back)["code"], Some(BROWSER)).await.unwrap();
        assert_eq!((signed_in.user.roles.as_slice(), signed_in.user.email_verified), (&[Role::User][..], false));
        assert!(signed_in.user.username.starts_with("user-"), "{}", signed_in.user.username);
        let again = server.identity.register(&begin(&server).await, BROWSER, wish, None).await.unwrap_err();
        assert_eq!(again.code(), "email_taken");
    }

    async fn a_disabled_user_does_not_get_in_by_a_code_from_before(database: Database) {
        let server = Server::new(&database).await;
        with_ada(&server).await;
        let request = begin(&server).await;
        let code = code(&server, &request).await;
        let ada = server.identity.find_user("ada").await.unwrap();
        server.identity.set_disabled(&ada.id, true).await.unwrap();
        assert_eq!(finish(&server, &request.state, &code, Some(BROWSER)).await.unwrap_err(), "token_exchange_failed");
    }
}

#[tokio::test]
async fn only_listed_targets_get_tokens() {
    let database = testkit::database::Database::sqlite();
    let options = Options { redirect_origins: vec!["https://app.example".to_owned()], ..Options::default() };
    let server = Server::with(&database, options).await;
    for good in ["https://app.example/", "https://app.example/deep?x=1", "http://127.0.0.1:8080/x", "http://[::1]:1/"] {
        server.identity.begin_login(Some(good), None).await.expect(good);
    }
    let long = format!("https://app.example/{}", "x".repeat(3_000));
    for bad in [
        "https://evil.example/",
        "http://app.example/",
        "https://app.example:8443/",
        "https://app.example.evil.example/",
        "https://app.example@evil.example/",
        "https://evil.example/https://app.example",
        "//evil.example",
        "/path",
        "https:app.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://app.example\\@evil.example/",
        "https://user:pass@app.example/",
        "https://app.example/#fragment",
        "https://app.example/\r\nx",
        " https://app.example/",
        "file:///etc/passwd",
        "https://",
        "null",
        &long,
    ] {
        let begun = server.identity.begin_login(Some(bad), None).await;
        // `https:app.example` is read as an address of that host by browsers and by us alike.
        if bad == "https:app.example" {
            begun.expect("the same origin");
            continue;
        }
        let error = begun.expect_err(bad);
        assert_eq!((error.code(), error.param_name()), ("invalid_redirect_url", Some("redirect_url")), "{bad}");
    }
}

#[tokio::test]
async fn the_page_serves_one_client_one_way() {
    let database = testkit::database::Database::sqlite();
    let server = Server::new(&database).await;
    let good = begin(&server).await;
    server.identity.check_authorization(&good).unwrap();
    let with = |change: fn(&mut AuthorizationRequest)| {
        let mut request = good.clone();
        change(&mut request);
        server.identity.check_authorization(&request).unwrap_err().param_name().unwrap().to_owned()
    };
    assert_eq!(with(|r| r.client_id = "evil".to_owned()), "client_id");
    assert_eq!(with(|r| r.redirect_uri = "https://evil.example/".to_owned()), "redirect_uri");
    assert_eq!(with(|r| r.redirect_uri.push('/')), "redirect_uri");
    assert_eq!(with(|r| r.response_type = "token".to_owned()), "response_type");
    assert_eq!(with(|r| r.code_challenge_method = "plain".to_owned()), "code_challenge_method");
    assert_eq!(with(|r| r.code_challenge = "short".to_owned()), "code_challenge");
    assert_eq!(with(|r| r.code_challenge.push('=')), "code_challenge");
    assert_eq!(with(|r| r.state.clear()), "state");
    assert_eq!(with(|r| r.state = "s".repeat(513)), "state");
}

#[tokio::test]
async fn guessing_ends() {
    let database = testkit::database::Database::sqlite();
    let server = Server::new(&database).await;
    with_ada(&server).await;
    let request = begin(&server).await;
    let from = Some("203.0.113.7".parse().unwrap());
    let wrong = Secret::new("wrong horse");
    let mut kinds = Vec::new();
    for _ in 0..21 {
        kinds.push(server.identity.authorize(&request, BROWSER, "ada", &wrong, from).await.unwrap_err().kind());
    }
    assert!(kinds[..20].iter().all(|kind| *kind == Kind::Unauthenticated), "{kinds:?}");
    assert!(matches!(kinds[20], Kind::RateLimited(Some(_))), "{kinds:?}");
}

#[tokio::test]
async fn an_operator_may_want_no_new_accounts() {
    let database = testkit::database::Database::sqlite();
    let server = Server::with(&database, Options { registration: false, ..Options::default() }).await;
    let wish = AccountWish { email: "eve@example.org".to_owned(), ..AccountWish::default() };
    let error = server.identity.register(&begin(&server).await, BROWSER, wish, None).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Forbidden, "registration_disabled"));
}
