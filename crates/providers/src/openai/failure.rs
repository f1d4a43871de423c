//! What the upstream's failures mean for the caller.
//!
//! Its own words reach a caller only where it refuses the caller's request, and then trimmed and cleaned: they may hold
//! addresses, keys and traces. Everything else is for the operator's log.

use std::{fmt::Write as _, time::Duration};

use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use outbound::ResponseBody;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Error;

/// More than this of an error's body is not looked at.
const MAX_BODY: usize = 64 * 1024;
/// How long an error's body may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Clients wait this long at most before they try again by themselves.
const MAX_PAUSE: Duration = Duration::from_mins(2);
/// Longest text of an upstream that is shown, in characters.
const MAX_WORDS: usize = 300;

/// An upstream's error object, as far as servers agree on it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    message: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    param: Option<String>,
    code: Option<Box<RawValue>>,
}

impl Detail {
    /// Reads `{"error": {…}}`, `{"error": "text"}`, or what stands in place of the inner object.
    fn read(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            error: &'a RawValue,
        }
        let inner = serde_json::from_str::<Envelope<'_>>(text).map_or(text, |envelope| envelope.error.get());
        if let Ok(message) = serde_json::from_str::<String>(inner) {
            return Some(Self { message: Some(message), ..Self::default() });
        }
        serde_json::from_str(inner).ok()
    }

    fn code(&self) -> &str {
        self.code.as_deref().map_or("", |code| code.get().trim_matches('"'))
    }

    fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    fn mentions(&self, words: &[&str]) -> bool {
        let kind = self.kind.as_deref().unwrap_or_default();
        let message = self.message().to_ascii_lowercase();
        words.iter().any(|word| self.code().contains(word) || kind.contains(word) || message.contains(word))
    }
}

/// What the operator's log shows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Reason {
    #[error("the upstream answered {status}: {said}")]
    Status { status: StatusCode, said: String },
    #[error("the upstream rejects this server's key ({0}): check the key of this provider")]
    Key(StatusCode),
    #[error("the upstream has no such endpoint ({0}): check the URL of this provider")]
    Endpoint(StatusCode),
    #[error("the upstream answered with an error: {0}")]
    InAnswer(String),
}

impl Reason {
    /// Whether the upstream works and refuses what this server sends.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Status { status, .. } => !status.is_server_error(),
            Self::Key(_) | Self::Endpoint(_) => true,
            Self::InAnswer(_) => false,
        }
    }
}

/// The error that a failed answer of the upstream is.
pub(super) async fn of(response: Response<ResponseBody>) -> Error {
    let (head, body) = response.into_parts();
    let reading = tokio::time::timeout(PATIENCE, Limited::new(body, MAX_BODY).collect());
    let body = match reading.await {
        Ok(Ok(body)) => body.to_bytes(),
        _ => bytes::Bytes::new(),
    };
    let text = String::from_utf8_lossy(&body);
    sort(head.status, pause(&head.headers), Detail::read(&text).as_ref())
}

/// The error that an error object within a successful answer is.
pub(super) fn in_answer(text: &str) -> Error {
    let detail = Detail::read(text);
    let status = detail.as_ref().and_then(|detail| StatusCode::from_bytes(detail.code().as_bytes()).ok());
    match status {
        Some(status) if status.is_client_error() || status.is_server_error() => sort(status, None, detail.as_ref()),
        _ => Error::failed(Reason::InAnswer(detail.map_or_else(String::new, |detail| logged(detail.message())))),
    }
}

/// Whether another try may do better, if nothing was sent to the caller yet.
pub(super) fn is_passing(status: StatusCode, headers: &HeaderMap) -> bool {
    // A server that names its pause knows better than our backoff.
    matches!(status.as_u16(), 500 | 502 | 503 | 504) && !headers.contains_key(header::RETRY_AFTER)
}

fn sort(status: StatusCode, pause: Option<Duration>, detail: Option<&Detail>) -> Error {
    let said = detail.map_or("", Detail::message);
    let reason = || Reason::Status { status, said: logged(said) };
    match status.as_u16() {
        401 | 403 => Error::failed(Reason::Key(status)),
        404 if detail.is_some() => Error::NoSuchModel,
        404 | 405 => Error::failed(Reason::Endpoint(status)),
        408 | 504 => Error::Timeout(reason().into()),
        413 => Error::TooLarge,
        429 => Error::Busy { retry_after: pause },
        400 | 422 => refused(status, detail),
        503 | 529 => Error::Unavailable { retry_after: pause, source: reason().into() },
        _ => Error::failed(reason()),
    }
}

fn refused(status: StatusCode, detail: Option<&Detail>) -> Error {
    let Some(detail) = detail else {
        return Error::Refused { param: None, message: "The model's provider refuses the request.".to_owned() };
    };
    let words = (status == StatusCode::BAD_REQUEST).then(|| clean(detail.message())).filter(|words| !words.is_empty());
    if detail.mentions(&["context_length", "exceed_context_size", "context length", "context size", "context window"]) {
        let message = words.unwrap_or_else(|| "The prompt is longer than the model takes.".to_owned());
        return Error::TooLong { message };
    }
    if detail.code() == "model_not_found" {
        return Error::NoSuchModel;
    }
    let message = match words {
        Some(words) => format!("The model's provider refuses the request: {words}"),
        None => "The model's provider refuses the request.".to_owned(),
    };
    let is_path = |param: &String| {
        (1..=128).contains(&param.len())
            && param.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'[' | b']' | b'-'))
    };
    Error::Refused { param: detail.param.clone().filter(is_path), message }
}

/// The pause that the upstream names, at most [`MAX_PAUSE`].
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let pause = match number("retry-after-ms") {
        Some(millis) => millis / 1_000.0,
        None => number("retry-after")?,
    };
    Duration::try_from_secs_f64(pause).ok().map(|pause| pause.min(MAX_PAUSE))
}

/// An upstream's words as a caller may see them: one line, no addresses, no keys, no paths of its machine.
fn clean(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.contains("Traceback") {
        return String::new();
    }
    let mut out = String::new();
    for word in line.split_whitespace() {
        let word = if is_private(word) { "…" } else { word };
        if out.chars().count() + word.chars().count() + 1 > MAX_WORDS {
            out.push('…');
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().filter(|c| !c.is_control()));
    }
    out
}

fn is_private(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let lower = bare.to_ascii_lowercase();
    let is_address = lower.contains("://")
        || lower.contains("localhost")
        || lower.contains('@')
        || bare.split([':', '/', '=']).any(|part| part.parse::<std::net::IpAddr>().is_ok())
        || bare.parse::<std::net::SocketAddr>().is_ok()
        || bare.rsplit_once(':').is_some_and(|(host, port)| host.contains('.') && port.parse::<u16>().is_ok());
    let is_path = word.trim_start_matches(['"', '\'', '(', '`']).starts_with('/') && word.matches('/').count() >= 2;
    let is_key = ["sk-", "sk_", "key-", "bearer"].iter().any(|mark| lower.starts_with(mark))
        || bare.len() > 64
        || bare.len() >= 24
            && bare.bytes().any(|b| b.is_ascii_digit())
            && bare.bytes().all(|b| b.is_ascii_alphanumeric());
    is_address || is_path || is_key
}

/// An upstream's words for the log: bounded and on one line.
fn logged(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(MAX_WORDS) {
        if c.is_control() {
            let _infallible = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> Error {
        sort(StatusCode::from_u16(status).unwrap(), None, Detail::read(body).as_ref())
    }

    fn shown(status: u16, body: &str) -> (String, String, Option<String>) {
        let error = domain::Error::from(error(status, body));
        (error.code().to_owned(), error.message().to_owned(), error.param_name().map(str::to_owned))
    }

    #[test]
    fn a_refusal_is_the_callers_and_its_words_are_clean() {
        let body = r#"{"error":{"message":"Bad 'x' from http://10.1.2.3:80/v1 at 10.1.2.3:8000, key sk-abcdef (see /srv/app/main.py)\nTraceback","param":"messages[0].content","code":null}}"#;
        let (code, message, param) = shown(400, body);
        assert_eq!((code.as_str(), param.as_deref()), ("invalid_request", Some("messages[0].content")));
        assert_eq!(message, "The model's provider refuses the request: Bad 'x' from … at … key … (see …");
        let (_, message, _) = shown(422, body);
        assert_eq!(message, "The model's provider refuses the request.");
        let (_, message, param) =
            shown(400, r#"{"error":{"message":"Traceback (most recent call last)","param":"a b"}}"#);
        assert_eq!((message.as_str(), param), ("The model's provider refuses the request.", None));
        let (_, message, _) = shown(400, "<html>10.0.0.1</html>");
        assert_eq!(message, "The model's provider refuses the request.");
        let (_, message, _) = shown(400, &format!(r#"{{"error":"{}"}}"#, "word ".repeat(500)));
        assert!(message.chars().count() < 400 && message.ends_with('…'), "{message}");
    }

    #[test]
    fn classes_keep_their_meaning() {
        let json = r#"{"error":{"message":"m","type":"t","code":"c"}}"#;
        for (status, class) in [
            (401, "failed"),
            (403, "failed"),
            (404, "no_such_model"),
            (405, "failed"),
            (408, "timeout"),
            (413, "too_large"),
            (422, "refused"),
            (429, "busy"),
            (500, "failed"),
            (502, "failed"),
            (503, "unavailable"),
            (504, "timeout"),
            (529, "unavailable"),
            (302, "failed"),
            (402, "failed"),
        ] {
            assert_eq!(error(status, json).class(), class, "{status}");
        }
        assert_eq!(error(404, "<html>not here</html>").class(), "failed");
        for body in [
            r#"{"error":{"code":"context_length_exceeded","message":"m"}}"#,
            r#"{"error":{"type":"exceed_context_size_error","message":"m","code":400}}"#,
            r#"{"error":"This model's maximum context length is 4096 tokens."}"#,
        ] {
            assert_eq!(shown(400, body).0, "context_length_exceeded", "{body}");
        }
        assert_eq!(error(400, r#"{"error":{"code":"model_not_found"}}"#).class(), "no_such_model");
    }

    #[test]
    fn pauses_are_bounded() {
        let pause = |name: &'static str, value: &'static str| {
            pause(&HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]))
        };
        assert_eq!(pause("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(pause("retry-after", "86400"), Some(MAX_PAUSE));
        assert_eq!(pause("retry-after-ms", "1500"), Some(Duration::from_millis(1_500)));
        for odd in ["", "-1", "NaN", "inf", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert!(pause("retry-after", odd).is_none_or(|pause| pause <= MAX_PAUSE), "{odd}");
        }
    }
}
