//! A server's identity on a test database, and tokens forged with or without its key.

use std::{path::Path, sync::Arc};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeyPair,
    signature::{RSA_PKCS1_SHA256, RsaEncoding},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{Clock, Principal, Result, Secret, Timestamp};
use identity::{Credentials, Identity, NewKey, Options, SignIn};
use serde_json::{Value, json};
use store::{DatabaseOptions, Store};
use tempfile::TempDir;
use testkit::database::Database;
use tokio_util::sync::CancellationToken;

pub(crate) const ISSUER: &str = "http://127.0.0.1:8080";
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// One server's identity, and what it leans on.
pub(crate) struct Server {
    pub(crate) identity: Identity,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) keys: TempDir,
}

impl Server {
    pub(crate) async fn new(database: &Database) -> Self {
        Self::with(database, Options::default()).await
    }

    pub(crate) async fn with(database: &Database, options: Options) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(NOW);
        let store = store(database).await;
        let identity = open(options, &store, keys.path(), &clock);
        Self { identity, store, clock, keys }
    }

    /// Another server on the same database with the same clock and a key of its own.
    pub(crate) async fn peer(&self, database: &Database) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let store = store(database).await;
        let identity = open(Options::default(), &store, keys.path(), &self.clock);
        Self { identity, store, clock: self.clock.clone(), keys }
    }

    pub(crate) async fn guest(&self) -> SignIn {
        self.identity.guest_login(None).await.unwrap()
    }

    /// A new guest as a caller.
    pub(crate) async fn caller(&self) -> Arc<Principal> {
        let guest = self.guest().await;
        self.bearer(guest.access_token.expose()).await.unwrap()
    }

    /// A new key of the caller's.
    pub(crate) async fn key(&self, caller: &Principal, scopes: &[&str]) -> (domain::api_key::ApiKey, Secret) {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let wish = NewKey { name: "test".to_owned(), life: None, scopes };
        self.identity.create_key(caller, wish).await.unwrap()
    }

    /// The verdict on a bearer's credential, as the edge asks for it.
    pub(crate) async fn bearer(&self, text: &str) -> Result<Arc<Principal>> {
        self.verdict(Credentials { bearer: Some(text), api_key: None }).await
    }

    pub(crate) async fn verdict(&self, offered: Credentials<'_>) -> Result<Arc<Principal>> {
        match self.identity.cached(offered) {
            Some(verdict) => verdict,
            None => self.identity.verify(offered, None).await,
        }
    }

    /// The code of the refusal of a bearer's credential; asked twice, so that the remembered verdict is seen too.
    pub(crate) async fn refusal(&self, text: &str) -> String {
        let first = self.bearer(text).await.expect_err("refused").code().to_owned();
        let again = self.bearer(text).await.expect_err("refused again").code().to_owned();
        assert_eq!(first, again);
        first
    }

    /// Lets the background work write what there is.
    pub(crate) async fn settle(&self) {
        let stop = CancellationToken::new();
        stop.cancel();
        self.identity.run(stop).await;
    }

    pub(crate) fn signing_key(&self) -> KeyPair {
        KeyPair::from_pkcs8(&std::fs::read(self.keys.path().join("signing-key.der")).unwrap()).unwrap()
    }

    pub(crate) fn kid(&self) -> String {
        self.identity.public_keys()[0].kid.clone()
    }
}

pub(crate) async fn store(database: &Database) -> Store {
    Store::open(&database_options(database)).await.unwrap()
}

pub(crate) fn database_options(database: &Database) -> DatabaseOptions {
    DatabaseOptions { url: Some(Secret::new(database.url.clone())), ..DatabaseOptions::default() }
}

pub(crate) fn open(options: Options, store: &Store, keys: &Path, clock: &Clock) -> Identity {
    Identity::open(options, store.clone(), keys, ISSUER.to_owned(), clock.clone()).unwrap()
}

/// What a token says, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// What a token's header says.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The header that the server writes.
pub(crate) fn right_header(kid: &str) -> Value {
    json!({"typ": "at+jwt", "alg": "RS256", "kid": kid})
}

/// The signed part of a token.
pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims))
}

/// A token with this signature.
pub(crate) fn with_signature(unsigned: &str, signature: &[u8]) -> String {
    format!("{unsigned}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// A token signed with `key` as RS256.
pub(crate) fn signed(header: &Value, claims: &Value, key: &KeyPair) -> String {
    signed_as(&RSA_PKCS1_SHA256, &unsigned(&header.to_string(), &claims.to_string()), key)
}

pub(crate) fn signed_as(encoding: &'static dyn RsaEncoding, unsigned: &str, key: &KeyPair) -> String {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), unsigned.as_bytes(), &mut signature).unwrap();
    with_signature(unsigned, &signature)
}
