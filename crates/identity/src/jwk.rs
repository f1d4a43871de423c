//! The public half of a signing key, as RFC 7517 writes it.

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};

/// A public RSA key that verifies signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Always `RSA`.
    pub kty: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub key_use: String,
    /// Always `RS256`.
    pub alg: String,
    /// The name that tokens carry: the key's thumbprint.
    pub kid: String,
    /// The modulus, in base64url.
    pub n: String,
    /// The exponent, in base64url.
    pub e: String,
}

impl Jwk {
    /// The key with these components, in big-endian bytes.
    pub(crate) fn new(n: &[u8], e: &[u8]) -> Self {
        let (n, e) = (BASE64_URL_SAFE_NO_PAD.encode(n), BASE64_URL_SAFE_NO_PAD.encode(e));
        Self {
            kty: "RSA".to_owned(),
            key_use: "sig".to_owned(),
            alg: crate::ALGORITHM.to_owned(),
            kid: thumbprint(&n, &e),
            n,
            e,
        }
    }

    /// What verifies signatures of this key; `None` unless the key is exactly of the kind that this server makes and
    /// has the name that follows from it, so that no row can put another key in the place of a known one.
    pub(crate) fn decoding_key(&self) -> Option<DecodingKey> {
        let genuine = self.kty == "RSA"
            && self.key_use == "sig"
            && self.alg == crate::ALGORITHM
            && self.kid == thumbprint(&self.n, &self.e);
        if genuine { DecodingKey::from_rsa_components(&self.n, &self.e).ok() } else { None }
    }
}

/// The thumbprint of RFC 7638: the digest of the required members in alphabetical order, without spaces.
fn thumbprint(n: &str, e: &str) -> String {
    let members = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7638, section 3.1.
    #[test]
    fn the_thumbprint_is_the_standards() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi\
                 FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb\
                 9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls\
                 1jF44-csFCur-kEgU8awapJzKnqDKgw";
        assert_eq!(thumbprint(n, "AQAB"), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn a_key_under_another_name_is_no_key() {
        let key = Jwk::new(&[0xb5; 256], &[1, 0, 1]);
        assert!(key.decoding_key().is_some());
        assert!(Jwk { kid: "mine".to_owned(), ..key.clone() }.decoding_key().is_none());
        assert!(Jwk { alg: "HS256".to_owned(), ..key }.decoding_key().is_none());
    }
}
