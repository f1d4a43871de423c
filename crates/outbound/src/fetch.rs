//! Gets a document from a user's URL: whole, bounded, checked at every hop.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue, LOCATION};
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use url::Url;

use crate::body::{Body, ResponseBody};
use crate::client::{Client, Trust};
use crate::error::{Error, Stage};
use crate::target::Target;

/// Redirects followed before giving up.
const MAX_REDIRECTS: usize = 3;

/// The bounds of one fetch.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimits {
    /// The most bytes of the document.
    pub max_bytes: u64,
    /// Wall-clock time from the call to the last byte, redirects and waiting included.
    pub total: Duration,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self { max_bytes: 10 * 1024 * 1024, total: Duration::from_secs(20) }
    }
}

/// A fetched document.
#[derive(Debug)]
pub struct Fetched {
    /// Where it was found, after redirects.
    pub url: Url,
    /// The status, which may be an error's.
    pub status: StatusCode,
    /// The headers as they came.
    pub headers: HeaderMap,
    /// The document.
    pub body: Bytes,
}

impl Client {
    /// Gets a document from a user's URL. Follows at most 3 redirects, each judged like the first URL and never
    /// from https to http; takes no compressed body; sends no credentials. Refresh headers and meta tags are
    /// data and lead nowhere.
    pub async fn fetch(&self, url: &str, limits: FetchLimits) -> Result<Fetched, Error> {
        let fetching = async {
            // The semaphore is never closed; an error would mean shutdown.
            let _place = self.shared().fetches.acquire().await.map_err(|error| Error::Protocol(error.into()))?;
            self.follow(url, limits.max_bytes).await
        };
        tokio::time::timeout(limits.total, fetching).await.map_err(|_| Error::Timeout(Stage::Total))?
    }

    async fn follow(&self, url: &str, max_bytes: u64) -> Result<Fetched, Error> {
        let rules = &self.shared().rules;
        let mut target = Target::parse(url, rules)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(Trust::User, get(&target)?).await?;
            match redirect(&response) {
                Some(location) => target = target.redirected(location, rules)?,
                None => return read(target, response, max_bytes).await,
            }
        }
        Err(Error::TooManyRedirects)
    }
}

fn get(target: &Target) -> Result<Request<Body>, Error> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = target.uri()?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
    // What is counted is what is kept: a small body must not unpack into a large one.
    request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(request)
}

/// Where the answer points to, if it is a redirect that names a place.
fn redirect<B>(response: &Response<B>) -> Option<&str> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    if redirects { response.headers().get(LOCATION)?.to_str().ok() } else { None }
}

async fn read(target: Target, response: Response<ResponseBody>, limit: u64) -> Result<Fetched, Error> {
    let (head, mut body) = response.into_parts();
    if head.headers.get_all(CONTENT_ENCODING).iter().any(|encoding| encoding != "identity") {
        return Err(Error::Encoding);
    }
    if body.size_hint().lower() > limit {
        return Err(Error::TooLarge { limit });
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::Protocol(error.into()))?;
        let Ok(data) = frame.into_data() else { continue };
        if (bytes.len() + data.len()) as u64 > limit {
            return Err(Error::TooLarge { limit });
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Fetched { url: target.url().clone(), status: head.status, headers: head.headers, body: bytes.freeze() })
}
