//! Fetches a file from Hugging Face, or a mirror that speaks like it, going on where an earlier attempt ended.

use std::time::Duration;

use http::header::{CONTENT_RANGE, ETAG, HeaderMap, LOCATION, RANGE};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use outbound::{Body, Client, ResponseBody, Trust};

use super::part::Part;
use super::{FileError, SourceError};

/// Redirects followed: the site leads to its store, perhaps by way of the repository's new name.
const MAX_REDIRECTS: usize = 5;
/// Longest wait for the head of an answer.
const HEAD: Duration = Duration::from_secs(15);
/// Longest wait for the next bytes.
const STALL: Duration = Duration::from_secs(30);
/// Attempts in a row that bring nothing new before this source is given up.
const ATTEMPTS: u32 = 4;
/// Bytes gathered before they are written.
const WRITE: usize = 1 << 20;

/// The size and the SHA-256 that the site tells of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// The address of a file.
pub(super) fn address(base: &str, owner: &str, repo: &str, path: &str, revision: &str) -> Result<Uri, SourceError> {
    let revision = revision.replace('/', "%2F"); // a branch such as refs/pr/1 is one segment of the path
    let text = format!("{}/{owner}/{repo}/resolve/{revision}/{path}", base.trim_end_matches('/'));
    text.parse().map_err(|_| SourceError::Failed(format!("`{base}` is no address of a server")))
}

/// Asks for a file's size and checksum without fetching it.
pub(super) async fn ask(client: &Client, address: &Uri) -> Result<Told, SourceError> {
    let (response, told) = follow(client, address, 0, Some(0)).await?;
    check_status(response.status())?;
    let sha256 = told.sha256.ok_or(SourceError::Failed("it does not tell the file's SHA-256".to_owned()))?;
    let bytes = told.bytes.ok_or(SourceError::Failed("it does not tell the file's size".to_owned()))?;
    Ok(Told { bytes, sha256 })
}

/// Fetches what is missing of a part. `progress` is called with the bytes that have arrived.
pub(super) async fn fetch(
    client: &Client,
    address: &Uri,
    sha256: &str,
    part: &Part,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<(), SourceError> {
    let mut attempt = 0;
    loop {
        let before = part.length();
        let error = match once(client, address, sha256, part, progress).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let length = part.length();
        attempt = if length > before { 1 } else { attempt + 1 };
        // What cannot connect at all is left at once: another source may be near.
        if !error.is_passing() || attempt >= ATTEMPTS || (attempt == 1 && error.is_connect()) {
            return Err(error);
        }
        tracing::debug!(%error, length, "Fetching a model file goes on after an interruption");
        tokio::time::sleep(Duration::from_millis(500 << attempt)).await;
    }
}

async fn once(
    client: &Client,
    address: &Uri,
    sha256: &str,
    part: &Part,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<(), SourceError> {
    if part.is_whole() {
        return Ok(());
    }
    let start = part.length();
    let (response, told) = follow(client, address, start, None).await?;
    if told.sha256.is_some_and(|told| told != sha256) {
        return Err(SourceError::Failed("its file has another SHA-256".to_owned()));
    }
    match response.status() {
        StatusCode::PARTIAL_CONTENT if range_start(response.headers()) == Some(start) => {}
        // No range, or another one: from the beginning.
        StatusCode::OK => part.restart()?,
        StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT => {
            part.restart()?;
            return Err(SourceError::Broken("the server does not go on where it ended".to_owned()));
        }
        status => check_status(status)?,
    }
    let mut body = response.into_body();
    let mut gathered = Vec::with_capacity(WRITE);
    loop {
        let frame = tokio::time::timeout(STALL, body.frame()).await;
        let (data, end) = match frame {
            Err(_) => (None, Some(SourceError::Broken("no more data came".to_owned()))),
            Ok(None) => (None, Some(SourceError::Broken("the connection ended early".to_owned()))),
            Ok(Some(Err(error))) => (None, Some(SourceError::Broken(error.to_string()))),
            Ok(Some(Ok(frame))) => (frame.into_data().ok(), None),
        };
        gathered.extend(data.into_iter().flatten());
        if gathered.len() >= WRITE || end.is_some() {
            gathered = part.append_later(gathered).await?;
            progress(part.length());
            if part.is_whole() {
                return Ok(());
            }
        }
        if let Some(error) = end {
            return Err(error);
        }
    }
}

/// What the heads on the way to a file tell about it.
#[derive(Debug, Default)]
struct Heads {
    sha256: Option<String>,
    bytes: Option<u64>,
}

/// Requests a file from `start` on (to `end`, if one is given) and follows redirects.
async fn follow(
    client: &Client,
    address: &Uri,
    start: u64,
    end: Option<u64>,
) -> Result<(Response<ResponseBody>, Heads), SourceError> {
    let mut address = address.clone();
    let mut heads = Heads::default();
    for _ in 0..=MAX_REDIRECTS {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = address.clone();
        if start > 0 || end.is_some() {
            let range = format!("bytes={start}-{}", end.map_or_else(String::new, |end| end.to_string()));
            let range = HeaderValue::from_str(&range).map_err(|e| SourceError::Failed(e.to_string()))?;
            request.headers_mut().insert(RANGE, range);
        }
        let sending = client.send(Trust::Operator, request);
        let response = tokio::time::timeout(HEAD, sending)
            .await
            .map_err(|_| SourceError::Connect("it does not answer".to_owned()))??;
        heads.read(response.headers());
        if !response.status().is_redirection() {
            if heads.bytes.is_none() {
                heads.bytes = whole_size(response.headers());
            }
            return Ok((response, heads));
        }
        address = redirected(&address, response.headers())?;
    }
    Err(SourceError::Failed("too many redirects".to_owned()))
}

impl Heads {
    fn read(&mut self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        // The site's own headers speak of the file; an entity tag in the same form, of a mirror, does too.
        let tag = text("x-linked-etag").or_else(|| text(ETAG.as_str())).map(|tag| tag.trim_matches('"'));
        let is_sha256 = |tag: &&str| tag.len() == 64 && tag.bytes().all(|b| b.is_ascii_hexdigit());
        if let Some(tag) = tag.filter(is_sha256)
            && self.sha256.is_none()
        {
            self.sha256 = Some(tag.to_ascii_lowercase());
        }
        if let Some(bytes) = text("x-linked-size").and_then(|size| size.parse().ok()) {
            self.bytes = Some(bytes);
        }
    }
}

fn redirected(from: &Uri, headers: &HeaderMap) -> Result<Uri, SourceError> {
    let wrong = || SourceError::Failed("it redirects to nowhere".to_owned());
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).ok_or_else(wrong)?;
    let base = url::Url::parse(&from.to_string()).map_err(|_| wrong())?;
    let next = base.join(location).map_err(|_| wrong())?;
    if base.scheme() == "https" && next.scheme() != "https" {
        return Err(SourceError::Failed("it redirects from https to http".to_owned()));
    }
    next.as_str().parse().map_err(|_| wrong())
}

/// Where a partial answer begins.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

/// The size of the whole file that a partial answer is of.
fn whole_size(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.parse().ok()
}

fn check_status(status: StatusCode) -> Result<(), SourceError> {
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => {
            Err(SourceError::Failed(format!("it does not give this file to everybody ({status})")))
        }
        status => Err(SourceError::Broken(format!("it answers {status}"))),
    }
}

impl From<outbound::Error> for SourceError {
    fn from(error: outbound::Error) -> Self {
        if error.is_connect() { Self::Connect(error.to_string()) } else { Self::Broken(error.to_string()) }
    }
}

impl From<FileError> for SourceError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}
