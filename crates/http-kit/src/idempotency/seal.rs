//! An answer as it is stored: readable only by who sends the key again.
//!
//! Answers hold what is never stored otherwise: API keys, chats that the caller wanted to leave no trace of. The key of
//! the cipher comes from the idempotency key, of which the database has a digest alone.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest::{SHA256, digest},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use axum::response::Response;
use bytes::Bytes;
use domain::ids::UserId;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// The headers of an answer that belong to it; the others belong to the exchange.
const KEPT: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    header::CACHE_CONTROL,
    header::LOCATION,
    header::ETAG,
    HeaderName::from_static("x-accel-buffering"),
    HeaderName::from_static("x-applied-prompt-modules"),
    HeaderName::from_static("x-conversation-id"),
];

/// Opens and closes the answers of one key.
pub(super) struct Seal(RandomizedNonceKey);

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

/// SHA-256, of what cannot be taken apart in two ways.
pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut all = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        all.extend_from_slice(&(part.len() as u64).to_le_bytes());
        all.extend_from_slice(part);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, &all).as_ref());
    bytes
}

impl Seal {
    /// The seal of the owner's `key`; none only if the library refuses a key of its own making.
    pub(super) fn of(owner: &UserId, key: &str) -> Option<Self> {
        let root = Salt::new(HKDF_SHA256, owner.as_str().as_bytes()).extract(key.as_bytes());
        let mut bytes = [0; 32];
        root.expand(&[b"jan-server idempotent answer"], Length).ok()?.fill(&mut bytes).ok()?;
        RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok().map(Self)
    }

    /// An answer as it is stored; it can be read only together with the fingerprint of its request.
    pub(super) fn close(&self, headers: &HeaderMap, body: &[u8], fingerprint: &[u8; 32]) -> Option<Vec<u8>> {
        let mut text = Vec::with_capacity(body.len() + 256);
        let kept = headers.iter().filter(|(name, _)| KEPT.contains(name));
        for (name, value) in kept {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.push(b'\n');
        }
        text.push(b'\n');
        text.extend_from_slice(body);
        let nonce = self.0.seal_in_place_append_tag(Aad::from(fingerprint), &mut text).ok()?;
        text.splice(0..0, nonce.as_ref().iter().copied());
        Some(text)
    }

    /// The answer that was stored; none when it is not this key's.
    pub(super) fn open(&self, status: u16, stored: &[u8], fingerprint: &[u8; 32]) -> Option<Response> {
        let (nonce, text) = stored.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let length = self.0.open_in_place(nonce, Aad::from(fingerprint), &mut text).ok()?.len();
        text.truncate(length);
        let mut headers = HeaderMap::new();
        let mut at = 0;
        loop {
            let end = at + memchr::memchr(b'\n', text.get(at..)?)?;
            if end == at {
                break;
            }
            let colon = memchr::memmem::find(&text[at..end], b": ")?;
            let name = HeaderName::from_bytes(&text[at..at + colon]).ok()?;
            headers.append(name, HeaderValue::from_bytes(&text[at + colon + 2..end]).ok()?);
            at = end + 1;
        }
        let mut response = Response::new(Bytes::from(text).slice(at + 1..).into());
        *response.status_mut() = StatusCode::from_u16(status).ok()?;
        *response.headers_mut() = headers;
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use domain::Clock;
    use http_body_util::BodyExt;

    use super::*;

    fn headers() -> HeaderMap {
        HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::SET_COOKIE, HeaderValue::from_static("secret")),
            (HeaderName::from_static("x-conversation-id"), HeaderValue::from_static("conv_1: \u{7e}")),
        ])
    }

    #[tokio::test]
    async fn what_was_closed_can_be_opened_by_the_same_key_alone() {
        let owner = UserId::new(&Clock::System);
        let seal = Seal::of(&owner, "key-1").unwrap();
        let stored = seal.close(&headers(), b"\n{\"a\": 1}\n\n", &[1; 32]).unwrap();
        assert!(memchr::memmem::find(&stored, b"json").is_none(), "it is not in the clear");
        assert_ne!(stored, seal.close(&headers(), b"\n{\"a\": 1}\n\n", &[1; 32]).unwrap());

        let opened = Seal::of(&owner, "key-1").unwrap().open(201, &stored, &[1; 32]).unwrap();
        assert_eq!(opened.status(), StatusCode::CREATED);
        assert_eq!(opened.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(opened.headers()["x-conversation-id"], "conv_1: ~");
        assert!(!opened.headers().contains_key(header::SET_COOKIE));
        assert_eq!(opened.into_body().collect().await.unwrap().to_bytes(), "\n{\"a\": 1}\n\n");

        assert!(seal.open(201, &stored, &[2; 32]).is_none(), "another request");
        assert!(Seal::of(&owner, "key-2").unwrap().open(201, &stored, &[1; 32]).is_none());
        assert!(Seal::of(&UserId::new(&Clock::System), "key-1").unwrap().open(201, &stored, &[1; 32]).is_none());
        for cut in [0, 5, 12, 20, stored.len() - 1] {
            assert!(seal.open(201, &stored[..cut], &[1; 32]).is_none(), "{cut}");
        }
    }

    #[test]
    fn digests_tell_parts_apart() {
        assert_ne!(sha256(&[b"ab", b"c"]), sha256(&[b"a", b"bc"]));
        assert_ne!(sha256(&[b"a"]), sha256(&[b"a", b""]));
    }
}
