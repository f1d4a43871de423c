//! The configuration of one OpenAI-compatible server.

use std::time::Duration;

use domain::Secret;
use http::{HeaderValue, Uri};
use schemars::JsonSchema;
use serde::Deserialize;
use url::{Host, Url};

use crate::BreakerOptions;

/// One OpenAI-compatible server. Only `url` is needed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Its short name, shown as `owned_by` and in `NAME/MODEL`; made from the URL when not given.
    #[serde(default)]
    pub name: Option<String>,
    /// Its base URL, with or without `/v1`.
    pub url: String,
    /// Its key, if it wants one.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub key: Option<Secret>,
    /// Its models, for a server that does not list them; otherwise it is asked.
    #[serde(default)]
    pub models: Option<Vec<String>>,
    /// Whether it is asked for the usage of streams on which the caller did not ask: without it the usage of such
    /// streams is unknown. Off for servers that refuse `stream_options`.
    #[serde(default = "yes")]
    pub include_usage: bool,
    /// In which of its own fields it is told whether to think, for requests that say `enable_thinking`.
    #[serde(default)]
    pub thinking: Thinking,
    /// Longest wait for the first event of a stream, in seconds. A large model on a small machine that reads a long
    /// prompt may need more.
    #[serde(default = "first_byte")]
    pub first_byte_secs: u64,
    /// Longest silence within a stream, in seconds.
    #[serde(default = "idle")]
    pub idle_secs: u64,
    /// Longest time for an answer, streamed or whole, in seconds.
    #[serde(default = "total")]
    pub total_secs: u64,
    /// After how many failures in a row (it cannot be reached, answers with a 5xx, is too slow) it is not asked for a
    /// moment and requests are refused at once with 503; 0 for never.
    #[serde(default = "breaker_failures")]
    pub breaker_failures: u32,
    /// How long it is then left alone, in seconds; twice as long after each further failure, up to a minute.
    #[serde(default = "breaker_secs")]
    pub breaker_secs: u64,
}

/// How a server is told whether to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Thinking {
    /// `chat_template_kwargs: {"enable_thinking": false}`, as vLLM, `SGLang` and llama.cpp have it.
    #[default]
    ChatTemplateKwargs,
    /// `reasoning_effort: "none"`, as `OpenAI` and Ollama have it.
    ReasoningEffort,
    /// `thinking: {"type": "disabled"}`, as `DeepSeek` and Z.ai have it.
    Thinking,
    /// `enable_thinking: false`, as the request has it.
    EnableThinking,
}

impl Thinking {
    /// The field that says it, and its value; no value where the model thinks unless it is told otherwise.
    pub(super) const fn field(self, on: bool) -> (&'static str, Option<&'static str>) {
        match (self, on) {
            (Self::ChatTemplateKwargs, true) => ("chat_template_kwargs", Some("{\"enable_thinking\":true}")),
            (Self::ChatTemplateKwargs, false) => ("chat_template_kwargs", Some("{\"enable_thinking\":false}")),
            (Self::ReasoningEffort, true) => ("reasoning_effort", None),
            (Self::ReasoningEffort, false) => ("reasoning_effort", Some("\"none\"")),
            (Self::Thinking, true) => ("thinking", Some("{\"type\":\"enabled\"}")),
            (Self::Thinking, false) => ("thinking", Some("{\"type\":\"disabled\"}")),
            (Self::EnableThinking, _) => (ENABLE_THINKING, None),
        }
    }
}

/// What requests call it.
pub(super) const ENABLE_THINKING: &str = "enable_thinking";

const fn yes() -> bool {
    true
}

const fn first_byte() -> u64 {
    60
}

const fn idle() -> u64 {
    60
}

const fn total() -> u64 {
    600
}

const fn breaker_failures() -> u32 {
    10
}

const fn breaker_secs() -> u64 {
    1
}

/// A server that cannot be asked as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum InvalidOptions {
    /// `url` is no http or https URL of a server.
    #[error("`{0}` is no http:// or https:// URL of a server")]
    Url(String),
    /// A key in the URL would show in logs.
    #[error("the URL holds a user name or a password; give the key as `key`")]
    Credentials,
    /// `name` cannot be told apart from a model's id.
    #[error("`{0}` is no name: use 1 to 64 letters, digits, `-`, `_` and `.`")]
    Name(String),
    /// `key` cannot be sent.
    #[error("the key has characters that no header may have")]
    Key,
}

impl Options {
    /// A server at `url`, everything else as usual.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            name: None,
            url: url.into(),
            key: None,
            models: None,
            include_usage: yes(),
            thinking: Thinking::default(),
            first_byte_secs: first_byte(),
            idle_secs: idle(),
            total_secs: total(),
            breaker_failures: breaker_failures(),
            breaker_secs: breaker_secs(),
        }
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// Why the server cannot be asked.
    pub fn check(&self) -> Result<(), InvalidOptions> {
        if let Some(key) = &self.key {
            http::HeaderValue::from_str(key.expose()).map_err(|_| InvalidOptions::Key)?;
        }
        Endpoints::of(self).map(drop)
    }

    /// When it is left alone.
    pub fn breaker(&self) -> BreakerOptions {
        BreakerOptions { failures: self.breaker_failures, pause: Duration::from_secs(self.breaker_secs.max(1)) }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            first_byte: Duration::from_secs(self.first_byte_secs.max(1)),
            idle: Duration::from_secs(self.idle_secs.max(1)),
            total: Duration::from_secs(self.total_secs.max(1)),
        }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) first_byte: Duration,
    pub(super) idle: Duration,
    pub(super) total: Duration,
}

/// Where to send what.
#[derive(Debug)]
pub(super) struct Endpoints {
    pub(super) name: String,
    pub(super) chat: Uri,
    pub(super) models: Uri,
}

impl Endpoints {
    pub(super) fn of(options: &Options) -> Result<Self, InvalidOptions> {
        let invalid = || InvalidOptions::Url(shown(&options.url));
        let url = Url::parse(&options.url).map_err(|_| invalid())?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(invalid());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidOptions::Credentials);
        }
        let base = base(&url);
        let at = |path: &str| format!("{base}{path}").parse::<Uri>().map_err(|_| invalid());
        Ok(Self { name: name(options, &url)?, chat: at("/chat/completions")?, models: at("/models")? })
    }

    /// The `Host` of a server that is asked without TLS and so by HTTP/1; HTTP/2 has none.
    pub(super) fn plain_host(&self) -> Option<HeaderValue> {
        let is_plain = self.chat.scheme_str() == Some("http");
        self.chat.authority().filter(|_| is_plain).and_then(|host| HeaderValue::from_str(host.as_str()).ok())
    }
}

/// What of a URL may be shown: a password in it may not.
fn shown(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => url.to_owned(),
    }
}

/// The address under which the endpoints are: as given if its path names a version, else with `/v1`.
fn base(url: &Url) -> String {
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/chat/completions").unwrap_or(path);
    let is_version =
        |part: &str| part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let version = if path.split('/').any(is_version) { "" } else { "/v1" };
    format!("{}{path}{version}", url.origin().ascii_serialization())
}

fn name(options: &Options, url: &Url) -> Result<String, InvalidOptions> {
    let Some(name) = &options.name else { return Ok(derived(url)) };
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if fits { Ok(name.clone()) } else { Err(InvalidOptions::Name(name.clone())) }
}

/// A name that says who serves without saying where: `openai` for `api.openai.com`, never an address.
fn derived(url: &Url) -> String {
    let labels = match url.host() {
        Some(Host::Domain(domain)) => domain.split('.').filter(|label| !label.is_empty()).collect(),
        _ => Vec::new(),
    };
    if labels.len() >= 2 {
        return labels[labels.len() - 2].to_owned();
    }
    match url.port() {
        Some(11434) => "ollama".to_owned(),
        Some(1234) => "lmstudio".to_owned(),
        _ => "upstream".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_may_be_left_out() {
        for (url, chat) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1/chat/completions"),
            ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1/chat/completions"),
            ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/chat/completions"),
            ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1/chat/completions"),
            ("http://[::1]:8000/v1/chat/completions", "http://[::1]:8000/v1/chat/completions"),
            ("https://openrouter.ai/api", "https://openrouter.ai/api/v1/chat/completions"),
            ("https://g.test/v1beta/openai/", "https://g.test/v1beta/openai/chat/completions"),
            ("https://api.openai.com:443/v1?x=y", "https://api.openai.com/v1/chat/completions"),
        ] {
            assert_eq!(Endpoints::of(&Options::new(url)).unwrap().chat, chat, "{url}");
        }
    }

    #[test]
    fn a_derived_name_is_no_address() {
        for (url, name) in [
            ("https://api.openai.com/v1", "openai"),
            ("https://openrouter.ai/api/v1", "openrouter"),
            ("http://127.0.0.1:11434", "ollama"),
            ("http://localhost:1234/v1", "lmstudio"),
            ("http://10.0.0.7:8000", "upstream"),
            ("http://[fd00::1]:8000", "upstream"),
        ] {
            assert_eq!(Endpoints::of(&Options::new(url)).unwrap().name, name, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused_without_showing_secrets() {
        for url in ["", "localhost:8000", "ftp://x/v1", "file:///etc/passwd", "http://"] {
            assert!(matches!(Endpoints::of(&Options::new(url)), Err(InvalidOptions::Url(_))), "{url}");
        }
        let error = Endpoints::of(&Options::new("http://me:hunter2@host/v1")).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        let error = Endpoints::of(&Options::new("htp://me:hunter2@host/v1")).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        for name in ["", "a/b", "a b", "é"] {
            let options = Options { name: Some(name.to_owned()), ..Options::new("http://x/v1") };
            assert!(matches!(Endpoints::of(&options), Err(InvalidOptions::Name(_))), "{name}");
        }
    }
}
