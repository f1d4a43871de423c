//! Names and servers of our own.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use outbound::{Client, FetchLimits, Fetched, Lookup, Options};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

/// A public address that nobody here connects to.
pub(crate) const PUBLIC: &str = "93.184.216.34";

/// Names with the answers that they give one after the other; the last one stays. A name without answers never gives
/// any; an unknown name does not exist.
#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Mutex<HashMap<String, Name>>>);

#[derive(Default)]
struct Name {
    answers: Vec<Vec<IpAddr>>,
    asked: usize,
}

impl Names {
    pub(crate) fn with(self, name: &str, answers: &[&[&str]]) -> Self {
        let answers = answers.iter().map(|list| list.iter().map(|text| text.parse().unwrap()).collect()).collect();
        self.0.lock().unwrap().insert(name.to_owned(), Name { answers, asked: 0 });
        self
    }

    /// How often a name was looked up.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.0.lock().unwrap()[name].asked
    }

    fn answer(&self, name: &str) -> Option<io::Result<Vec<IpAddr>>> {
        let mut names = self.0.lock().unwrap();
        let Some(name) = names.get_mut(name.trim_end_matches('.')) else {
            return Some(Err(io::Error::other("no such name")));
        };
        name.asked += 1;
        name.answers.get((name.asked - 1).min(name.answers.len().saturating_sub(1))).cloned().map(Ok)
    }
}

impl Lookup for Names {
    fn lookup<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        Box::pin(async move {
            match self.answer(name) {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}

pub(crate) fn client(options: &Options, names: &Names) -> Client {
    Client::with_lookup(options, Arc::new(names.clone())).unwrap()
}

/// A client with the rules as they are by default.
pub(crate) fn strict() -> Client {
    client(&Options::default(), &Names::default())
}

/// Options that allow these servers, and the ports of these.
pub(crate) fn allowing(entries: &str, servers: &[&Server]) -> Options {
    let ports = servers.iter().map(|server| server.address.port()).collect();
    Options { allow: entries.parse().unwrap(), ports, connect_timeout_secs: 5, ..Options::default() }
}

/// Limits that nothing here comes near.
pub(crate) fn patient() -> FetchLimits {
    FetchLimits { max_bytes: 1024 * 1024, total: Duration::from_secs(30) }
}

pub(crate) async fn fetch(client: &Client, url: &str) -> Result<Fetched, outbound::Error> {
    client.fetch(url, patient()).await
}

/// What a server answers to the path of a request: pieces, each after a pause.
type Script = Arc<dyn Fn(&str) -> Vec<(Duration, Vec<u8>)> + Send + Sync>;

/// A server that follows a script and remembers the heads of the requests it got.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// A server at an address of this machine that answers every request alike.
    pub(crate) async fn at(address: &str, answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::scripted(address, move |_| vec![(Duration::ZERO, answer.clone())]).await
    }

    pub(crate) async fn scripted(
        address: &str,
        script: impl Fn(&str) -> Vec<(Duration, Vec<u8>)> + Send + Sync + 'static,
    ) -> Self {
        Self::start(address, script, None).await
    }

    pub(crate) async fn secure(
        address: &str,
        script: impl Fn(&str) -> Vec<(Duration, Vec<u8>)> + Send + Sync + 'static,
        tls: tokio_rustls::TlsAcceptor,
    ) -> Self {
        Self::start(address, script, Some(tls)).await
    }

    #[expect(clippy::disallowed_methods, reason = "the server's drop ends its task")]
    async fn start(
        address: &str,
        script: impl Fn(&str) -> Vec<(Duration, Vec<u8>)> + Send + Sync + 'static,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let (script, seen): (Script, _) = (Arc::new(script), Arc::clone(&heads));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, script, seen) = (tls.clone(), Arc::clone(&script), Arc::clone(&seen));
                connections.spawn(async move {
                    match tls {
                        None => answer(stream, &script, &seen).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                answer(stream, &script, &seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, heads, task }
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A URL of this server under a name.
    pub(crate) fn url_as(&self, name: &str, path: &str) -> String {
        format!("http://{name}:{}{path}", self.address.port())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one request and closes.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: &Script, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    seen.lock().unwrap().push(head);
    for (pause, piece) in script(&path) {
        tokio::time::sleep(pause).await;
        if stream.write_all(&piece).await.is_err() {
            return;
        }
    }
    // The client may be gone before it took everything.
    let _gone = stream.shutdown().await;
}

/// An answer of a document.
pub(crate) fn document(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len())
}

/// An answer that points elsewhere.
pub(crate) fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// The answer at once, as a script has it.
pub(crate) fn at_once(answer: impl Into<Vec<u8>>) -> Vec<(Duration, Vec<u8>)> {
    vec![(Duration::ZERO, answer.into())]
}
