//! Signing in through an external provider, which is right or bent as the test says.

mod access;
mod bent;
mod login;
mod upgrade;

use std::{collections::HashMap, sync::LazyLock};

use aws_lc_rs::{
    digest,
    rsa::{KeyPair, KeySize, PublicKeyComponents},
    signature::KeyPair as _,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{Result, Secret};
use identity::{Answer, Arrival, Arrived, AuthorizationRequest, LoginWish, OidcOptions, Options, SignIn};
use outbound::Client;
use serde_json::{Value, json};
use testkit::{
    database::Database,
    oidc::{KEYS, Provider, Reply, TOKEN, USER_INFO},
};

use crate::support::{NOW, Server, signed};

const CLIENT: &str = "jan";
const SECRET: &str = "the client's secret";
const BROWSER: &str = "the cookie of a browser";
const ACCESS: &str = "an opaque access token";

/// The provider's keys: the one it signs with, and the next. They take a while to make.
static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());
static NEXT_KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

/// A provider with users.
struct Sso(Provider);

impl Sso {
    async fn start() -> Self {
        let provider = Provider::start().await;
        provider.reply(KEYS, Reply::Json(200, json!({"keys": [jwk("one", &KEY)]})));
        provider.reply(USER_INFO, Reply::Json(404, json!({})));
        Self(provider)
    }

    fn options(&self) -> OidcOptions {
        OidcOptions {
            issuer: self.0.issuer(),
            client_id: CLIENT.to_owned(),
            client_secret: Secret::new(SECRET),
            ..OidcOptions::default()
        }
    }

    async fn server(&self, database: &Database) -> Server {
        self.server_with(database, self.options()).await
    }

    async fn server_with(&self, database: &Database, oidc: OidcOptions) -> Server {
        let server = Server::with(database, Options { oidc, ..Options::default() }).await;
        server.identity.reach_provider_through(&Client::new(&outbound::Options::default()).unwrap());
        server
    }

    /// What a right ID token says.
    fn id_claims(&self, nonce: &str) -> Value {
        let now = NOW.seconds();
        json!({
            "iss": self.0.issuer(), "sub": "ada-1", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce,
            "preferred_username": "ada", "email": "ada@example.org", "email_verified": true, "name": "Ada Lovelace",
            "picture": "https://pictures.example/ada.png", "realm_access": {"roles": ["offline_access"]},
        })
    }

    /// What a right access token says.
    fn access_claims(&self) -> Value {
        let now = NOW.seconds();
        json!({
            "iss": self.0.issuer(), "sub": "ada-1", "aud": "account", "azp": CLIENT, "typ": "Bearer", "exp": now + 300,
            "iat": now, "jti": "1", "preferred_username": "ada", "email": "ada@example.org", "email_verified": true,
            "realm_access": {"roles": ["offline_access"]},
        })
    }

    /// From now on codes are exchanged for this ID token.
    fn grants(&self, id_token: &str) {
        let tokens = json!({"id_token": id_token, "access_token": ACCESS, "token_type": "Bearer", "expires_in": 60});
        self.0.reply(TOKEN, Reply::Json(200, tokens));
    }

    /// Signs in as whom the claims name, once `bend` has changed them.
    async fn sign_in(&self, server: &Server, bend: impl FnOnce(&mut Value)) -> Result<SignIn> {
        let went = self.go(server, LoginWish::default()).await;
        let mut claims = self.id_claims(&went["nonce"]);
        bend(&mut claims);
        self.grants(&id_token(&claims));
        match arrive(server, &went["state"]).await?.outcome? {
            Arrived::SignedIn(sign_in) => Ok(*sign_in),
            Arrived::Vouched(_) => panic!("a sign-in ends with a session"),
        }
    }

    /// Sends a browser to the provider; the parameters that it brings there.
    async fn go(&self, server: &Server, wish: LoginWish<'_>) -> HashMap<String, String> {
        let url = send(server, wish).await.unwrap();
        assert!(url.starts_with(&format!("{}/authorize?", self.0.issuer())), "{url}");
        query(&url)
    }
}

/// Where a browser is sent that wants to sign in through the provider.
async fn send(server: &Server, wish: LoginWish<'_>) -> Result<String> {
    let wish = LoginWish { provider: Some("oidc"), ..wish };
    let begun = server.identity.begin_sign_in(wish, None).await?;
    assert!(server.identity.leads_out(query(&begun.url).get("provider").map(String::as_str)));
    server.identity.begin_external(&asked(&begun.url), BROWSER, None).await
}

/// Comes back from the provider with a code.
async fn arrive(server: &Server, state: &str) -> Result<Arrival> {
    let answer = Answer { state: state.to_owned(), code: Some("code".to_owned()), ..Answer::default() };
    server.identity.arrive(&answer, Some(BROWSER)).await
}

/// The code of a sign-in's failure, wherever it shows.
fn failure<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    outcome.expect_err("refused").code().to_owned()
}

fn id_token(claims: &Value) -> String {
    signed(&json!({"alg": "RS256", "kid": "one", "typ": "JWT"}), claims, &KEY)
}

fn access_token(claims: &Value) -> String {
    signed(&json!({"alg": "RS256", "kid": "one", "typ": "JWT"}), claims, &KEY)
}

fn jwk(kid: &str, key: &KeyPair) -> Value {
    let components = PublicKeyComponents::<Vec<u8>>::from(key.public_key());
    json!({"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
        "n": BASE64_URL_SAFE_NO_PAD.encode(components.n), "e": BASE64_URL_SAFE_NO_PAD.encode(components.e)})
}

fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// The parameters of an address.
fn query(url: &str) -> HashMap<String, String> {
    url::Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

/// The fields of a form.
fn form(body: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
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
