//! Asking the provider: bounded in time and size, redirects not followed, nothing compressed.
//!
//! The operator chose the issuer's host, so it may be anywhere; hosts that only the provider's document names are held to
//! the rules for users' addresses (`outbound.allow` makes exceptions).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use outbound::{Body, Client, Trust};
use url::Url;

use super::OidcOptions;

/// The largest answer; documents have a few kilobytes.
const MAX_BYTES: usize = 256 * 1024;
/// From the question to the last byte of the answer.
const TOTAL: Duration = Duration::from_secs(5);

/// Asks the provider.
pub(crate) struct Door {
    client: Client,
    /// Hosts that the operator named.
    named: Vec<String>,
}

/// Why there is no answer; for the operator's log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0} is no address that can be asked")]
    Url(&'static str),
    #[error("the provider cannot be asked")]
    Exchange(#[source] outbound::Error),
    #[error("the answer broke off")]
    Broken(#[source] outbound::BoxError),
    #[error("the answer took longer than {} seconds", TOTAL.as_secs())]
    Slow,
    #[error("the answer is larger than {MAX_BYTES} bytes")]
    Large,
    #[error("the answer is compressed, which was declined")]
    Compressed,
    #[error("the answer has status {0}")]
    Status(StatusCode),
}

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body of an answer that went well.
    pub(crate) fn ok(self) -> Result<Bytes, FetchError> {
        if self.status == StatusCode::OK { Ok(self.body) } else { Err(FetchError::Status(self.status)) }
    }
}

impl Door {
    pub(crate) fn new(client: Client, options: &OidcOptions) -> Self {
        let urls = [&options.issuer, &options.discovery_url, &options.jwks_url];
        let named = urls.into_iter().filter_map(|url| Url::parse(url).ok()?.host_str().map(str::to_owned)).collect();
        Self { client, named }
    }

    /// A document, or what the bearer may see.
    pub(crate) async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Answer, FetchError> {
        let authorization = bearer.map(|token| format!("Bearer {token}"));
        self.ask(Method::GET, url, authorization, None).await
    }

    /// A form, with what proves who sends it.
    pub(crate) async fn post(&self, url: &str, form: String, proof: Option<String>) -> Result<Answer, FetchError> {
        self.ask(Method::POST, url, proof, Some(form)).await
    }

    async fn ask(
        &self,
        method: Method,
        url: &str,
        authorization: Option<String>,
        form: Option<String>,
    ) -> Result<Answer, FetchError> {
        let trust = self.trust(url);
        let mut request = Request::new(form.map_or_else(Body::empty, Body::from));
        *request.method_mut() = method.clone();
        *request.uri_mut() = url.parse().map_err(|_| FetchError::Url("the endpoint"))?;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if method == Method::POST {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(header::CONTENT_TYPE, form);
        }
        if let Some(authorization) = authorization {
            let mut value = HeaderValue::try_from(authorization).map_err(|_| FetchError::Url("the credential"))?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let asked = async {
            let response = self.client.send(trust, request).await.map_err(FetchError::Exchange)?;
            let (head, mut body) = response.into_parts();
            if head.headers.get_all(header::CONTENT_ENCODING).iter().any(|encoding| encoding != "identity") {
                return Err(FetchError::Compressed);
            }
            let mut bytes = BytesMut::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| FetchError::Broken(error.into()))?;
                let Ok(data) = frame.into_data() else { continue };
                if bytes.len() + data.len() > MAX_BYTES {
                    return Err(FetchError::Large);
                }
                bytes.extend_from_slice(&data);
            }
            Ok(Answer { status: head.status, body: bytes.freeze() })
        };
        tokio::time::timeout(TOTAL, asked).await.unwrap_or(Err(FetchError::Slow))
    }

    fn trust(&self, url: &str) -> Trust {
        let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        if host.is_some_and(|host| self.named.contains(&host)) { Trust::Operator } else { Trust::User }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_operators_hosts_may_be_anywhere() {
        let options = OidcOptions {
            issuer: "https://sso.internal/realms/jan".to_owned(),
            jwks_url: "https://keys.internal/jwks".to_owned(),
            ..OidcOptions::default()
        };
        let door = Door::new(Client::new(&outbound::Options::default()).unwrap(), &options);
        assert_eq!(door.trust("https://sso.internal/token"), Trust::Operator);
        assert_eq!(door.trust("https://keys.internal/other"), Trust::Operator);
        for other in ["https://sso.internal.evil.example/", "http://169.254.169.254/", "https://internal/", "nonsense"]
        {
            assert_eq!(door.trust(other), Trust::User, "{other}");
        }
    }
}
