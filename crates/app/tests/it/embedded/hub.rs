//! A server on loopback that gives one file as Hugging Face does, and misbehaves as it is told.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// What happens to one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    /// Closes the connection after so many bytes of the body.
    pub(super) cut_after: Option<usize>,
    /// Sends nothing more after so many bytes of the body.
    pub(super) stall_after: Option<usize>,
    /// Answers with the whole file whatever part is asked for.
    pub(super) ignores_range: bool,
    /// Tells this checksum instead of the right one.
    pub(super) sha256: Option<String>,
    /// Answers with this status and nothing else.
    pub(super) status: Option<u16>,
}

/// The server; it ends with this.
pub(super) struct Hub {
    port: u16,
    /// Where each request wanted the file to begin, and its path.
    pub(super) requests: Arc<Mutex<Vec<(usize, String)>>>,
    _ending: DropGuard,
}

impl Hub {
    /// Gives `content`; `reply` says how to the request of each number.
    pub(super) async fn start(content: Vec<u8>, reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let (tracker, content, reply) = (TaskTracker::new(), Arc::new(content), Arc::new(reply));
        tracker.clone().spawn({
            let (requests, stop) = (Arc::clone(&requests), stop.clone());
            async move {
                while let Some(Ok((connection, _))) = stop.run_until_cancelled(listener.accept()).await {
                    let (requests, content) = (Arc::clone(&requests), Arc::clone(&content));
                    let (reply, stop) = (Arc::clone(&reply), stop.clone());
                    tracker.spawn(async move {
                        let answering = answer(connection, &content, &requests, &*reply);
                        stop.run_until_cancelled(answering).await;
                    });
                }
            }
        });
        Self { port, requests, _ending: stop.drop_guard() }
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where the requests that wanted the file itself began.
    pub(super) fn starts(&self) -> Vec<usize> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|(_, path)| !path.starts_with("probe ")).map(|(start, _)| *start).collect()
    }
}

pub(super) fn sha256(content: &[u8]) -> String {
    domain::secret::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content).as_ref())
}

async fn answer(
    mut connection: TcpStream,
    content: &[u8],
    requests: &Mutex<Vec<(usize, String)>>,
    reply: &(dyn Fn(usize) -> Reply + Send + Sync),
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = connection.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
    let (start, end) = range.and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
    let start: usize = start.parse().unwrap();
    let is_probe = !end.is_empty();
    let reply = {
        let mut requests = requests.lock().unwrap();
        requests.push((start, if is_probe { format!("probe {path}") } else { path }));
        let number = requests.iter().filter(|(_, path)| !path.starts_with("probe ")).count();
        reply(number.saturating_sub(1))
    };
    if let Some(status) = reply.status {
        let head = format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        return;
    }
    let (size, told) = (content.len(), reply.sha256.unwrap_or_else(|| sha256(content)));
    let (status, body) = match end.parse::<usize>() {
        Ok(end) => (206, &content[start..=end]),
        Err(_) if range.is_some() && !reply.ignores_range => (206, &content[start..]),
        Err(_) => (200, content),
    };
    let head = format!(
        "HTTP/1.1 {status} Ok\r\nx-linked-etag: \"{told}\"\r\nx-linked-size: {size}\r\ncontent-length: {}\r\n\
         connection: close\r\n",
        body.len()
    );
    let range = match status {
        206 => format!("content-range: bytes {start}-{}/{size}\r\n", start + body.len() - 1),
        _ => String::new(),
    };
    connection.write_all(format!("{head}{range}\r\n").as_bytes()).await.unwrap();
    let most = reply.cut_after.or(reply.stall_after).filter(|_| !is_probe).unwrap_or(body.len()).min(body.len());
    // A client that has left is no failure of the test.
    let _ = connection.write_all(&body[..most]).await;
    if reply.stall_after.is_some() && !is_probe {
        std::future::pending::<()>().await;
    }
}
