//! `jan-server healthcheck`: whether a running server lives, as an exit code.

use std::time::Duration;

use anyhow::{Context, bail};
use http::Method;

use crate::{
    cli::Healthcheck,
    client::Api,
    commands::{block_on, print},
    config,
};

/// A probe has its own limit; this one is below the usual ones.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) fn run(command: &Healthcheck) -> anyhow::Result<()> {
    let settings = config::load(command.common.sources(Vec::new()))?;
    block_on(async {
        let api = Api::of(&settings.config, command.url.as_deref())?;
        let path = if command.ready { "/readyz" } else { "/healthz" };
        let asking = api.ask(Method::GET, path, None, None);
        let (status, answer) = tokio::time::timeout(PATIENCE, asking).await.context("the server does not answer")??;
        if !status.is_success() {
            bail!("{path} answers {status}: {}", answer["error"]["message"].as_str().unwrap_or_default());
        }
        print("ok\n")
    })
}
