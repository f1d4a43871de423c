//! Asks a running server, for the commands that do.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, bail};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use outbound::{Body, Client, Trust};
use serde_json::Value;

use crate::{config::Config, data, services::ServiceName};

/// Most bytes of an answer.
const MAX_ANSWER: usize = 1024 * 1024;

/// A running server.
pub(crate) struct Api {
    client: Client,
    /// Its address, without a slash at the end.
    pub(crate) url: String,
}

impl Api {
    /// The server at `url`, else the one that runs on the configured data directory: its gateway, or its LLM API, or
    /// whatever it has.
    pub(crate) fn of(config: &Config, url: Option<&str>) -> anyhow::Result<Self> {
        let url = match url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => local(config)?,
        };
        Ok(Self { client: Client::new(&config.outbound)?, url })
    }

    /// One request, with a caller's token and a body where there are some.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let answer = self
            .client
            .send(Trust::Operator, request.body(body)?)
            .await
            .with_context(|| format!("no answer from {}", self.url))?;
        let status = answer.status();
        let Ok(body) = Limited::new(answer.into_body(), MAX_ANSWER).collect().await else {
            bail!("{} answers too much or not to the end", self.url);
        };
        Ok((status, serde_json::from_slice(&body.to_bytes()).unwrap_or_default()))
    }
}

fn local(config: &Config) -> anyhow::Result<String> {
    let ports = data::read_ports(&config.server.data_dir)?;
    let named = [ServiceName::Gateway, ServiceName::LlmApi].into_iter().find_map(|name| ports.get(name.name()));
    let port = named.or_else(|| ports.values().next()).context("the server that runs there listens nowhere")?;
    Ok(address(config.server.bind, *port))
}

/// Where a client on this machine reaches a port.
pub(crate) fn address(bind: IpAddr, port: u16) -> String {
    let host = if bind.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { bind };
    match host {
        IpAddr::V4(host) => format!("http://{host}:{port}"),
        IpAddr::V6(host) => format!("http://[{host}]:{port}"),
    }
}
