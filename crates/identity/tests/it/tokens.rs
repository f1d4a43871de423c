//! Which access tokens are believed (`security.md` A3, A4).

use std::time::Duration;

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rsa::{KeyPair, KeySize},
    signature::{self, KeyPair as _, RSA_PKCS1_SHA512, RSA_PSS_SHA256},
};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{Method, Role};
use serde_json::{Value, json};
use testkit::on_both_databases;

use crate::support::{ISSUER, NOW, Server, claims, header, right_header, signed, signed_as, unsigned, with_signature};

on_both_databases! {
    async fn a_guests_token_is_believed(database: Database) {
        let server = Server::new(&database).await;
        let guest = server.guest().await;
        let caller = server.bearer(guest.access_token.expose()).await.unwrap();
        assert_eq!(caller.user_id, guest.user.id);
        assert_eq!(caller.roles, [Role::Guest]);
        assert_eq!(caller.username, guest.user.username);
        assert!(matches!(caller.method, Method::Jwt(Some(_))));
        let again = server.bearer(guest.access_token.expose()).await.unwrap();
        assert_eq!(again, caller, "from the cache");

        assert_eq!(header(guest.access_token.expose()), right_header(&server.kid()));
        let said = claims(guest.access_token.expose());
        assert_eq!(said["iss"], ISSUER);
        assert_eq!(said["sub"], guest.user.id.as_str());
        assert_eq!(said["iat"], NOW.seconds());
        assert_eq!(said["exp"], NOW.seconds() + 3_600);
        assert!(said["jti"].as_str().unwrap().starts_with("tok_"));
    }

    async fn an_expired_token_says_so(database: Database) {
        let server = Server::new(&database).await;
        let guest = server.guest().await;
        server.clock.advance(Duration::from_secs(3_599));
        server.bearer(guest.access_token.expose()).await.expect("good to the last second");
        server.clock.advance(Duration::from_secs(1));
        assert_eq!(server.refusal(guest.access_token.expose()).await, "token_expired");
    }

    async fn roles_come_from_the_users_row(database: Database) {
        let server = Server::new(&database).await;
        let guest = server.guest().await;
        let mut said = claims(guest.access_token.expose());
        said["roles"] = json!(["admin"]);
        said["realm_access"] = json!({"roles": ["admin"]});
        said["is_admin"] = json!(true);
        said["feature_flags"] = json!(["admin_access"]);
        let token = signed(&right_header(&server.kid()), &said, &server.signing_key());
        assert_eq!(server.bearer(&token).await.unwrap().roles, [Role::Guest]);
    }

    async fn an_ended_session_takes_its_tokens_along(database: Database) {
        let server = Server::new(&database).await;
        let guest = server.guest().await;
        let token = guest.access_token.expose();
        let caller = server.bearer(token).await.unwrap();
        let Method::Jwt(Some(session)) = &caller.method else { panic!("a session") };
        let mut tx = server.store.write().await.unwrap();
        assert!(tx.revoke_session(&caller.user_id, session, NOW).await.unwrap());
        tx.commit().await.unwrap();
        server.clock.advance(Duration::from_millis(1_500));
        assert_eq!(server.refusal(token).await, "invalid_token");
    }
}

/// A server, and a good token's parts to bend.
struct Bench {
    server: Server,
    key: KeyPair,
    kid: String,
    claims: Value,
    token: String,
    _database: testkit::database::Database,
}

async fn bench() -> Bench {
    let database = testkit::database::Database::sqlite();
    let server = Server::new(&database).await;
    let token = server.guest().await.access_token.expose().to_owned();
    let (key, kid, claims) = (server.signing_key(), server.kid(), claims(&token));
    Bench { server, key, kid, claims, token, _database: database }
}

impl Bench {
    async fn refuses(&self, what: &str, token: &str) {
        assert_eq!(self.server.refusal(token).await, "invalid_token", "{what}: {token}");
    }
}

#[tokio::test]
async fn what_the_tests_forge_would_be_believed() {
    let bench = bench().await;
    let token = signed(&right_header(&bench.kid), &bench.claims, &bench.key);
    bench.server.bearer(&token).await.expect("otherwise the refusals below prove nothing");
}

#[tokio::test]
async fn no_other_algorithm_is_believed() {
    let bench = bench().await;
    let claims = bench.claims.to_string();
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({"typ": "at+jwt", "alg": none, "kid": bench.kid}).to_string();
        let unsigned = unsigned(&header, &claims);
        bench.refuses(none, &format!("{unsigned}.")).await;
        bench.refuses(none, &with_signature(&unsigned, b"signature")).await;
    }

    // The public key as a secret, in each form in which a careless verifier might hold it.
    let public = bench.key.public_key();
    let jwk = &bench.server.identity.public_keys()[0];
    let spki: aws_lc_rs::encoding::PublicKeyX509Der<'_> = public.as_der().unwrap();
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64_STANDARD.encode(spki.as_ref()));
    let secrets: [&[u8]; 6] = [
        public.as_ref(),
        spki.as_ref(),
        pem.as_bytes(),
        jwk.n.as_bytes(),
        &BASE64_URL_SAFE_NO_PAD.decode(&jwk.n).unwrap(),
        &serde_json::to_vec(jwk).unwrap(),
    ];
    for secret in secrets {
        for (name, algorithm) in [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512)] {
            let header = json!({"typ": "at+jwt", "alg": name, "kid": bench.kid}).to_string();
            let unsigned = unsigned(&header, &claims);
            let tag = hmac::sign(&hmac::Key::new(algorithm, secret), unsigned.as_bytes());
            bench.refuses(name, &with_signature(&unsigned, tag.as_ref())).await;
        }
    }

    // Our own key, as another algorithm.
    for (name, encoding) in [("RS512", &RSA_PKCS1_SHA512), ("PS256", &RSA_PSS_SHA256)] {
        let header = json!({"typ": "at+jwt", "alg": name, "kid": bench.kid}).to_string();
        bench.refuses(name, &signed_as(encoding, &unsigned(&header, &claims), &bench.key)).await;
    }
    for (name, length) in [("ES256", 64), ("EdDSA", 64)] {
        let header = json!({"typ": "at+jwt", "alg": name, "kid": bench.kid}).to_string();
        bench.refuses(name, &with_signature(&unsigned(&header, &claims), &vec![0; length])).await;
    }
}

#[tokio::test]
async fn no_other_header_is_believed() {
    let bench = bench().await;
    let jwk = serde_json::to_value(&bench.server.identity.public_keys()[0]).unwrap();
    let right = right_header(&bench.kid);
    let bent = |name: &str, value: Value| {
        let mut header = right.clone();
        header[name] = value;
        header
    };
    let mut headers = vec![
        bent("crit", json!(["exp"])),
        bent("jku", json!("https://example.com/jwks.json")),
        bent("x5u", json!("https://example.com/cert.pem")),
        bent("jwk", jwk),
        bent("typ", json!("JWT")),
        bent("typ", json!("ID")),
        bent("typ", json!("Refresh")),
        bent("b64", json!(false)),
    ];
    for kid in ["", "../signing-key.der", "/dev/null", "' OR '1'='1", "\u{0}", "another"] {
        headers.push(bent("kid", json!(kid)));
    }
    headers.push(json!({"typ": "at+jwt", "alg": "RS256"}));
    headers.push(json!({"alg": "RS256", "kid": bench.kid}));
    for header in headers {
        bench.refuses("header", &signed(&header, &bench.claims, &bench.key)).await;
    }
    let twice = format!(r#"{{"typ":"at+jwt","alg":"none","alg":"RS256","kid":"{}"}}"#, bench.kid);
    let twice = unsigned(&twice, &bench.claims.to_string());
    bench.refuses("alg twice", &signed_as(&signature::RSA_PKCS1_SHA256, &twice, &bench.key)).await;
}

#[tokio::test]
async fn no_other_key_is_believed() {
    let bench = bench().await;
    let other = KeyPair::generate(KeySize::Rsa2048).unwrap();
    bench.refuses("under our name", &signed(&right_header(&bench.kid), &bench.claims, &other)).await;
    bench.refuses("under its own", &signed(&right_header("other"), &bench.claims, &other)).await;
}

#[tokio::test]
async fn no_bent_claims_are_believed() {
    let bench = bench().await;
    let now = NOW.seconds();
    let cases = [
        ("iss", json!("https://example.com")),
        ("iss", json!(format!("{ISSUER}/"))),
        ("iss", json!([ISSUER])),
        ("aud", json!("account")),
        ("aud", json!([])),
        ("sub", json!("user_00000000000000000000")),
        ("sub", json!(7)),
        ("sid", json!("sess_00000000000000000000")),
        ("sid", json!("")),
        ("exp", json!((now + 60).to_string())),
        ("exp", json!(1e300)),
        ("nbf", json!(now + 61)),
        ("iat", json!(now + 61)),
    ];
    for (name, value) in cases {
        let mut claims = bench.claims.clone();
        claims[name] = value;
        bench.refuses(name, &signed(&right_header(&bench.kid), &claims, &bench.key)).await;
    }
    for name in ["iss", "aud", "sub", "sid", "exp", "nbf", "iat", "jti"] {
        let mut claims = bench.claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        bench.refuses(name, &signed(&right_header(&bench.kid), &claims, &bench.key)).await;
        claims[name] = Value::Null;
        bench.refuses(name, &signed(&right_header(&bench.kid), &claims, &bench.key)).await;
    }
    let mut claims = bench.claims.to_string();
    claims.insert_str(1, r#""sub":"user_00000000000000000000","#);
    let twice = unsigned(&right_header(&bench.kid).to_string(), &claims);
    bench.refuses("sub twice", &signed_as(&signature::RSA_PKCS1_SHA256, &twice, &bench.key)).await;
}

#[tokio::test]
async fn no_tampering_is_believed() {
    let bench = bench().await;
    let (message, signature) = bench.token.rsplit_once('.').unwrap();
    let head = message.split('.').next().unwrap();
    let other = bench.server.guest().await.access_token.expose().to_owned();
    let (other_message, other_signature) = other.rsplit_once('.').unwrap();
    bench.refuses("signature stripped", &format!("{message}.")).await;
    bench.refuses("signature gone", message).await;
    bench.refuses("signature swapped", &format!("{message}.{other_signature}")).await;
    bench.refuses("claims swapped", &format!("{other_message}.{signature}")).await;
    bench.refuses("four parts", &format!("{}.x", bench.token)).await;
    bench.refuses("no JSON", &with_signature(&format!("{head}.AAAA"), b"x")).await;
    bench.refuses("dots", "..").await;
    bench.refuses("no base64", "%%.%%.%%").await;
    bench.refuses("not ours", "eyJhbGciOiJSUzI1NiJ9.e30.AAAA").await;
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    for at in [0, 100, 255] {
        bytes[at] ^= 1;
        bench.refuses("a bit flipped", &with_signature(message, &bytes)).await;
        bytes[at] ^= 1;
    }
    bench.server.bearer(&with_signature(message, &bytes)).await.expect("the bits are back");
}

#[tokio::test]
async fn too_long_a_token_is_refused_unread() {
    let bench = bench().await;
    let mut claims = bench.claims.clone();
    claims["preferred_username"] = json!("x".repeat(8 * 1024));
    bench.refuses("long", &signed(&right_header(&bench.kid), &claims, &bench.key)).await;
    claims["preferred_username"] = json!("x".repeat(4 * 1024));
    let token = signed(&right_header(&bench.kid), &claims, &bench.key);
    assert!(token.len() < 8 * 1024);
    bench.server.bearer(&token).await.expect("long, but not too long");
}

/// Clocks of servers differ a little.
#[tokio::test]
async fn a_token_from_a_moment_ahead_is_believed() {
    let bench = bench().await;
    let mut claims = bench.claims.clone();
    claims["nbf"] = json!(NOW.seconds() + 60);
    claims["iat"] = json!(NOW.seconds() + 60);
    bench.server.bearer(&signed(&right_header(&bench.kid), &claims, &bench.key)).await.unwrap();
}
