//! Running the binary.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The binary in an empty directory, with an environment that says nothing.
pub(crate) struct Place {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("jan-server-").tempdir().unwrap();
        Self { directory, environment: Vec::new() }
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The command, ready to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jan-server"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null()).env_clear();
        command.env("HOME", self.path()).envs(self.environment.iter().cloned());
        command
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let done = self.command(arguments).output().unwrap();
        let done = Done {
            code: done.status.code().expect("it ended by itself"),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        };
        assert!(!done.err.contains("panicked"), "{done:?}");
        done
    }
}

/// Far longer than anything here takes; a test that hangs must end.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A running server; killed when dropped.
pub(crate) struct Server {
    process: Child,
    place: Place,
    ports: BTreeMap<String, u16>,
}

impl Place {
    /// Starts the server on free ports, without models of its own, and waits until it listens.
    pub(crate) fn serve(self, arguments: &[&str]) -> Server {
        let log = std::fs::File::create(self.path().join("log")).unwrap();
        let mut command = self.command(&["serve"]);
        for service in ["llm-api", "response-api", "media-api", "mcp-tools", "template-api", "gateway"] {
            if !arguments.iter().any(|argument| argument.contains(&format!("--{service}-port"))) {
                command.arg(format!("--{service}-port=0"));
            }
        }
        command.args(["--no-embedded-model", "--scripted"]).args(arguments);
        let process = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut server = Server { process, place: self, ports: BTreeMap::new() };
        server.wait_for_ports();
        server
    }
}

impl Server {
    fn wait_for_ports(&mut self) {
        let path = self.place.path().join("data/ports.json");
        self.ports = wait(|| {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            serde_json::from_str(&std::fs::read_to_string(&path).ok()?).ok()
        });
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn ports(&self) -> &BTreeMap<String, u16> {
        &self.ports
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.place.path().join("log")).unwrap_or_default()
    }

    /// Waits until the log has these words.
    pub(crate) fn wait_for_log(&self, words: &str) {
        let begun = Instant::now();
        while !self.log().contains(words) {
            assert!(begun.elapsed() < PATIENCE, "{words} does not come:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it is ready.
    pub(crate) fn ready(self) -> Self {
        wait(|| (self.get("llm-api", "/readyz").0 == 200).then_some(()));
        self
    }

    /// Sends a request and returns the connection, with nothing read of the answer.
    pub(crate) fn open(&self, service: &str, head: &str, body: &str) -> TcpStream {
        let mut socket = TcpStream::connect(("127.0.0.1", self.ports[service])).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let request =
            format!("{head}\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        socket.write_all(request.as_bytes()).unwrap();
        socket
    }

    /// The status and the body of an answer.
    pub(crate) fn ask(&self, service: &str, head: &str, body: &str) -> (u16, String) {
        let mut text = String::new();
        self.open(service, head, body).read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {text:?}")).parse().unwrap();
        (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    pub(crate) fn get(&self, service: &str, path: &str) -> (u16, String) {
        self.ask(service, &format!("GET {path} HTTP/1.1"), "")
    }

    /// The key of a new guest, as `jan-server env` gives it.
    pub(crate) fn key(&self) -> String {
        let done = self.place.run(&["env"]);
        assert_eq!(done.code, 0, "{done:?}");
        let line = done.out.lines().find_map(|line| line.strip_prefix("export OPENAI_API_KEY=")).unwrap();
        line.to_owned()
    }

    /// A streamed chat under way: its connection, after the first words.
    pub(crate) fn stream(&self, model: &str, words: &str) -> TcpStream {
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer {}",
            self.key()
        );
        let body = format!(r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"{words}"}}]}}"#);
        self.open("llm-api", &head, &body)
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap().success());
    }

    /// Waits for the end; the exit code.
    pub(crate) fn end(&mut self) -> i32 {
        let status = wait(|| self.process.try_wait().unwrap());
        status.code().unwrap_or_else(|| panic!("{status}:\n{}", self.log()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Waits for what comes.
pub(crate) fn wait<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}
