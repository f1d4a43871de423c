//! To the provider and back.

use std::time::Duration;

use domain::{
    Kind, Role, Secret,
    audit::{Act, Filter},
    page::PageRequest,
};
use identity::{AccountWish, Answer, Arrived, LoginWish, OidcOptions, Options, UserChange};
use outbound::Client;
use serde_json::{Value, json};
use testkit::{
    oidc::{DISCOVERY, KEYS, Reply, TOKEN, USER_INFO},
    on_both_databases,
};

use super::{
    ACCESS, BROWSER, CLIENT, KEY, SECRET, Sso, access_token, arrive, asked, challenge, failure, form, id_token, jwk,
    query, send,
};
use crate::support::{ISSUER, Server};

on_both_databases! {
    async fn a_browser_goes_there_and_comes_back_with_a_session(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let target = "http://localhost:3000/landing";
        let went = sso.go(&server, LoginWish { redirect_url: Some(target), ..LoginWish::default() }).await;
        assert_eq!((&*went["client_id"], &*went["response_type"], &*went["scope"]), (CLIENT, "code", "openid profile email"));
        assert_eq!((&*went["redirect_uri"], &*went["code_challenge_method"]), (&*format!("{ISSUER}/auth/callback"), "S256"));
        assert!(went["state"].len() >= 43 && went["nonce"].len() >= 43);
        sso.grants(&id_token(&sso.id_claims(&went["nonce"])));

        // Any server on the database may be the one the browser comes back to.
        let peer = sso.server(&database).await;
        let arrival = arrive(&peer, &went["state"]).await.unwrap();
        assert_eq!(arrival.redirect_url, target);
        let Arrived::SignedIn(sign_in) = arrival.outcome.unwrap() else { panic!("no session") };
        let exchange = &sso.0.asked(TOKEN)[0];
        let sent = form(&exchange.body);
        assert_eq!((&*sent["grant_type"], &*sent["code"], &sent["redirect_uri"]), ("authorization_code", "code", &went["redirect_uri"]));
        assert_eq!(challenge(&sent["code_verifier"]), went["code_challenge"]);
        assert!(exchange.headers["authorization"].to_str().unwrap().starts_with("Basic "));
        assert!(!exchange.body.contains("secret"));

        let user = &sign_in.user;
        assert_eq!((&*user.issuer, &*user.subject, &*user.username), (&*sso.0.issuer(), "ada-1", "ada"));
        assert_eq!((user.email.as_deref(), user.email_verified, user.name.as_deref()), (Some("ada@example.org"), true, Some("Ada Lovelace")));
        assert_eq!(user.roles, [Role::User]);
        let caller = server.bearer(sign_in.access_token.expose()).await.unwrap();
        assert_eq!(caller.user_id, user.id);
        let profile = server.identity.external_profile(&caller).await.unwrap();
        assert_eq!(profile.picture.unwrap(), "https://pictures.example/ada.png");
        server.identity.refresh(sign_in.refresh_token.expose()).await.unwrap();

        let again = sso.sign_in(&server, |claims| claims["name"] = json!("Countess")).await.unwrap();
        assert_eq!((again.user.id, again.user.name.as_deref()), (user.id.clone(), Some("Countess")));

        let say = |groups: serde_json::Value| {
            move |claims: &mut serde_json::Value| {
                claims["groups"] = groups;
                claims["feature_flags"] = json!(["beta"]);
            }
        };
        sso.sign_in(&server, say(json!(["/staff", "a\u{0}b", "x".repeat(300), 7]))).await.unwrap();
        sso.sign_in(&server, |_| {}).await.unwrap();
        let profile = server.identity.external_profile(&caller).await.unwrap();
        assert_eq!((profile.groups, profile.feature_flags), (vec!["/staff".to_owned()], vec!["beta".to_owned()]));
        assert!(profile.picture.is_some(), "what is not said stays");
        sso.sign_in(&server, say(json!([]))).await.unwrap();
        assert_eq!(server.identity.external_profile(&caller).await.unwrap().groups, [""; 0]);
    }

    async fn a_state_counts_once_soon_and_in_its_own_browser(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        assert_eq!(failure(arrive(&server, "forged").await), "invalid_state");
        assert_eq!(failure(arrive(&server, "").await), "invalid_state");

        let went = sso.go(&server, LoginWish::default()).await;
        sso.grants(&id_token(&sso.id_claims(&went["nonce"])));
        arrive(&server, &went["state"]).await.unwrap().outcome.unwrap();
        assert_eq!(failure(arrive(&server, &went["state"]).await), "invalid_state");

        for other in [None, Some("another browser's cookie")] {
            let went = sso.go(&server, LoginWish::default()).await;
            let answer = Answer { state: went["state"].clone(), code: Some("code".to_owned()), ..Answer::default() };
            let arrival = server.identity.arrive(&answer, other).await.unwrap();
            assert_eq!(failure(arrival.outcome), "invalid_state");
            assert_eq!(failure(arrive(&server, &went["state"]).await), "invalid_state", "it is used up");
        }
        assert_eq!(sso.0.asked(TOKEN).len(), 1, "the provider is not asked for what is refused");

        let went = sso.go(&server, LoginWish::default()).await;
        server.clock.advance(Duration::from_mins(11));
        assert_eq!(failure(arrive(&server, &went["state"]).await), "invalid_state");
    }

    async fn the_way_out_begins_here(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let begun = server.identity.begin_sign_in(LoginWish::default(), None).await.unwrap();
        let mut request = asked(&begun.url);
        request.code_challenge = challenge("somebody else's verifier");
        assert_eq!(failure(server.identity.begin_external(&request, BROWSER, None).await), "invalid_state");
        "forged".clone_into(&mut request.state);
        assert_eq!(failure(server.identity.begin_external(&request, BROWSER, None).await), "invalid_state");
        let evil = LoginWish { redirect_url: Some("https://evil.example/"), ..LoginWish::default() };
        assert_eq!(failure(send(&server, evil).await), "invalid_redirect_url");
        let other = LoginWish { provider: Some("other"), ..LoginWish::default() };
        assert_eq!(failure(server.identity.begin_sign_in(other, None).await), "invalid_parameter");
        let nobody = Server::new(&database).await;
        assert_eq!(failure(send(&nobody, LoginWish::default()).await), "invalid_parameter");
    }

    async fn what_the_provider_refuses_is_said_where_the_sign_in_began(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let issuer = sso.0.issuer();
        for (error, iss, code) in [
            (Some("access_denied"), None, "access_denied"),
            (Some("temporarily_unavailable"), None, "identity_provider_unavailable"),
            (Some("<script>"), None, "server_error"),
            (None, None, "invalid_request"),
            (None, Some("https://evil.example"), "invalid_request"),
            (Some("access_denied"), Some(issuer.as_str()), "access_denied"),
        ] {
            let went = sso.go(&server, LoginWish::default()).await;
            let text = |text: Option<&str>| text.map(str::to_owned);
            let answer = Answer { state: went["state"].clone(), code: None, error: text(error), iss: text(iss) };
            let arrival = server.identity.arrive(&answer, Some(BROWSER)).await.unwrap();
            let refused = arrival.outcome.unwrap_err();
            assert_eq!(refused.code(), code, "{error:?} {iss:?}");
            assert!(!refused.message().contains("script"));
            assert_eq!(arrival.redirect_url, format!("{ISSUER}/auth/done"));
        }
        assert!(sso.0.asked(TOKEN).is_empty());
    }

    async fn a_flag_of_the_provider_makes_an_administrator_while_it_says_so(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let roles = async |claims: Value| {
            let bend = |said: &mut Value| said.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
            sso.sign_in(&server, bend).await.unwrap().user.roles
        };
        assert_eq!(roles(json!({"feature_flags": ["admin_access"]})).await, [Role::User, Role::Admin]);
        assert_eq!(roles(json!({"feature_flags": []})).await, [Role::User]);
        assert_eq!(roles(json!({"is_admin": true})).await, [Role::User, Role::Admin]);
        assert_eq!(roles(json!({"is_admin": false, "name": "is_admin"})).await, [Role::User]);
    }

    async fn an_announced_iss_must_be_there(database: Database) {
        let sso = Sso::start().await;
        let mut document = sso.0.document();
        document["authorization_response_iss_parameter_supported"] = json!(true);
        sso.0.reply(DISCOVERY, Reply::Json(200, document));
        let server = sso.server(&database).await;
        assert_eq!(failure(sso.sign_in(&server, |_| ()).await), "invalid_request");
        let went = sso.go(&server, LoginWish::default()).await;
        sso.grants(&id_token(&sso.id_claims(&went["nonce"])));
        let (code, iss) = (Some("code".to_owned()), Some(sso.0.issuer()));
        let answer = Answer { state: went["state"].clone(), code, error: None, iss };
        server.identity.arrive(&answer, Some(BROWSER)).await.unwrap().outcome.unwrap();
    }

    async fn an_address_links_nobody(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let password = Secret::new("correct horse");
        let wish = AccountWish {
            email: "ada@example.org".to_owned(),
            username: Some("ada".to_owned()),
            password: Some(password.clone()),
            ..AccountWish::default()
        };
        let local = server.identity.create_account(wish, vec![Role::User, Role::Admin]).await.unwrap();
        let external = sso.sign_in(&server, |_| ()).await.unwrap().user;
        assert_ne!(external.id, local.id);
        assert_eq!((external.roles.as_slice(), external.email.as_deref()), (&[Role::User][..], Some("ada@example.org")));
        assert!(external.username.starts_with("ada-") && external.username.len() == 10, "{}", external.username);
        // The local account goes on as it was.
        assert_eq!(server.identity.sign_in("ada@example.org", &password).await.unwrap().user.id, local.id);
        // Nor does another subject of the provider with the same address.
        let other = sso.sign_in(&server, |claims| claims["sub"] = json!("ada-2")).await.unwrap().user;
        assert!(other.id != external.id && other.id != local.id);
    }

    async fn roles_follow_the_provider_at_each_sign_in(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let admin = sso.sign_in(&server, |claims| claims["realm_access"] = json!({"roles": ["admin"]})).await.unwrap();
        assert_eq!(admin.user.roles, [Role::User, Role::Admin]);
        let token = admin.access_token.expose();
        assert!(server.bearer(token).await.unwrap().is_admin());
        sso.sign_in(&server, |claims| claims["realm_access"] = json!({"roles": []})).await.unwrap();
        assert!(!server.bearer(token).await.unwrap().is_admin(), "in the sessions from before, too");

        // What the server's own administrator gives stays where the provider does not say.
        let ours = sso.server_with(&database, OidcOptions { admin_roles: vec![], ..sso.options() }).await;
        let change = UserChange { roles: Some(vec![Role::User, Role::Admin]), ..UserChange::default() };
        ours.identity.update_user(&admin.user.id, &change).await.unwrap();
        let again = sso.sign_in(&ours, |_| ()).await.unwrap();
        assert_eq!(again.user.roles, [Role::User, Role::Admin]);
    }

    async fn a_user_is_made_with_a_session_or_not_at_all(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        database.execute("ALTER TABLE external_sessions RENAME TO away").await;
        sso.sign_in(&server, |_| ()).await.unwrap_err();
        assert_eq!(database.number("SELECT COUNT(*) FROM users").await, 0);
        database.execute("ALTER TABLE away RENAME TO external_sessions").await;
        sso.sign_in(&server, |_| ()).await.unwrap();
    }

    async fn roles_may_stand_in_the_access_token_or_the_details(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        // As Keycloak does it: not in the ID token.
        let went = sso.go(&server, LoginWish::default()).await;
        let mut id = sso.id_claims(&went["nonce"]);
        id.as_object_mut().unwrap().remove("realm_access");
        let mut access = sso.access_claims();
        access["realm_access"]["roles"] = json!(["admin"]);
        let tokens = json!({"id_token": id_token(&id), "access_token": access_token(&access)});
        sso.0.reply(TOKEN, Reply::Json(200, tokens));
        let Arrived::SignedIn(admin) = arrive(&server, &went["state"]).await.unwrap().outcome.unwrap() else { panic!() };
        assert_eq!(admin.user.roles, [Role::User, Role::Admin]);
        assert!(sso.0.asked(USER_INFO).is_empty(), "there was nothing left to ask for");

        let bare = |claims: &mut serde_json::Value| {
            for name in ["email", "email_verified", "name", "preferred_username", "realm_access"] {
                claims.as_object_mut().unwrap().remove(name);
            }
            claims["sub"] = json!("bob-1");
        };
        sso.0.reply(USER_INFO, Reply::Json(200, json!({"sub": "bob-1", "email": "bob@example.org", "name": "Bob",
            "realm_access": {"roles": ["admin"]}})));
        let bob = sso.sign_in(&server, bare).await.unwrap().user;
        assert_eq!((bob.email.as_deref(), bob.email_verified, bob.roles.len()), (Some("bob@example.org"), false, 2));
        assert_eq!(sso.0.asked(USER_INFO)[0].headers["authorization"], format!("Bearer {ACCESS}"));
        sso.0.reply(USER_INFO, Reply::Json(200, json!({"sub": "eve-1", "email": "eve@example.org"})));
        assert_eq!(failure(sso.sign_in(&server, bare).await), "token_exchange_failed");
    }

    async fn who_may_not_come_in_does_not(database: Database) {
        let sso = Sso::start().await;
        let staff = vec!["staff".to_owned()];
        let server = sso.server_with(&database, OidcOptions { allowed_groups: staff, ..sso.options() }).await;
        assert_eq!(failure(sso.sign_in(&server, |_| ()).await), "access_denied");
        let ada = sso.sign_in(&server, |claims| claims["groups"] = json!(["staff"])).await.unwrap();
        let admin = sso.sign_in(&server, |claims| {
            claims["sub"] = json!("root-1");
            claims["groups"] = json!(["staff"]);
            claims["realm_access"] = json!({"roles": ["admin"]});
        });
        admin.await.unwrap();
        server.bearer(ada.access_token.expose()).await.unwrap();
        assert_eq!(failure(sso.sign_in(&server, |_| ()).await), "access_denied");
        assert_eq!(server.refusal(ada.access_token.expose()).await, "invalid_token", "who left the group is out at once");
        server.identity.set_disabled(&ada.user.id, true).await.unwrap();
        let refused = sso.sign_in(&server, |claims| claims["groups"] = json!(["staff"])).await.unwrap_err();
        assert_eq!((refused.code(), refused.kind()), ("access_denied", Kind::Forbidden));
        assert!(refused.message().contains("deactivated"));
        server.settle().await;
        let failures = Filter { act: Some(Act::SignInFailed), ..Filter::default() };
        let lines = server.identity.audit_log(&failures, &PageRequest { limit: 10, ..PageRequest::default() }).await;
        let mut targets: Vec<_> = lines.unwrap().items.into_iter().map(|line| line.target).collect();
        targets.sort();
        assert_eq!(targets, [None, Some(ada.user.id.to_string())], "a stranger, and who left or was kept out");
    }

    async fn passwords_can_be_switched_off(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server_with(&database, OidcOptions { built_in_sign_in: false, ..sso.options() }).await;
        let begun = server.identity.begin_sign_in(LoginWish::default(), None).await.unwrap();
        assert_eq!(query(&begun.url)["provider"], "oidc");
        assert!(server.identity.leads_out(None) && !server.identity.registration());
        let request = asked(&begun.url);
        let password = Secret::new("correct horse");
        let refused = server.identity.authorize(&request, BROWSER, "ada", &password, None).await;
        assert_eq!(failure(refused), "built_in_sign_in_disabled");
        let wish = AccountWish { email: "ada@example.org".to_owned(), password: Some(password), ..AccountWish::default() };
        assert_eq!(failure(server.identity.register(&request, BROWSER, wish.clone(), None).await), "built_in_sign_in_disabled");
        let guest = server.caller().await;
        assert_eq!(failure(server.identity.upgrade(&guest, wish).await), "built_in_sign_in_disabled");
        assert_eq!(server.identity.setup_link().await.unwrap(), None);
        sso.sign_in(&server, |_| ()).await.unwrap();
    }

    async fn logging_out_ends_the_providers_session_too(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let ada = sso.sign_in(&server, |_| ()).await.unwrap();
        let token = ada.access_token.expose();
        assert_eq!(failure(server.identity.log_out(token, Some("https://evil.example/")).await), "invalid_redirect_url");
        server.bearer(token).await.expect("nothing was ended");
        let target = "http://localhost:3000/bye";
        let url = server.identity.log_out(token, Some(target)).await.unwrap().unwrap();
        assert!(url.starts_with(&format!("{}/logout?", sso.0.issuer())), "{url}");
        let sent = query(&url);
        assert_eq!((&*sent["client_id"], &*sent["post_logout_redirect_uri"]), (CLIENT, target));
        assert_eq!(crate::support::claims(&sent["id_token_hint"])["sub"], "ada-1");
        assert_eq!(server.refusal(token).await, "invalid_token");
        assert_eq!(failure(server.identity.refresh(ada.refresh_token.expose()).await), "invalid_refresh_token");
        assert_eq!(server.identity.log_out(token, None).await.unwrap(), None, "once is enough");
        // Who did not come from there has no session there.
        let guest = server.guest().await;
        assert_eq!(server.identity.log_out(guest.access_token.expose(), None).await.unwrap(), None);
    }

    async fn a_server_lives_without_its_provider(database: Database) {
        let sso = Sso::start().await;
        let (document, keys) = (sso.0.document(), json!({"keys": [jwk("one", &KEY)]}));
        sso.0.reply(DISCOVERY, Reply::Json(503, json!({})));
        let server = sso.server(&database).await;
        let down = send(&server, LoginWish::default()).await.unwrap_err();
        assert_eq!(down.code(), "identity_provider_unavailable");
        assert!(matches!(down.kind(), Kind::Unavailable(Some(_))));
        assert!(!down.message().contains("127.0.0.1"));
        for _ in 0..20 {
            send(&server, LoginWish::default()).await.unwrap_err();
        }
        assert_eq!(sso.0.asked(DISCOVERY).len(), 1, "callers do not hammer it");
        server.guest().await;
        sso.0.reply(DISCOVERY, Reply::Json(200, document));
        sso.0.reply(KEYS, Reply::Json(200, keys));
        server.clock.advance(Duration::from_secs(3));
        send(&server, LoginWish::default()).await.unwrap();
        // What is known stays when it is gone again.
        sso.0.reply(DISCOVERY, Reply::Json(503, json!({})));
        sso.0.reply(KEYS, Reply::Json(503, json!({})));
        send(&server, LoginWish::default()).await.unwrap();
    }
}

#[tokio::test]
async fn secrets_do_not_show() {
    let sso = Sso::start().await;
    let options = Options { oidc: sso.options(), ..Options::default() };
    assert!(!format!("{options:?}").contains(SECRET));
    let client = Client::new(&outbound::Options::default()).unwrap();
    assert!(!format!("{client:?}").contains(SECRET));
}
