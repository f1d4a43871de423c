//! A running server, and what tests say to it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

/// Far longer than anything here takes; a test that hangs must end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Services and their ports' flags. Every one gets a free port: tests run side by side.
const SERVICES: [&str; 6] = ["llm-api", "response-api", "media-api", "mcp-tools", "template-api", "gateway"];

/// The server's binary: the one `JAN_TEST_SERVER` names, or a fresh build.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("JAN_TEST_SERVER") {
        Some(path) => path.into(),
        None => build(),
    })
}

fn build() -> PathBuf {
    let done = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--package", "server", "--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let mut artifacts = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let executable = artifacts.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
    executable.expect("cargo built the server")
}

/// The binary with arguments, and nothing of this machine's configuration.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null()).env_clear();
    for name in ["HOME", "PATH", "XDG_CACHE_HOME", "TMPDIR", "RUST_BACKTRACE"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

/// How a server is started.
pub(crate) struct Setup {
    data: PathBuf,
    home: Option<TempDir>,
    arguments: Vec<String>,
}

impl Setup {
    /// Without models, on a data directory of its own and free ports.
    pub(crate) fn new() -> Self {
        let home = tempfile::Builder::new().prefix("jan-e2e-").tempdir().unwrap();
        let data = home.path().join("data");
        Self { data, home: Some(home), arguments: Vec::new() }
    }

    /// On the data of an earlier server, which is not removed at the end.
    pub(crate) fn on(data: &Path) -> Self {
        Self { data: data.to_owned(), home: None, arguments: Vec::new() }
    }

    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn args(self, arguments: &[&str]) -> Self {
        arguments.iter().fold(self, |setup, argument| setup.arg(*argument))
    }

    /// With the scripted provider's models.
    pub(crate) fn scripted(self) -> Self {
        self.args(&["--no-embedded-model", "--scripted"])
    }

    /// With these models in the process, from the user's cache, beside the scripted ones.
    pub(crate) fn models(self, names: &[&str]) -> Self {
        self.configured(&format!("[embedded]\nmodels = {}\n", json!(names)))
    }

    /// With these models in the process, from `cache`.
    pub(crate) fn models_in(self, names: &[&str], cache: &Path) -> Self {
        self.configured(&format!("[embedded]\nmodels = {}\ncache_dir = {}\n", json!(names), json!(cache)))
    }

    /// With these settings, and the scripted models.
    pub(crate) fn configured(self, text: &str) -> Self {
        fs::create_dir_all(&self.data).unwrap();
        fs::write(self.data.join("jan.toml"), text).unwrap();
        self.arg("--scripted")
    }

    /// The command that starts it.
    pub(crate) fn command(&self) -> Command {
        let mut command = command(&["serve", "--data"]);
        command.arg(&self.data);
        for service in SERVICES {
            if !self.arguments.iter().any(|argument| argument.starts_with(&format!("--{service}-port"))) {
                command.args([&format!("--{service}-port"), "0"]);
            }
        }
        command.args(&self.arguments);
        command
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(self) -> Server {
        let mut command = self.command();
        fs::create_dir_all(&self.data).unwrap();
        let log = self.data.join("e2e.log");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let process = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let mut server =
            Server { process, data: self.data, _home: self.home, ports: BTreeMap::new(), client: client() };
        server.wait_until_ready().await;
        server
    }
}

pub(crate) type HttpClient = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    process: Child,
    data: PathBuf,
    _home: Option<TempDir>,
    ports: BTreeMap<String, u16>,
    client: HttpClient,
}

impl Server {
    async fn wait_until_ready(&mut self) {
        let begun = Instant::now();
        let ports = self.data.join("ports.json");
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            assert!(begun.elapsed() < PATIENCE, "the server is not ready:\n{}", self.log());
            if let Ok(text) = fs::read_to_string(&ports) {
                self.ports = serde_json::from_str(&text).unwrap();
                let service = self.ports.keys().next().unwrap().clone();
                let answer = self.call(Method::GET, &self.url(&service, "/readyz"), None, None).await;
                if answer.status == StatusCode::OK {
                    return;
                }
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What the server wrote to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.data.join("e2e.log")).unwrap_or_default()
    }

    pub(crate) fn port(&self, service: &str) -> u16 {
        *self.ports.get(service).unwrap_or_else(|| panic!("{service} does not run: {:?}", self.ports))
    }

    pub(crate) fn url(&self, service: &str, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port(service))
    }

    /// Both ways to the OpenAI endpoints: the service itself and the gateway.
    pub(crate) fn doors(&self) -> [String; 2] {
        [self.url("llm-api", "/v1"), self.url("gateway", "/v1")]
    }

    /// Sends a request with JSON and a token, reads the whole answer.
    pub(crate) async fn call(&self, method: Method, url: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        self.try_call(method, url, token, body).await.unwrap_or_else(|error| panic!("{url}: {error}\n{}", self.log()))
    }

    /// The same; the connection may fail.
    pub(crate) async fn try_call(
        &self,
        method: Method,
        url: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let mut request = Request::builder().method(method).uri(url);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).unwrap();
        let answer = async {
            let (head, body) = self.client.request(request).await.map_err(|error| format!("{error:?}"))?.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    /// Sends a form to somebody else.
    pub(crate) async fn form(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(Full::new(Bytes::from(form))).unwrap();
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    pub(crate) async fn get(&self, service: &str, path: &str, token: Option<&str>) -> Answer {
        self.call(Method::GET, &self.url(service, path), token, None).await
    }

    pub(crate) async fn post(&self, service: &str, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.call(Method::POST, &self.url(service, path), token, Some(body)).await
    }

    /// Signs a guest in; its access token.
    pub(crate) async fn guest(&self) -> String {
        let answer = self.post("llm-api", "/auth/guest-login", None, &json!({})).await.expect(201);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// An API key of a new guest: its id and the key.
    pub(crate) async fn key(&self, token: &str) -> (String, String) {
        let answer = self.post("llm-api", "/auth/api-keys", Some(token), &json!({"name": "e2e"})).await.expect(201);
        let answer = answer.json();
        (answer["id"].as_str().unwrap().to_owned(), answer["key"].as_str().unwrap().to_owned())
    }

    /// Waits until a model is listed: a start waits only a moment for upstreams to say what they have.
    pub(crate) async fn lists(&self, key: &str, model: &str) {
        let begun = Instant::now();
        loop {
            let list = self.get("llm-api", "/v1/models", Some(key)).await.expect(200).json();
            if list["data"].as_array().unwrap().iter().any(|listed| listed["id"] == model) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{model} is not listed: {list}\n{}", self.log());
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks a model, whole.
    pub(crate) async fn chat(&self, key: &str, model: &str, text: &str) -> Answer {
        let body = json!({"model": model, "messages": [{"role": "user", "content": text}], "temperature": 0});
        self.post("llm-api", "/v1/chat/completions", Some(key), &body).await
    }

    /// Asks a model for a stream through `url`, on a connection that closes with it; the stream after its first bytes.
    pub(crate) async fn stream(&self, url: &str, key: &str, model: &str) -> hyper::body::Incoming {
        let body = json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "go on"}]});
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.to_string().into()))
            .unwrap();
        let answer = client().request(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let mut stream = answer.into_body();
        let first = stream.frame().await.expect("the stream has a beginning").unwrap();
        assert!(String::from_utf8_lossy(first.data_ref().unwrap()).contains("data:"), "a first event is passed on");
        stream
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Whether the process has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// Waits for the process to end.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not end:\n{}", self.log());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills the process as a power cut would, and starts another on its data.
    pub(crate) async fn kill_and_restart(&mut self, arguments: &[&str]) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let _lost = fs::remove_file(self.data.join("ports.json"));
        let mut next = Setup::on(&self.data).args(arguments).start().await;
        std::mem::swap(&mut self.process, &mut next.process);
        std::mem::swap(&mut self.ports, &mut next.ports);
        std::mem::swap(&mut self.client, &mut next.client);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// The same answer, if its status is `status`.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    /// The text of a chat's first choice.
    pub(crate) fn content(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
    }
}
