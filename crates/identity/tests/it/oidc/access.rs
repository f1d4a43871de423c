//! The provider's access tokens with requests.

use std::time::Duration;

use domain::{Method, Role};
use identity::OidcOptions;
use serde_json::{Value, json};
use testkit::{
    database::Database,
    oidc::{DISCOVERY, KEYS, Reply},
    on_both_databases,
};

use super::{CLIENT, KEY, NEXT_KEY, Sso, access_token, failure, id_token, jwk};
use crate::support::{NOW, Server, signed};

const WRITES: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM users";
const ASSERTED: &str = "SELECT CAST(MAX(asserted_at) AS BIGINT) FROM external_accounts";

on_both_databases! {
    async fn a_token_of_the_provider_is_a_caller_and_makes_a_user(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let token = access_token(&sso.access_claims());
        let caller = server.bearer(&token).await.unwrap();
        assert_eq!((&*caller.subject, &*caller.username, &caller.roles), ("ada-1", "ada", &vec![Role::User]));
        assert_eq!(caller.method, Method::Jwt(None));
        // The same user as of a sign-in, and on every server.
        assert_eq!(sso.sign_in(&server, |_| ()).await.unwrap().user.id, caller.user_id);
        let peer = sso.server(&database).await;
        assert_eq!(peer.bearer(&token).await.unwrap().user_id, caller.user_id);
        assert_eq!(database.number(WRITES).await, 1);
    }

    async fn a_crowd_of_first_requests_makes_one_user(database: Database) {
        let sso = Sso::start().await;
        let (server, peer) = (sso.server(&database).await, sso.server(&database).await);
        let tokens: Vec<String> = (0..6).map(|jti| {
            let mut claims = sso.access_claims();
            claims["jti"] = json!(jti);
            access_token(&claims)
        }).collect();
        let calls = tokens.iter().enumerate().map(|(at, token)| if at % 2 == 0 { server.bearer(token) } else { peer.bearer(token) });
        let ids: Vec<_> = futures_util::future::join_all(calls).await.into_iter().map(|caller| caller.unwrap().user_id.clone()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]));
        assert_eq!(database.number(WRITES).await, 1);
    }

    async fn of_the_words_of_a_crowd_the_newest_stay(database: Database) {
        let sso = Sso::start().await;
        let (server, peer) = (sso.server(&database).await, sso.server(&database).await);
        for round in 0..4 {
            let tokens: Vec<String> = (0..8).map(|at| {
                let mut claims = sso.access_claims();
                claims["iat"] = json!(NOW.seconds() - 8 + at);
                claims["sub"] = json!(format!("ada-{round}"));
                claims["email"] = json!(format!("ada{at}@example.org"));
                access_token(&claims)
            }).collect();
            let calls = tokens.iter().enumerate().map(|(at, token)| if at % 2 == 0 { server.bearer(token) } else { peer.bearer(token) });
            let callers = futures_util::future::join_all(calls).await;
            let user = server.identity.user(callers[0].as_ref().unwrap()).await.unwrap();
            assert_eq!(user.email.as_deref(), Some("ada7@example.org"));
        }
    }

    async fn only_newer_words_change_the_row(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let says = |at: i64, roles: &[&str]| {
            let mut claims = sso.access_claims();
            claims["iat"] = json!(NOW.seconds() + at);
            claims["realm_access"] = json!({"roles": roles});
            access_token(&claims)
        };
        assert!(!server.bearer(&says(-10, &[])).await.unwrap().is_admin());
        let written = database.number(ASSERTED).await;
        for later in [-9, -8, -7] {
            server.bearer(&says(later, &[])).await.unwrap();
        }
        assert_eq!(database.number(ASSERTED).await, written, "nothing new is not written");
        let admin = says(-5, &["admin"]);
        assert!(server.bearer(&admin).await.unwrap().is_admin());
        assert!(!server.bearer(&says(-3, &[])).await.unwrap().is_admin());
        server.clock.advance(Duration::from_secs(2));
        assert!(!server.bearer(&admin).await.unwrap().is_admin(), "an older token is not believed about roles");
    }

    async fn a_deactivated_user_is_out_whatever_the_provider_says(database: Database) {
        let sso = Sso::start().await;
        let (server, peer) = (sso.server(&database).await, sso.server(&database).await);
        let token = access_token(&sso.access_claims());
        let caller = server.bearer(&token).await.unwrap();
        peer.bearer(&token).await.unwrap();
        server.identity.set_disabled(&caller.user_id, true).await.unwrap();
        assert_eq!(server.refusal(&token).await, "invalid_token");
        peer.clock.advance(Duration::from_secs(2));
        assert_eq!(peer.refusal(&token).await, "invalid_token");
        let mut newer = sso.access_claims();
        newer["iat"] = json!(NOW.seconds() + 5);
        assert_eq!(server.refusal(&access_token(&newer)).await, "invalid_token");
    }

    async fn a_token_that_logged_out_is_out_everywhere(database: Database) {
        let sso = Sso::start().await;
        let (server, peer) = (sso.server(&database).await, sso.server(&database).await);
        let token = access_token(&sso.access_claims());
        let mut claims = sso.access_claims();
        claims["jti"] = json!("2");
        let other = access_token(&claims);
        for token in [&token, &other] {
            server.bearer(token).await.unwrap();
            peer.bearer(token).await.unwrap();
        }
        assert_eq!(server.identity.log_out(&token, None).await.unwrap(), None);
        assert_eq!(server.refusal(&token).await, "invalid_token");
        peer.clock.advance(Duration::from_secs(2));
        assert_eq!(peer.refusal(&token).await, "invalid_token");
        peer.bearer(&other).await.expect("the user's other token goes on");
        server.identity.log_out(&token, None).await.expect("leaving twice is no error");
        let unseen = bend(&sso, "sub", &json!("never-here"));
        server.identity.log_out(&unseen, None).await.unwrap();
        assert_eq!(server.refusal(&unseen).await, "invalid_token", "also of a user whom it would have made");
    }

    async fn keys_come_and_go(database: Database) {
        let sso = Sso::start().await;
        let server = sso.server(&database).await;
        let old = access_token(&sso.access_claims());
        let mut claims = sso.access_claims();
        claims["jti"] = json!("new");
        let new = signed(&json!({"alg": "RS256", "kid": "two"}), &claims, &NEXT_KEY);
        server.bearer(&old).await.unwrap();
        sso.0.reply(KEYS, Reply::Json(200, json!({"keys": [jwk("two", &NEXT_KEY)]})));
        server.bearer(&new).await.expect("an unknown key has the keys read again");
        server.clock.advance(Duration::from_secs(2));
        assert_eq!(server.refusal(&old).await, "invalid_token");
    }
}

#[tokio::test]
async fn unknown_keys_do_not_hammer_the_provider() {
    let sso = Sso::start().await;
    let database = Database::sqlite();
    let server = sso.server(&database).await;
    server.bearer(&access_token(&sso.access_claims())).await.unwrap();
    let before = sso.0.asked(KEYS).len();
    for kid in 0..60 {
        let token = signed(&json!({"alg": "RS256", "kid": format!("k{kid}")}), &sso.access_claims(), &KEY);
        assert_eq!(failure(server.bearer(&token).await), "invalid_token");
    }
    assert_eq!(sso.0.asked(KEYS).len(), before + 1);
    // While it is down, what is known goes on.
    sso.0.reply(KEYS, Reply::Json(500, json!({})));
    server.clock.advance(Duration::from_secs(31));
    let unknown = signed(&json!({"alg": "RS256", "kid": "late"}), &sso.access_claims(), &KEY);
    assert_eq!(failure(server.bearer(&unknown).await), "identity_provider_unavailable");
    server.bearer(&access_token(&sso.access_claims())).await.unwrap();
}

#[tokio::test]
async fn while_nothing_is_known_of_the_provider_its_tokens_wait() {
    let sso = Sso::start().await;
    sso.0.reply(DISCOVERY, Reply::Json(503, json!({})));
    let database = Database::sqlite();
    let server = sso.server(&database).await;
    let token = access_token(&sso.access_claims());
    assert_eq!(failure(server.bearer(&token).await), "identity_provider_unavailable");
    let guest = server.guest().await;
    server.bearer(guest.access_token.expose()).await.expect("our own are as good as ever");
}

#[tokio::test]
async fn a_token_with_one_thing_wrong_is_refused() {
    let database = Database::sqlite();
    let sso = Sso::start().await;
    let server = sso.server(&database).await;
    let now = NOW.seconds();
    let cases: Vec<(&str, Value, &str)> = vec![
        ("iss", json!("https://evil.example"), "invalid_token"),
        ("iss", json!(crate::support::ISSUER), "invalid_token"),
        ("iss", json!([sso.0.issuer()]), "invalid_token"),
        ("azp", json!("another-client"), "invalid_token"),
        ("azp", json!([CLIENT]), "invalid_token"),
        ("azp", Value::Null, "invalid_token"),
        ("exp", json!(now - 60), "token_expired"),
        ("exp", Value::Null, "invalid_token"),
        ("nbf", json!(now + 61), "invalid_token"),
        ("iat", json!(now + 61), "invalid_token"),
        ("typ", json!("ID"), "invalid_token"),
        ("typ", json!("Refresh"), "invalid_token"),
        ("typ", json!("Offline"), "invalid_token"),
        ("events", json!({"http://schemas.openid.net/event/backchannel-logout": {}}), "invalid_token"),
        ("sub", Value::Null, "invalid_token"),
    ];
    for (name, value, code) in cases {
        assert_eq!(server.refusal(&bend(&sso, name, &value)).await, code, "{name}: {value}");
    }
    for (name, value) in
        [("exp", json!(now - 59)), ("nbf", json!(now + 60)), ("typ", Value::Null), ("aud", json!(CLIENT))]
    {
        server.bearer(&bend(&sso, name, &value)).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    // An ID token is no access token, not even one of our own sign-in.
    assert_eq!(server.refusal(&id_token(&sso.id_claims("n"))).await, "invalid_token");
    let logout = signed(&json!({"alg": "RS256", "kid": "one", "typ": "logout+jwt"}), &sso.access_claims(), &KEY);
    assert_eq!(server.refusal(&logout).await, "invalid_token");
    // Without the provider, its tokens are nobody's.
    let nobody = Server::new(&database).await;
    assert_eq!(nobody.refusal(&access_token(&sso.access_claims())).await, "invalid_token");
}

#[tokio::test]
async fn an_id_token_is_no_access_token_of_whatever_provider() {
    let database = Database::sqlite();
    let sso = Sso::start().await;
    // The one setting that makes an ID token's audience an access token's is the most tempting.
    let both = vec![CLIENT.to_owned(), "api".to_owned()];
    let options = OidcOptions { clients: vec!["web-app".to_owned()], audiences: both, ..sso.options() };
    let (server, strict) = (sso.server(&database).await, sso.server_with(&database, options).await);
    let token = |typ: &str, says: &Value| {
        let now = NOW.seconds();
        let mut claims = json!({"iss": sso.0.issuer(), "sub": "ada-1", "exp": now + 300, "iat": now});
        claims.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
        signed(&json!({"alg": "RS256", "kid": "one", "typ": typ}), &claims, &KEY)
    };
    for (whose, says) in [
        ("Keycloak", json!({"aud": CLIENT, "azp": CLIENT, "typ": "ID", "sid": "1", "acr": "1"})),
        ("Entra ID", json!({"aud": CLIENT, "ver": "2.0", "tid": "1", "oid": "2", "roles": ["admin"]})),
        ("authentik", json!({"aud": CLIENT, "acr": "goauthentik.io/providers/oauth2/default", "amr": ["pwd"]})),
        ("Google", json!({"aud": CLIENT, "azp": CLIENT, "email": "ada@example.org"})),
        ("Cognito", json!({"aud": CLIENT, "token_use": "id", "cognito:username": "ada"})),
        ("Okta", json!({"aud": CLIENT, "ver": 1, "amr": ["pwd"], "at_hash": "x"})),
        ("Zitadel", json!({"aud": [CLIENT, "api"], "azp": CLIENT, "client_id": CLIENT, "at_hash": "x"})),
        ("a web app", json!({"aud": "web-app", "azp": "web-app"})),
        ("an API's client", json!({"aud": ["web-app", "api"], "azp": "web-app"})),
        ("somebody's", json!({"aud": CLIENT, "scope": "openid", "nonce": "n"})),
    ] {
        for server in [&server, &strict] {
            assert_eq!(server.refusal(&token("JWT", &says)).await, "invalid_token", "{whose}");
        }
    }
    for (whose, typ, says) in [
        ("Keycloak", "JWT", json!({"aud": "account", "azp": CLIENT, "typ": "Bearer", "scope": "openid"})),
        ("RFC 9068", "at+jwt", json!({"aud": CLIENT, "client_id": CLIENT, "jti": "1"})),
        ("Entra ID", "JWT", json!({"aud": CLIENT, "azp": CLIENT, "scp": "access_as_user", "ver": "2.0"})),
        ("authentik", "JWT", json!({"aud": CLIENT, "azp": CLIENT, "uid": "1", "scope": "openid profile"})),
        ("Cognito", "JWT", json!({"client_id": CLIENT, "token_use": "access", "scope": "openid"})),
        ("no audience", "JWT", json!({"azp": CLIENT})),
    ] {
        server.bearer(&token(typ, &says)).await.unwrap_or_else(|error| panic!("{whose}: {error:?}"));
    }
    strict
        .bearer(&token("JWT", &json!({"aud": "api", "azp": "web-app"})))
        .await
        .expect("for an API, and for no client");
}

#[tokio::test]
async fn other_clients_and_audiences_are_the_operators_to_name() {
    let database = Database::sqlite();
    let sso = Sso::start().await;
    let list = |name: &str| vec![name.to_owned()];
    let options = OidcOptions { clients: list("web-app"), audiences: list("urn:jan:api"), ..sso.options() };
    let server = sso.server_with(&database, options).await;
    let token = |azp: &str, aud: Value| {
        let mut claims = sso.access_claims();
        (claims["azp"], claims["aud"]) = (json!(azp), aud);
        access_token(&claims)
    };
    server.bearer(&token("web-app", json!(["account", "urn:jan:api"]))).await.unwrap();
    server.bearer(&token(CLIENT, json!("urn:jan:api"))).await.unwrap();
    assert_eq!(server.refusal(&token("web-app", json!("account"))).await, "invalid_token");
    assert_eq!(server.refusal(&token("stranger", json!("urn:jan:api"))).await, "invalid_token");
    let staff = OidcOptions { allowed_roles: list("staff"), ..sso.options() };
    let server = sso.server_with(&database, staff).await;
    assert_eq!(server.refusal(&access_token(&sso.access_claims())).await, "access_denied");
    server.bearer(&bend(&sso, "realm_access", &json!({"roles": ["staff"]}))).await.unwrap();
}

/// A token with one claim changed, or without it.
fn bend(sso: &Sso, name: &str, value: &Value) -> String {
    let mut claims = sso.access_claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value.clone();
    }
    access_token(&claims)
}
