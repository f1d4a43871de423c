//! One configuration: defaults < file < environment < flags.
//!
//! A section is a struct of the crate that uses it, with its defaults and its prose; [`Config`] lists them. Everything
//! else here follows from those structs' schema: which keys exist, what an environment variable's text means, what is
//! a secret, `config show`, `config schema`, the reference page and `config/default.toml`. Adding a setting is adding
//! a field.
//!
//! The layering is ours, for three things that the layering libraries lack: a variable's text is read as its field's
//! type and never guessed (a key of digits stays a text), an unknown key is told together with where it stands and
//! what it may have meant, and no error shows a secret.

mod aliases;
mod environment;
mod error;
mod fields;
mod file;
mod layers;
mod options;
mod reference;
mod show;
mod validate;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use environment::upstream;
pub(crate) use error::{Origin, Problem, Problems};
pub(crate) use layers::{Layers, Settings};
pub(crate) use options::{LogFormat, LogOptions, MetricsOptions, ModelOptions, Ports, ServerOptions, TelemetryOptions};
pub(crate) use reference::{default_file, markdown, schema};
pub(crate) use show::show;

/// What can be configured.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The process: where its data is, where it listens, which services it runs.
    pub server: ServerOptions,
    /// The port of each service; 0 takes a free one. The ports in use are written to `ports.json` in the data directory.
    pub ports: Ports,
    /// The database: SQLite in the data directory unless `url` names another.
    pub database: store::DatabaseOptions,
    /// What every request passes first.
    pub edge: http_kit::EdgeOptions,
    /// How often callers may come. Off unless set; a server that strangers reach should have limits.
    pub rate_limits: http_kit::RateLimitOptions,
    /// Connections: their time limits, in seconds, and their numbers.
    pub listener: http_kit::ListenerOptions,
    /// Requests that leave the process.
    pub outbound: outbound::Options,
    /// Who may come in, and for how long.
    pub identity: identity::Options,
    /// The Template API.
    pub template_api: template_api::Options,
    /// What is put before the messages of a chat.
    pub prompt: app::prompt::Options,
    /// What is kept of conversations.
    pub conversations: app::conversations::Options,
    /// Conversations that users show to everybody who has the link.
    pub sharing: app::sharing::Options,
    /// Which models are served beside those of the upstreams and the embedded ones.
    pub models: ModelOptions,
    /// Models that run in this process.
    #[cfg(feature = "embedded")]
    pub embedded: app::embedded::Options,
    /// OpenAI-compatible servers whose models are served, too.
    pub upstreams: Vec<providers::openai::Options>,
    /// The log, on standard error.
    pub log: LogOptions,
    /// The numbers for Prometheus, on a port of their own.
    pub metrics: MetricsOptions,
    /// Traces, sent as OTLP over HTTP. Nothing is measured unless an endpoint is set.
    pub telemetry: TelemetryOptions,
}

/// Where values come from, beside the defaults.
pub(crate) struct Sources {
    /// The file that was asked for, if one was.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// The flags, as the fields that they set.
    pub flags: Vec<Flag>,
}

/// A value from the command line.
pub(crate) struct Flag {
    /// The flag, dashes included.
    pub name: &'static str,
    /// The field that it sets, or the list that it adds to.
    pub path: &'static str,
    /// Its value.
    pub value: serde_json::Value,
}

/// Where the data is unless somebody says otherwise.
pub(crate) const DATA_DIR: &str = "data";

/// Puts the layers on top of each other and reads the result.
///
/// # Errors
/// Everything that is wrong, not just the first thing.
pub(crate) fn load(sources: Sources) -> Result<Settings, Problems> {
    let mut layers = Layers::new();
    let environment = environment::read(&sources.environment);
    // The file may lie in the data directory, so flags and environment name that first.
    let data_dir = sources
        .flags
        .iter()
        .rev()
        .find(|flag| flag.path == "server.data_dir")
        .and_then(|flag| flag.value.as_str().map(PathBuf::from))
        .or_else(|| environment.data_dir())
        .unwrap_or_else(|| PathBuf::from(DATA_DIR));
    layers.add_file(file::find(sources.file, &data_dir));
    environment.apply(&mut layers);
    for flag in sources.flags {
        layers.add_flag(flag);
    }
    layers.finish()
}
