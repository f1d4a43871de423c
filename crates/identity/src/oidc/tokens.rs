//! What the provider signs: ID tokens, which end a sign-in, and access tokens, which come with requests.
//!
//! The key is chosen by name from the provider's own keys, the algorithm from a list of ours; what else a header says
//! about keys is not looked at. Nothing of a token is believed before its signature is.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Timestamp;
use jsonwebtoken::{Algorithm, Header, Validation};
use serde_json::{Map, Value};

use super::{OidcOptions, documents::ALGORITHMS, provider::Known};
use crate::access_token::MAX_LENGTH;

/// What a token says.
pub(crate) type Claims = Map<String, Value>;

/// Longest subject (OpenID Connect Core, section 2), in bytes.
const MAX_SUBJECT: usize = 255;
/// Types of headers that access tokens have: of RFC 9068, and of providers that are older than it.
const ACCESS_TYPE: [&str; 2] = ["at+jwt", "application/at+jwt"];
/// What only ID tokens hold (OpenID Connect Core, 2 and 3.3.2.11; Financial-grade API).
const OF_ID_TOKENS: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];
/// What only access tokens hold: what they are good for, and to whom they were given (RFC 9068, 2.2). `azp` is not among
/// them, as Google's ID tokens have it.
const OF_ACCESS_TOKENS: [&str; 3] = ["scope", "scp", "client_id"];

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("it is malformed, or its header is of a kind that is not taken")]
    Form,
    #[error("its signature is not the provider's")]
    Signature,
    #[error("it is another issuer's")]
    Issuer,
    #[error("it is not for us")]
    Audience,
    #[error("it was given to another client")]
    Party,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    Early,
    #[error("it is a token of another kind")]
    Kind,
    #[error("its nonce is not the sign-in's")]
    Nonce,
    #[error("it does not belong to the access token")]
    AccessHash,
    #[error("it lacks `{0}`, or has it in a wrong form")]
    Claim(&'static str),
}

/// A token's header, of a kind that is taken: a listed algorithm, a named key, nothing critical.
pub(crate) fn header(token: &str) -> Result<(Header, String), Fault> {
    if token.len() > MAX_LENGTH {
        return Err(Fault::Form);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Fault::Form)?;
    let kid = header.kid.clone().ok_or(Fault::Form)?;
    let is_taken = ALGORITHMS.contains(&header.alg) && header.crit.is_none() && header.enc.is_none();
    if is_taken { Ok((header, kid)) } else { Err(Fault::Form) }
}

/// Whose token this claims to be; nothing is proven by it.
pub(crate) fn claimed_issuer(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1).filter(|_| token.len() <= MAX_LENGTH)?;
    let claims: Claims = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}

/// What a token says, once the signature, the issuer and the times are right.
fn claims(token: &str, known: &Known, options: &OidcOptions, now: Timestamp) -> Result<(Header, Claims), Fault> {
    let (header, kid) = header(token)?;
    let key = known.keys.get(&kid, header.alg).ok_or(Fault::Signature)?;
    let mut rules = Validation::new(header.alg);
    // The signature is the library's to judge; what is signed is judged below: by our clock, and more strictly.
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<Claims>(token, key, &rules).map_err(|_| Fault::Signature)?.claims;
    if text(&claims, "iss") != Some(&options.issuer) {
        return Err(Fault::Issuer);
    }
    let is_subject =
        |subject: &str| !subject.is_empty() && subject.len() <= MAX_SUBJECT && !subject.contains(char::is_control);
    if !text(&claims, "sub").is_some_and(is_subject) {
        return Err(Fault::Claim("sub"));
    }
    check_times(&claims, options.skew(), now.seconds())?;
    Ok((header, claims))
}

fn check_times(claims: &Claims, skew: i64, now: i64) -> Result<(), Fault> {
    if time(claims, "exp")?.ok_or(Fault::Claim("exp"))? <= now.saturating_sub(skew) {
        return Err(Fault::Expired);
    }
    let latest = now.saturating_add(skew);
    if time(claims, "nbf")?.is_some_and(|at| at > latest) || time(claims, "iat")?.is_some_and(|at| at > latest) {
        return Err(Fault::Early);
    }
    Ok(())
}

/// What an ID token says of who signed in, if it is the answer to this sign-in.
pub(crate) fn id_token(
    token: &str,
    nonce: &str,
    access_token: Option<&str>,
    known: &Known,
    options: &OidcOptions,
    now: Timestamp,
) -> Result<Claims, Fault> {
    let (header, claims) = claims(token, known, options, now)?;
    if !known.metadata.signs_with(header.alg) {
        return Err(Fault::Form);
    }
    let is_typed = header.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    if !is_typed || !matches!(claims.get("typ").map(Value::as_str), None | Some(Some("ID"))) {
        return Err(Fault::Kind);
    }
    let audience = list(&claims, "aud")?;
    if !audience.contains(&options.client_id.as_str()) {
        return Err(Fault::Audience);
    }
    match claims.get("azp") {
        None if audience.len() > 1 => return Err(Fault::Party),
        None => {}
        Some(azp) if azp.as_str() == Some(&options.client_id) => {}
        Some(_) => return Err(Fault::Party),
    }
    time(&claims, "iat")?.ok_or(Fault::Claim("iat"))?;
    if text(&claims, "nonce") != Some(nonce) {
        return Err(Fault::Nonce);
    }
    if let Some(hash) = claims.get("at_hash") {
        let belongs = access_token.is_some_and(|token| hash.as_str() == Some(&left_half(header.alg, token)));
        if !belongs {
            return Err(Fault::AccessHash);
        }
    }
    Ok(claims)
}

/// What an access token says of who calls, if it is meant for us.
pub(crate) fn access_token(token: &str, known: &Known, options: &OidcOptions, now: Timestamp) -> Result<Claims, Fault> {
    let (header, claims) = claims(token, known, options, now)?;
    let says_access = match header.typ.as_deref() {
        Some(typ) if ACCESS_TYPE.iter().any(|known| typ.eq_ignore_ascii_case(known)) => true,
        Some(typ) if !typ.eq_ignore_ascii_case("JWT") => return Err(Fault::Kind),
        _ => false,
    };
    let says_access = match claims.get("typ").map(Value::as_str) {
        None => says_access,
        Some(Some("Bearer")) => true,
        Some(_) => return Err(Fault::Kind),
    };
    // What only logout tokens hold (OpenID Connect Back-Channel Logout, 2.4).
    if claims.contains_key("events") {
        return Err(Fault::Kind);
    }
    let ours = |party: &str| party == options.client_id || options.clients.iter().any(|client| client == party);
    if !says_access && looks_like_id_token(&claims, ours)? {
        return Err(Fault::Kind);
    }
    let party = match claims.get("azp").or_else(|| claims.get("client_id")) {
        None => None,
        Some(party) => Some(party.as_str().ok_or(Fault::Claim("azp"))?),
    };
    if party.is_some_and(|party| !ours(party)) {
        return Err(Fault::Party);
    }
    let is_for_us = if claims.contains_key("aud") {
        let audience = list(&claims, "aud")?;
        let names = |ours: &String| audience.contains(&ours.as_str());
        if options.audiences.is_empty() {
            party.is_some() || names(&options.client_id)
        } else {
            options.audiences.iter().any(names)
        }
    } else {
        party.is_some()
    };
    if is_for_us { Ok(claims) } else { Err(Fault::Audience) }
}

/// Whether a token that does not say its kind may be an ID token: it holds what only these do, or it is for a client, as
/// all of them are, and holds nothing that only access tokens do. RFC 9068 names the kind in the header, so that nobody
/// has to guess (section 4, and 5 for why); older providers do not.
fn looks_like_id_token(claims: &Claims, is_client: impl Fn(&str) -> bool) -> Result<bool, Fault> {
    let holds = |names: &[&str]| names.iter().any(|name| claims.contains_key(*name));
    let is_for_client = claims.contains_key("aud") && list(claims, "aud")?.into_iter().any(is_client);
    Ok(holds(&OF_ID_TOKENS) || is_for_client && !holds(&OF_ACCESS_TOKENS))
}

/// The first half of a token's digest, as ID tokens hold it.
fn left_half(algorithm: Algorithm, token: &str) -> String {
    let by = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => &SHA256,
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &SHA384,
        _ => &SHA512,
    };
    let digest = digest::digest(by, token.as_bytes());
    let digest = digest.as_ref();
    BASE64_URL_SAFE_NO_PAD.encode(&digest[..digest.len() / 2])
}

pub(crate) fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str()
}

/// A moment in seconds, if there is one.
pub(crate) fn time(claims: &Claims, name: &'static str) -> Result<Option<i64>, Fault> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            let seconds = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64));
            seconds.map(Some).ok_or(Fault::Claim(name))
        }
        Some(_) => Err(Fault::Claim(name)),
    }
}

/// One text, or several.
fn list<'a>(claims: &'a Claims, name: &'static str) -> Result<Vec<&'a str>, Fault> {
    match claims.get(name) {
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(several)) => {
            several.iter().map(Value::as_str).collect::<Option<_>>().ok_or(Fault::Claim(name))
        }
        _ => Err(Fault::Claim(name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The example of OpenID Connect Core, A.3: its access token and `at_hash`.
    #[test]
    fn the_hash_of_an_access_token_is_the_standards() {
        assert_eq!(
            left_half(Algorithm::RS256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
    }

    #[test]
    fn times_are_numbers_within_the_skew() {
        let check = |claims: &Value| check_times(claims.as_object().unwrap(), 60, 1_000);
        assert_eq!(check(&json!({"exp": 1_001})), Ok(()));
        assert_eq!(check(&json!({"exp": 941})), Ok(()), "within the skew");
        assert_eq!(check(&json!({"exp": 940})), Err(Fault::Expired));
        assert_eq!(check(&json!({"exp": 2_000.5, "nbf": 1_060, "iat": 1_060})), Ok(()));
        assert_eq!(check(&json!({"exp": 2_000, "nbf": 1_061})), Err(Fault::Early));
        assert_eq!(check(&json!({"exp": 2_000, "iat": 1_061})), Err(Fault::Early));
        assert_eq!(check(&json!({})), Err(Fault::Claim("exp")));
        assert_eq!(check(&json!({"exp": "2000"})), Err(Fault::Claim("exp")));
        assert_eq!(check(&json!({"exp": 2_000, "nbf": null})), Err(Fault::Claim("nbf")));
    }

    #[test]
    fn headers_of_other_kinds_are_not_taken() {
        let token = |header: &Value| format!("{}.e30.AA", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()));
        assert!(header(&token(&json!({"alg": "ES256", "kid": "a"}))).is_ok());
        for bad in [
            json!({"alg": "none", "kid": "a"}),
            json!({"alg": "NoNe", "kid": "a"}),
            json!({"alg": "HS256", "kid": "a"}),
            json!({"alg": "RS256"}),
            json!({"alg": "RS256", "kid": "a", "crit": ["exp"]}),
            json!({"alg": ["RS256"], "kid": "a"}),
        ] {
            assert_eq!(header(&token(&bad)).err(), Some(Fault::Form), "{bad}");
        }
        assert_eq!(header(&"a".repeat(MAX_LENGTH + 1)).err(), Some(Fault::Form));
        assert_eq!(header("a.b").err(), Some(Fault::Form));
    }
}
