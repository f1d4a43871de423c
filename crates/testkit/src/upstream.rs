//! A local HTTP server that imitates a paid API, and misbehaves on demand.
//!
//! It speaks HTTP by hand, over a plain socket, because a library would not let it cut a chunk in two. Answers are
//! scripted: one queued with [`Upstream::next`] is used once, the one set with [`Upstream::always`] for all others. It
//! remembers every chat it was asked for, and notices when the other side leaves in the middle of an answer.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// How long a test waits for what must happen; a busy machine may be slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// The server; gone when dropped.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    state: Mutex<State>,
    /// Hang-ups so far.
    hangups: watch::Sender<u64>,
}

struct State {
    queue: VecDeque<Answer>,
    always: Answer,
    models: Answer,
    seen: Vec<Seen>,
    connections: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Method and path, such as `POST /v1/chat/completions`.
    pub target: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body as it came.
    pub body: String,
    /// Which connection it came on, from 1.
    pub connection: u64,
}

impl Seen {
    /// The header `name`, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the upstream got a body that is no JSON")
    }
}

/// What the upstream answers, step by step.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    before_head: Duration,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Silence until the other side leaves.
    Stall,
    /// The connection breaks.
    Cut,
}

impl Answer {
    /// An answer of `status` with a body of any kind.
    pub fn text(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            before_head: Duration::ZERO,
            steps: vec![Step::Send(body.into())],
        }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    /// A failure as such APIs write it.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({"error": {"message": message, "type": "t", "param": null, "code": null}}))
    }

    /// A whole chat completion that says `text`.
    pub fn says(text: &str) -> Self {
        Self::json(
            200,
            &json!({
                "id": "chatcmpl-upstream", "object": "chat.completion", "created": 1, "model": "theirs",
                "choices": [{"index": 0, "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
            }),
        )
    }

    /// A stream of events without content yet.
    pub fn stream() -> Self {
        let mut answer = Self::text(200, "text/event-stream", "");
        answer.steps.clear();
        answer
    }

    /// A whole stream that says `words`, tells its usage and ends well.
    pub fn streams(words: &[&str]) -> Self {
        let stream = words.iter().fold(Self::stream(), |stream, word| stream.word(word));
        stream.chunk(&json!([{"index": 0, "delta": {}, "finish_reason": "stop"}])).usage().done()
    }

    /// A further header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Thinks before its head.
    #[must_use]
    pub fn head_after(mut self, pause: Duration) -> Self {
        self.before_head = pause;
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Bytes as they are, sent at once.
    #[must_use]
    pub fn raw(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Send(bytes.into()))
    }

    /// An event of `data`.
    #[must_use]
    pub fn event(self, data: &str) -> Self {
        self.raw(format!("data: {data}\n\n"))
    }

    /// A chunk with `choices`.
    #[must_use]
    pub fn chunk(self, choices: &Value) -> Self {
        self.event(&format!(
            r#"{{"id":"chatcmpl-upstream","object":"chat.completion.chunk","created":1,"model":"theirs","choices":{choices}}}"#
        ))
    }

    /// A chunk that says `text`.
    #[must_use]
    pub fn word(self, text: &str) -> Self {
        self.chunk(&json!([{"index": 0, "delta": {"content": text}, "finish_reason": null}]))
    }

    /// The chunk that tells the usage.
    #[must_use]
    pub fn usage(self) -> Self {
        let usage = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
        self.event(&format!(r#"{{"id":"x","created":1,"model":"theirs","choices":[],"usage":{usage}}}"#))
    }

    /// The end mark.
    #[must_use]
    pub fn done(self) -> Self {
        self.event("[DONE]")
    }

    /// A pause between two steps.
    #[must_use]
    pub fn wait(self, pause: Duration) -> Self {
        self.step(Step::Wait(pause))
    }

    /// Silence from here on, until the other side leaves.
    #[must_use]
    pub fn stall(self) -> Self {
        self.step(Step::Stall)
    }

    /// The connection breaks here.
    #[must_use]
    pub fn cut(self) -> Self {
        self.step(Step::Cut)
    }
}

impl Upstream {
    /// A server that answers every chat well.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let models = json!({"object": "list", "data": [
            {"id": "upstream-chat", "object": "model", "created": 1_700_000_000, "owned_by": "vendor"},
            {"id": "vendor/upstream-large", "object": "model"},
        ]});
        let state = State {
            queue: VecDeque::new(),
            always: Answer::says("Hello there"),
            models: Answer::json(200, &models),
            seen: Vec::new(),
            connections: 0,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), hangups: watch::Sender::new(0) });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, _tasks: tasks }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers the next chat like this, once; several are used in their order.
    pub fn next(&self, answer: Answer) {
        self.shared.state().queue.push_back(answer);
    }

    /// Answers every chat like this for which nothing is queued.
    pub fn always(&self, answer: Answer) {
        self.shared.state().always = answer;
    }

    /// Answers the question for its models like this.
    pub fn models(&self, answer: Answer) {
        self.shared.state().models = answer;
    }

    /// The chats asked for so far.
    pub fn chats(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.target.ends_with("/chat/completions")).collect()
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// How often the other side left in the middle of an answer.
    pub fn hangups(&self) -> u64 {
        *self.shared.hangups.borrow()
    }

    /// Waits until the other side has left in the middle of an answer, `count` times since the start.
    ///
    /// # Panics
    /// When it does not leave.
    pub async fn hung_up(&self, count: u64) {
        let mut hangups = self.shared.hangups.subscribe();
        let waiting = tokio::time::timeout(PATIENCE, hangups.wait_for(|seen| *seen >= count));
        assert!(waiting.await.is_ok(), "the upstream was not let go");
    }

    /// Waits until `count` chats have arrived.
    ///
    /// # Panics
    /// When they do not arrive.
    pub async fn asked(&self, count: usize) {
        let waiting = async {
            while self.chats().len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "the upstream was not asked");
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let number = {
            let mut state = shared.state();
            state.connections += 1;
            state.connections
        };
        connections.spawn(serve(socket, Arc::clone(&shared), number));
    }
}

/// Serves one connection until either side closes it.
async fn serve(mut socket: TcpStream, shared: Arc<Shared>, connection: u64) {
    let _ = socket.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(seen) = read_request(&mut socket, &mut buffer, connection).await {
        let answer = {
            let mut state = shared.state();
            let is_list = seen.target.starts_with("GET ");
            state.seen.push(seen);
            if is_list { state.models.clone() } else { state.queue.pop_front().unwrap_or_else(|| state.always.clone()) }
        };
        match write_answer(&mut socket, answer).await {
            Ended::Well => {}
            Ended::Cut => return,
            Ended::HungUp => {
                shared.hangups.send_modify(|count| *count += 1);
                return;
            }
        }
    }
}

async fn read_request(socket: &mut TcpStream, buffer: &mut Vec<u8>, connection: u64) -> Option<Seen> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        read_more(socket, buffer).await?;
    };
    let head = String::from_utf8(buffer.drain(..head_end).collect()).expect("a request's head is text");
    let mut lines = head.lines();
    let target = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let split = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: Vec<(String, String)> = lines.filter_map(split).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length is a number"));
    while buffer.len() < length {
        read_more(socket, buffer).await?;
    }
    let body = String::from_utf8(buffer.drain(..length).collect()).expect("a request's body is text");
    Some(Seen { target, headers, body, connection })
}

async fn read_more(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    match socket.read_buf(buffer).await {
        Ok(1..) => Some(()),
        _ => None,
    }
}

enum Ended {
    Well,
    Cut,
    HungUp,
}

async fn write_answer(socket: &mut TcpStream, answer: Answer) -> Ended {
    if !answer.before_head.is_zero() && left_within(socket, answer.before_head).await {
        return Ended::HungUp;
    }
    let mut head = format!("HTTP/1.1 {} Scripted\r\ntransfer-encoding: chunked\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    if socket.write_all(head.as_bytes()).await.is_err() {
        return Ended::HungUp;
    }
    for step in answer.steps {
        let left = match step {
            Step::Send(bytes) if bytes.is_empty() => false,
            Step::Send(bytes) => {
                let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
                chunk.extend_from_slice(&bytes);
                chunk.extend_from_slice(b"\r\n");
                socket.write_all(&chunk).await.is_err()
            }
            Step::Wait(pause) => left_within(socket, pause).await,
            Step::Stall => left_within(socket, Duration::from_hours(1)).await,
            Step::Cut => return Ended::Cut,
        };
        if left {
            return Ended::HungUp;
        }
    }
    if socket.write_all(b"0\r\n\r\n").await.is_ok() { Ended::Well } else { Ended::HungUp }
}

/// Whether the other side leaves within `pause`. It has nothing to say in the middle of an answer.
async fn left_within(socket: &mut TcpStream, pause: Duration) -> bool {
    let mut byte = [0];
    tokio::time::timeout(pause, socket.read(&mut byte)).await.is_ok()
}
