//! The sections that belong to the binary itself.

use std::{net::IpAddr, path::PathBuf};

use domain::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::services::ServiceName;

/// The process as a whole.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerOptions {
    /// Where the data is: the SQLite database, the signing keys, the ports in use. Made when absent.
    pub data_dir: PathBuf,
    /// The address to listen on. `0.0.0.0` lets other machines in.
    pub bind: IpAddr,
    /// The services to run; empty for all.
    pub services: Vec<ServiceName>,
    /// The address under which clients reach the server: tokens name it as their issuer, and the links that the server
    /// gives out begin with it. Unless set, the gateway's port on this machine. Servers that share a database need the
    /// same.
    pub public_url: String,
    /// Threads that serve requests; 0 for one a core.
    pub worker_threads: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(super::DATA_DIR),
            bind: IpAddr::from([127, 0, 0, 1]),
            services: Vec::new(),
            public_url: "http://localhost:8000".to_owned(),
            worker_threads: 0,
        }
    }
}

/// The services' ports.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ports {
    /// LLM API.
    pub llm_api: u16,
    /// Response API.
    pub response_api: u16,
    /// Media API.
    pub media_api: u16,
    /// MCP Tools.
    pub mcp_tools: u16,
    /// Template API.
    pub template_api: u16,
    /// The gateway: one door to all services.
    pub gateway: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { llm_api: 8080, response_api: 8082, media_api: 8285, mcp_tools: 8091, template_api: 8185, gateway: 8000 }
    }
}

impl Ports {
    /// The port of a service.
    pub(crate) fn of(&self, service: ServiceName) -> u16 {
        match service {
            ServiceName::LlmApi => self.llm_api,
            ServiceName::ResponseApi => self.response_api,
            ServiceName::MediaApi => self.media_api,
            ServiceName::McpTools => self.mcp_tools,
            ServiceName::TemplateApi => self.template_api,
            ServiceName::Gateway => self.gateway,
        }
    }
}

/// Models in general.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ModelOptions {
    /// Serves the models `scripted/…`, which answer by rule and without a model: for tests and demonstrations.
    pub scripted: bool,
}

/// What is written while the server runs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogOptions {
    /// The least level that is written: `off`, `error`, `warn`, `info`, `debug` or `trace`, or levels by part, such as
    /// `info,request=off,outbound=debug`.
    pub level: String,
    /// `console` for people, `json` for machines, `auto` for `console` on a terminal and `json` elsewhere.
    pub format: LogFormat,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Auto,
    Console,
    Json,
}

/// Numbers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MetricsOptions {
    /// The port that has `/metrics` of all services, for whoever can reach it; 0 takes a free one. The services' own ports
    /// have none then. Not set: each service has its own `/metrics`, for this machine itself and for administrators.
    pub port: Option<u16>,
    /// The address to listen on for it. `0.0.0.0` lets other machines in.
    pub bind: IpAddr,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self { port: None, bind: IpAddr::from([127, 0, 0, 1]) }
    }
}

/// Traces.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TelemetryOptions {
    /// A collector's address for OTLP over HTTP, such as `http://127.0.0.1:4318`; traces go to `/v1/traces` below it.
    pub otlp_endpoint: Option<String>,
    /// Headers for the collector: `name=value,name=value`.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub otlp_headers: Option<Secret>,
    /// The name under which the collector files them.
    pub service_name: String,
    /// The deployment's name, such as `production`.
    pub environment: Option<String>,
    /// The share of traces that are kept, from 0 to 1, where the request's own trace does not say.
    pub sample_ratio: f64,
}

impl Default for TelemetryOptions {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            otlp_headers: None,
            service_name: "jan-server".to_owned(),
            environment: None,
            sample_ratio: 1.0,
        }
    }
}
