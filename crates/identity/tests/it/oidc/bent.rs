//! A provider that lies, by accident or on purpose: nobody comes in.

use aws_lc_rs::{hmac, signature::RSA_PKCS1_SHA512};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use identity::{LoginWish, OidcOptions};
use serde_json::{Value, json};
use testkit::{
    database::Database,
    oidc::{DISCOVERY, KEYS, Reply, TOKEN},
};

use super::{ACCESS, CLIENT, KEY, NEXT_KEY, Sso, arrive, failure, id_token, send};
use crate::support::{NOW, signed, signed_as, unsigned, with_signature};

/// What is wrong with an ID token, and what makes it so.
type Forge<'a> = (&'a str, Box<dyn Fn(&Value) -> String + 'a>);

#[tokio::test]
async fn an_id_token_with_one_thing_wrong_is_refused() {
    let database = Database::sqlite();
    let sso = Sso::start().await;
    let server = sso.server(&database).await;
    let now = NOW.seconds();
    let cases: Vec<(&str, Value)> = vec![
        ("iss", json!("https://evil.example")),
        ("iss", json!(format!("{}/", sso.0.issuer()))),
        ("iss", json!([sso.0.issuer()])),
        ("iss", Value::Null),
        ("aud", json!("another-client")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("aud", json!([CLIENT, "another-client"])),
        ("azp", json!("another-client")),
        ("exp", json!(now - 61)),
        ("exp", Value::Null),
        ("exp", json!("never")),
        ("iat", json!(now + 61)),
        ("iat", Value::Null),
        ("nbf", json!(now + 61)),
        ("nonce", json!("another sign-in's")),
        ("nonce", Value::Null),
        ("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ")),
        ("typ", json!("Refresh")),
        ("typ", json!("Bearer")),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!("s".repeat(256))),
    ];
    for (name, value) in cases {
        let refused = sso.sign_in(&server, |claims| {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        });
        assert_eq!(failure(refused.await), "token_exchange_failed", "{name}: {value}");
    }
    // The same with nothing wrong, and with what is allowed at its edges.
    for (name, value) in [
        ("aud", json!([CLIENT])),
        ("azp", json!(CLIENT)),
        ("exp", json!(now - 59)),
        ("iat", json!(now + 60)),
        ("at_hash", json!(left_half(ACCESS))),
        ("typ", json!("ID")),
    ] {
        sso.sign_in(&server, |claims| claims[name] = value).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
}

#[tokio::test]
async fn an_id_token_signed_in_another_way_is_refused() {
    let database = Database::sqlite();
    let sso = Sso::start().await;
    let server = sso.server(&database).await;
    let right = json!({"alg": "RS256", "kid": "one", "typ": "JWT"});
    let forge = |header: Value, claims: &Value, sign: &dyn Fn(&str) -> String| {
        sign(&unsigned(&header.to_string(), &claims.to_string()))
    };
    let public = super::jwk("one", &KEY);
    let modulus = BASE64_URL_SAFE_NO_PAD.decode(public["n"].as_str().unwrap()).unwrap();
    let hs256 = |secret: &[u8], text: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        with_signature(text, hmac::sign(&key, text.as_bytes()).as_ref())
    };
    let forged: Vec<Forge<'_>> = vec![
        (
            "alg none",
            Box::new(|claims| forge(json!({"alg": "none", "kid": "one"}), claims, &|text| format!("{text}."))),
        ),
        (
            "alg None",
            Box::new(|claims| forge(json!({"alg": "None", "kid": "one"}), claims, &|text| format!("{text}."))),
        ),
        (
            "HS256 with the modulus",
            Box::new(|claims| forge(json!({"alg": "HS256", "kid": "one"}), claims, &|text| hs256(&modulus, text))),
        ),
        (
            "HS256 with the JWK",
            Box::new(|claims| {
                forge(json!({"alg": "HS256", "kid": "one"}), claims, &|text| hs256(public.to_string().as_bytes(), text))
            }),
        ),
        ("another key by its name", Box::new(|claims| signed(&right, claims, &NEXT_KEY))),
        (
            "an algorithm that the key is not for",
            Box::new(|claims| {
                signed_as(
                    &RSA_PKCS1_SHA512,
                    &unsigned(&json!({"alg": "RS512", "kid": "one"}).to_string(), &claims.to_string()),
                    &KEY,
                )
            }),
        ),
        (
            "its own key",
            Box::new(|claims| {
                let header = json!({"alg": "RS256", "kid": "one", "jwk": super::jwk("one", &NEXT_KEY)});
                signed(&header, claims, &NEXT_KEY)
            }),
        ),
        (
            "a key's address",
            Box::new(|claims| {
                signed(&json!({"alg": "RS256", "kid": "one", "jku": "https://evil.example"}), claims, &NEXT_KEY)
            }),
        ),
        ("no name", Box::new(|claims| signed(&json!({"alg": "RS256"}), claims, &KEY))),
        (
            "an unknown name",
            Box::new(|claims| signed(&json!({"alg": "RS256", "kid": "../../etc/passwd"}), claims, &KEY)),
        ),
        (
            "something critical",
            Box::new(|claims| signed(&json!({"alg": "RS256", "kid": "one", "crit": ["exp"]}), claims, &KEY)),
        ),
        (
            "another type",
            Box::new(|claims| signed(&json!({"alg": "RS256", "kid": "one", "typ": "at+jwt"}), claims, &KEY)),
        ),
        ("no signature", Box::new(|claims| id_token(claims).rsplit_once('.').unwrap().0.to_owned())),
        ("an empty signature", Box::new(|claims| format!("{}.", id_token(claims).rsplit_once('.').unwrap().0))),
        ("nothing", Box::new(|_| String::new())),
    ];
    for (what, forge) in &forged {
        let went = sso.go(&server, LoginWish::default()).await;
        sso.grants(&forge(&sso.id_claims(&went["nonce"])));
        let arrival = arrive(&server, &went["state"]).await.unwrap();
        assert_eq!(failure(arrival.outcome), "token_exchange_failed", "{what}");
    }
    sso.sign_in(&server, |_| ()).await.unwrap();
}

#[tokio::test]
async fn answers_that_are_too_much_too_slow_or_elsewhere_are_not_taken() {
    let database = Database::sqlite();
    let sso = Sso::start().await;
    let server = sso.server(&database).await;
    for (reply, code) in [
        (Reply::Huge, "identity_provider_unavailable"),
        (Reply::Stall, "identity_provider_unavailable"),
        (Reply::Redirect(format!("{}/elsewhere", sso.0.issuer())), "token_exchange_failed"),
        (Reply::Json(400, json!({"error": "invalid_grant"})), "token_exchange_failed"),
        (Reply::Json(500, json!({"error": "secret stack trace"})), "token_exchange_failed"),
        (Reply::Json(200, json!({"access_token": "no ID token"})), "token_exchange_failed"),
        (Reply::Json(200, json!(["nonsense"])), "token_exchange_failed"),
    ] {
        let went = sso.go(&server, LoginWish::default()).await;
        sso.0.reply(TOKEN, reply.clone());
        let refused = arrive(&server, &went["state"]).await.unwrap().outcome.unwrap_err();
        assert_eq!(refused.code(), code, "{reply:?}");
        assert!(!refused.message().contains("secret"));
    }
    assert!(sso.0.asked("/elsewhere").is_empty(), "no redirect is followed");
}

#[tokio::test]
async fn a_document_or_keys_that_are_wrong_are_not_believed() {
    let database = Database::sqlite();
    let sso = Sso::start().await;
    let right = sso.0.document();
    let with = |name: &str, value: Value| {
        let mut document = right.clone();
        document[name] = value;
        Reply::Json(200, document)
    };
    let bent = [
        with("issuer", json!("https://evil.example")),
        with("issuer", json!(format!("{}/", sso.0.issuer()))),
        with("token_endpoint", json!("ftp://evil.example")),
        with("jwks_uri", Value::Null),
        // A private address that the operator did not name.
        with("jwks_uri", json!(format!("{}{KEYS}", sso.0.issuer().replace("127.0.0.1", "localhost")))),
        with("jwks_uri", json!("http://169.254.169.254/latest")),
        with("id_token_signing_alg_values_supported", json!(["HS256", "none"])),
        Reply::Huge,
        Reply::Redirect(format!("{}{DISCOVERY}?again", sso.0.issuer())),
        Reply::Json(200, json!("nonsense")),
    ];
    for reply in bent {
        sso.0.reply(DISCOVERY, reply.clone());
        let server = sso.server(&database).await;
        assert_eq!(failure(send(&server, LoginWish::default()).await), "identity_provider_unavailable", "{reply:?}");
    }
    sso.0.reply(DISCOVERY, Reply::Json(200, right.clone()));
    for keys in [json!({"keys": []}), json!({}), json!({"keys": [{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}]})] {
        sso.0.reply(KEYS, Reply::Json(200, keys.clone()));
        let server = sso.server(&database).await;
        assert_eq!(failure(send(&server, LoginWish::default()).await), "identity_provider_unavailable", "{keys}");
    }
    // Where the keys are, the operator can say.
    sso.0.reply("/keys-elsewhere", Reply::Json(200, json!({"keys": [super::jwk("one", &KEY)]})));
    let jwks_url = format!("{}/keys-elsewhere", sso.0.issuer());
    let server = sso.server_with(&database, OidcOptions { jwks_url, ..sso.options() }).await;
    sso.sign_in(&server, |_| ()).await.unwrap();
}

fn left_half(token: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16])
}
