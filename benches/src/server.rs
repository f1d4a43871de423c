//! The server under test, as a child: started on a directory of its own before the mock, given a key
//! as any caller would get one, stopped with SIGTERM.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::load::connection::Connection;
use crate::load::target::Target;
use crate::mock;
use crate::process::Process;

/// Longest wait for readiness.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks whether it is ready: the grain of the start time.
const GRAIN: Duration = Duration::from_millis(1);

/// Which server to measure.
#[derive(clap::Args, Clone)]
#[group(skip)] // the commands that take these options have a group of that name already
pub(crate) struct Options {
    /// The server's binary. Without it `cargo build --release` makes one from this workspace.
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// A further argument for `serve`, such as --server-arg=--log=off. May be repeated.
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    server_arg: Vec<String>,
}

/// A binary that can be started.
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<String>,
}

impl Program {
    /// The one named, or a fresh build.
    pub(crate) async fn find(options: Options) -> anyhow::Result<Self> {
        let path = match options.server {
            Some(path) => path,
            None => build().await?,
        };
        ensure!(path.is_file(), "{} is no file: name the server's binary with --server", path.display());
        Ok(Self { path, arguments: options.server_arg })
    }

    /// Size of the binary, in bytes.
    pub(crate) fn size(&self) -> anyhow::Result<u64> {
        Ok(std::fs::metadata(&self.path)?.len())
    }

    /// Starts it on `data`, before `upstream`, and waits until it is ready.
    pub(crate) async fn start(&self, data: &Path, upstream: SocketAddr) -> anyhow::Result<Server> {
        let ports = data.join("ports.json");
        if ports.exists() {
            std::fs::remove_file(&ports)?; // from an earlier start
        }
        let log = data.join("bench.log");
        let output = std::fs::File::create(&log)?;
        let mut command = Command::new(&self.path);
        command.arg("serve").arg("--data").arg(data).args(["--bind", "127.0.0.1", "--only", "llm-api"]);
        for port in ["llm-api", "response-api", "media-api", "template-api"] {
            command.args([&format!("--{port}-port"), "0"]);
        }
        command.args(["--mcp-tools-port", "0", "--gateway-port", "0", "--no-embedded-model"]);
        command.arg("--upstream").arg(format!("http://{upstream}/v1")).args(&self.arguments);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);

        let started = Instant::now();
        let mut process = Process::start(command)?;
        loop {
            if let Some(status) = process.ended()? {
                bail!("the server ended with {status}; its last words:\n{}", tail(&log));
            }
            if let Some(address) = port(&ports)
                && ready(address).await
            {
                return Ok(Server { process, address, ready_after: started.elapsed() });
            }
            ensure!(started.elapsed() < PATIENCE, "not ready after {PATIENCE:?}; its last words:\n{}", tail(&log));
            tokio::time::sleep(GRAIN).await;
        }
    }
}

/// `cargo build` of the server in this workspace, where cargo leaves what it builds.
async fn build() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let directory = here.parent().context("this program has no directory")?;
    let target = directory.parent().context("this program is not in a target directory")?;
    let status = Command::new("cargo")
        .args(["build", "--release", "--package", "server", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .await
        .context("cannot run cargo: name the server's binary with --server")?;
    ensure!(status.success(), "the server does not build");
    Ok(target.join("release").join("jan-server"))
}

/// The LLM API's address, once the server has written where it listens.
fn port(ports: &Path) -> Option<SocketAddr> {
    let ports: Value = serde_json::from_slice(&std::fs::read(ports).ok()?).ok()?;
    let port = u16::try_from(ports.get("llm-api")?.as_u64()?).ok()?;
    Some((Ipv4Addr::LOCALHOST, port).into())
}

async fn ready(address: SocketAddr) -> bool {
    let asking = async {
        let request = Target::new(address, None)?.prepare(Method::GET, "/readyz", Bytes::new(), None)?;
        Connection::open(address).await?.json(&request).await
    };
    matches!(asking.await, Ok((StatusCode::OK, _)))
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(4000)..]).into_owned()
}

/// A running server.
pub(crate) struct Server {
    process: Process,
    address: SocketAddr,
    ready_after: Duration,
}

impl Server {
    /// From the start of the process to the first 200 of `/readyz`.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await
    }

    /// A guest logs in, makes a key, and looks which models there are.
    pub(crate) async fn target(&self) -> anyhow::Result<Target> {
        let anonymous = Target::new(self.address, None)?;
        let login = self.ask(&anonymous, Method::POST, "/auth/guest-login", json!({})).await?;
        let token = login["access_token"].as_str().context("guest-login gave no access_token")?;
        let guest = Target::new(self.address, Some(token))?;
        let made = self.ask(&guest, Method::POST, "/auth/api-keys", json!({ "name": "bench" })).await?;
        let key = made["key"].as_str().context("api-keys gave no key")?;
        let caller = Target::new(self.address, Some(key))?;
        let listed = self.ask(&caller, Method::GET, "/v1/models", Value::Null).await?;
        let ids = listed["data"].as_array().context("models gave no list")?;
        let ids: Vec<String> = ids.iter().filter_map(|model| Some(model["id"].as_str()?.to_owned())).collect();
        for model in mock::MODELS {
            ensure!(ids.iter().any(|id| id.ends_with(model)), "the server does not list the mock's model {model}");
        }
        Ok(caller.with_models(ids))
    }

    /// One question to the server, which must not refuse it.
    pub(crate) async fn ask(&self, caller: &Target, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let request = caller.prepare(method, path, body, None)?;
        let (status, answer) = Connection::open(self.address).await?.json(&request).await?;
        ensure!(status.is_success(), "{path} answered {status}: {}", answer["error"]["message"]);
        Ok(answer)
    }
}
