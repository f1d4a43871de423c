//! What a provider says of itself: where its doors are, and which keys it signs with.

use std::collections::HashMap;

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::OidcOptions;

/// Keys looked at; providers have a handful.
const MOST_KEYS: usize = 100;
/// Longest name of a key, in bytes.
const MAX_KID: usize = 512;

/// The algorithms that are taken, whatever a document or a token says: all of them have a key of their own for signing.
pub(crate) const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The discovery document, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Metadata {
    issuer: String,
    pub(crate) authorization_endpoint: String,
    pub(crate) token_endpoint: String,
    pub(crate) jwks_uri: String,
    pub(crate) userinfo_endpoint: Option<String>,
    pub(crate) end_session_endpoint: Option<String>,
    #[serde(default)]
    pub(crate) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    id_token_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

/// Why a document cannot be used; for the operator's log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadDocument {
    #[error("the document is no JSON of the right form")]
    Form(#[source] serde_json::Error),
    #[error("the document says that its issuer is `{0}`, which is not exactly what identity.oidc.issuer says")]
    Issuer(String),
    #[error("the document's {0} is no address that may be used")]
    Endpoint(&'static str),
    #[error("the provider signs with none of the algorithms that are taken here")]
    Algorithms,
    #[error("the document holds no key that can verify")]
    NoKeys,
}

impl Metadata {
    /// Reads and checks the document. An endpoint is never less protected than the issuer.
    pub(crate) fn read(bytes: &[u8], options: &OidcOptions) -> Result<Self, BadDocument> {
        let mut found: Self = serde_json::from_slice(bytes).map_err(BadDocument::Form)?;
        if found.issuer != options.issuer {
            // Another provider's document must not fill the log.
            return Err(BadDocument::Issuer(found.issuer.chars().take(200).collect()));
        }
        if !options.jwks_url.is_empty() {
            found.jwks_uri.clone_from(&options.jwks_url);
        }
        let tls = options.issuer.starts_with("https://");
        let required = [
            ("authorization_endpoint", Some(&found.authorization_endpoint)),
            ("token_endpoint", Some(&found.token_endpoint)),
            ("jwks_uri", Some(&found.jwks_uri).filter(|_| options.jwks_url.is_empty())),
            ("userinfo_endpoint", found.userinfo_endpoint.as_ref()),
            ("end_session_endpoint", found.end_session_endpoint.as_ref()),
        ];
        for (name, endpoint) in required {
            if endpoint.is_some_and(|endpoint| !is_endpoint(endpoint, tls)) {
                return Err(BadDocument::Endpoint(name));
            }
        }
        let announced = &found.id_token_signing_alg_values_supported;
        if !announced.is_empty() && !ALGORITHMS.iter().any(|algorithm| announced.iter().any(|n| n == name(*algorithm)))
        {
            return Err(BadDocument::Algorithms);
        }
        Ok(found)
    }

    /// Whether the provider may sign ID tokens so. A document that lists nothing leaves it to us.
    pub(crate) fn signs_with(&self, algorithm: Algorithm) -> bool {
        let announced = &self.id_token_signing_alg_values_supported;
        announced.is_empty() || announced.iter().any(|known| known == name(algorithm))
    }
}

fn is_endpoint(text: &str, tls: bool) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let scheme = url.scheme() == "https" || !tls && url.scheme() == "http";
    scheme && text.len() <= 2_048 && url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
}

/// An algorithm's registered name.
fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RS256 => "RS256",
        Algorithm::RS384 => "RS384",
        Algorithm::RS512 => "RS512",
        Algorithm::PS256 => "PS256",
        Algorithm::PS384 => "PS384",
        Algorithm::PS512 => "PS512",
        Algorithm::ES256 => "ES256",
        Algorithm::ES384 => "ES384",
        Algorithm::EdDSA => "EdDSA",
        _ => "",
    }
}

/// The provider's keys, by name.
#[derive(Clone, Default)]
pub(crate) struct ProviderKeys(HashMap<String, Vec<Key>>);

/// A public key, and what it may verify.
#[derive(Clone)]
struct Key {
    key: DecodingKey,
    algorithms: Vec<Algorithm>,
}

#[derive(Deserialize)]
struct KeyDocument {
    keys: Vec<Value>,
}

impl ProviderKeys {
    /// Reads the provider's keys. Those of unknown kinds, for encryption, with a shared secret or without a name are left
    /// out; the others go on counting.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, BadDocument> {
        let document: KeyDocument = serde_json::from_slice(bytes).map_err(BadDocument::Form)?;
        let mut keys: HashMap<String, Vec<Key>> = HashMap::new();
        for value in document.keys.into_iter().take(MOST_KEYS) {
            let Ok(jwk) = serde_json::from_value::<Jwk>(value) else { continue };
            if let Some((kid, key)) = usable(&jwk) {
                keys.entry(kid).or_default().push(key);
            }
        }
        if keys.is_empty() { Err(BadDocument::NoKeys) } else { Ok(Self(keys)) }
    }

    /// What verifies a signature of this algorithm by the key of this name.
    pub(crate) fn get(&self, kid: &str, algorithm: Algorithm) -> Option<&DecodingKey> {
        let found = self.0.get(kid)?.iter().find(|key| key.algorithms.contains(&algorithm));
        found.map(|found| &found.key)
    }

    /// Whether there is a key of this name.
    pub(crate) fn has(&self, kid: &str) -> bool {
        self.0.contains_key(kid)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

fn usable(jwk: &Jwk) -> Option<(String, Key)> {
    let kid = jwk.common.key_id.clone().filter(|kid| !kid.is_empty() && kid.len() <= MAX_KID)?;
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let family: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &ALGORITHMS[..6],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
        _ => return None,
    };
    // A key that says what it is for is for nothing else.
    let algorithms: Vec<Algorithm> = match jwk.common.key_algorithm {
        None => family.to_vec(),
        Some(only) => family.iter().copied().filter(|algorithm| is(only, *algorithm)).collect(),
    };
    if algorithms.is_empty() {
        return None;
    }
    Some((kid, Key { key: DecodingKey::from_jwk(jwk).ok()?, algorithms }))
}

fn is(named: KeyAlgorithm, algorithm: Algorithm) -> bool {
    named.to_string() == name(algorithm)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options() -> OidcOptions {
        OidcOptions { issuer: "https://sso.example".to_owned(), client_id: "jan".to_owned(), ..OidcOptions::default() }
    }

    fn document() -> Value {
        json!({
            "issuer": "https://sso.example", "authorization_endpoint": "https://sso.example/auth",
            "token_endpoint": "https://sso.example/token", "jwks_uri": "https://keys.example/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "HS256"],
        })
    }

    fn read(document: &Value) -> Result<Metadata, BadDocument> {
        Metadata::read(document.to_string().as_bytes(), &options())
    }

    #[test]
    fn a_document_is_of_the_very_issuer() {
        assert!(read(&document()).is_ok());
        for other in ["https://sso.example/", "https://SSO.example", "http://sso.example", "https://evil.example"] {
            let mut document = document();
            document["issuer"] = json!(other);
            assert!(matches!(read(&document), Err(BadDocument::Issuer(_))), "{other}");
        }
    }

    #[test]
    fn endpoints_are_as_protected_as_the_issuer() {
        for (name, value) in [
            ("token_endpoint", "http://sso.example/token"),
            ("jwks_uri", "file:///etc/passwd"),
            ("authorization_endpoint", "javascript:alert(1)"),
            ("end_session_endpoint", "https://u:p@sso.example/"),
        ] {
            let mut document = document();
            document[name] = json!(value);
            assert!(matches!(read(&document), Err(BadDocument::Endpoint(field)) if field == name), "{name}");
        }
        let mut weak = document();
        weak["id_token_signing_alg_values_supported"] = json!(["HS256", "none"]);
        assert!(matches!(read(&weak), Err(BadDocument::Algorithms)));
        assert!(!read(&document()).unwrap().signs_with(Algorithm::ES256), "it does not say so");
    }

    #[test]
    fn only_keys_that_sign_are_kept_and_only_for_what_they_say() {
        let rsa = |kid: &str, more: Value| {
            let mut key =
                json!({"kty": "RSA", "kid": kid, "n": "sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri", "e": "AQAB"});
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            key
        };
        let document = json!({"keys": [
            rsa("any", json!({})),
            rsa("one", json!({"alg": "RS256", "use": "sig"})),
            rsa("enc", json!({"use": "enc"})),
            rsa("oaep", json!({"alg": "RSA-OAEP"})),
            rsa("", json!({})),
            {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
            {"kty": "EC", "kid": "curve", "crv": "P-256", "x": "AAAA", "y": "AAAA", "alg": "ES256"},
            {"kty": "unheard-of", "kid": "new"},
            "no key at all",
        ]});
        let keys = ProviderKeys::read(document.to_string().as_bytes()).unwrap();
        assert_eq!(keys.len(), 3);
        assert!(keys.get("any", Algorithm::PS384).is_some() && keys.get("any", Algorithm::ES256).is_none());
        assert!(keys.get("one", Algorithm::RS256).is_some() && keys.get("one", Algorithm::RS512).is_none());
        assert!(keys.get("curve", Algorithm::ES256).is_some());
        assert!(!keys.has("secret") && !keys.has("enc") && !keys.has("oaep") && !keys.has(""));
        assert!(matches!(ProviderKeys::read(b"{\"keys\":[]}"), Err(BadDocument::NoKeys)));
        assert!(matches!(ProviderKeys::read(b"[]"), Err(BadDocument::Form(_))));
    }
}
