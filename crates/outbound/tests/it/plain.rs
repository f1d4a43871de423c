//! Connections to configured servers in the clear: kept, given up, tried again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use outbound::{Body, Client, Error, Options, ResponseBody, Trust};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

use crate::support::{Names, client, strict};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that lets the test decide what happens on each connection.
struct Server {
    url: String,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "the server's drop ends its task")]
    async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            let mut served = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                served.spawn(serve(stream));
            }
        });
        Self { url, connections, task }
    }

    /// Answers every request with `answer`, and keeps its connections.
    async fn steady(answer: &'static str) -> Self {
        Self::start(move |mut stream| async move {
            while head(&mut stream).await.is_some() {
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        })
        .await
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The next request's head and the body that came with it; `None` when the client closed the connection.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    while !text.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut text).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(String::from_utf8(text).unwrap())
}

async fn send(client: &Client, url: &str) -> Result<Response<ResponseBody>, Error> {
    client.send(Trust::Operator, Request::get(url).body(Body::empty()).unwrap()).await
}

async fn text(response: Response<ResponseBody>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// Waits until a connection's other end is seen to be closed.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    // A reset is an end, too.
    drop(ended.unwrap());
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::steady(OK).await;
    let client = strict();
    for _ in 0..5 {
        assert_eq!(text(send(&client, &server.url).await.unwrap()).await, "ok");
    }
    // One that came whole is free again as soon as its head is there.
    let unread = send(&client, &server.url).await.unwrap();
    assert_eq!(text(send(&client, &server.url).await.unwrap()).await, "ok");
    drop(unread);
    assert_eq!(text(send(&client, &server.url).await.unwrap()).await, "ok");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn requests_at_a_time_have_a_connection_each() {
    let server = Server::start(|mut stream| async move {
        while head(&mut stream).await.is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await;
    let client = strict();
    for _ in 0..2 {
        let (one, other) = tokio::join!(send(&client, &server.url), send(&client, &server.url));
        assert_eq!((text(one.unwrap()).await, text(other.unwrap()).await), ("ok".into(), "ok".into()));
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_answer_comes_in_pieces_and_frees_its_connection_at_its_end() {
    let server = Server::start(|mut stream| async move {
        while head(&mut stream).await.is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
            for piece in ["1\r\na\r\n", "1\r\nb\r\n", "0\r\n\r\n"] {
                tokio::time::sleep(Duration::from_millis(5)).await;
                stream.write_all(piece.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let client = strict();
    for _ in 0..3 {
        let mut body = send(&client, &server.url).await.unwrap().into_body();
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(pieces, ["a", "b"]);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_streamed_request_is_sent_while_the_answer_is_waited_for() {
    let server = Server::start(|mut stream| async move {
        let mut seen = String::new();
        while !seen.ends_with("0\r\n\r\n") {
            let mut piece = [0; 1024];
            let read = stream.read(&mut piece).await.unwrap();
            seen.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
        assert!(seen.starts_with("POST /"), "{seen}");
        assert!(seen.contains("a\r\n") && seen.contains("b\r\n"), "{seen}");
        stream.write_all(OK.as_bytes()).await.unwrap();
    })
    .await;
    let (sender, mut pieces) = mpsc::channel(1);
    let frames = futures_util::stream::poll_fn(move |cx| pieces.poll_recv(cx));
    let body = Body::stream(http_body_util::StreamBody::new(frames));
    let request = Request::post(&server.url).body(body).unwrap();
    let client = strict();
    let feeding = async {
        for piece in ["a", "b"] {
            tokio::time::sleep(Duration::from_millis(5)).await;
            sender.send(Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(piece)))).await.unwrap();
        }
        drop(sender);
    };
    let (response, ()) = tokio::join!(client.send(Trust::Operator, request), feeding);
    assert_eq!(text(response.unwrap()).await, "ok");
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_nothing_but_another_one() {
    let (gone, mut seen) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream| {
        let gone = gone.clone();
        async move {
            head(&mut stream).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
            drop(stream);
            gone.send(()).unwrap();
        }
    })
    .await;
    let client = strict();
    for sent in 1..=3 {
        assert_eq!(text(send(&client, &server.url).await.unwrap()).await, "ok");
        assert_eq!(server.connections(), sent);
        seen.recv().await.unwrap();
        // Until the client's side has heard of it.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_not_asked_for_again() {
    let server = Server::start(|mut stream| async move {
        head(&mut stream).await;
    })
    .await;
    assert!(matches!(send(&strict(), &server.url).await, Err(Error::Protocol(_))));
    assert_eq!(server.connections(), 1);
    let server = Server::start(|mut stream| async move {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok").await.unwrap();
    })
    .await;
    let response = send(&strict(), &server.url).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn whoever_stops_waiting_closes_the_connection() {
    let (left, mut seen) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream| {
        let left = left.clone();
        async move {
            let head = head(&mut stream).await.unwrap();
            if head.starts_with("GET /begins") {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok").await.unwrap();
            }
            closed(&mut stream).await;
            left.send(()).unwrap();
        }
    })
    .await;
    let client = strict();
    let waited = tokio::time::timeout(Duration::from_millis(50), send(&client, &server.url)).await;
    assert!(waited.is_err());
    seen.recv().await.unwrap();
    let mut response = send(&client, &format!("{}begins", server.url)).await.unwrap();
    assert_eq!(response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap(), "ok");
    drop(response);
    seen.recv().await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_its_time() {
    let (left, mut seen) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream| {
        let left = left.clone();
        async move {
            head(&mut stream).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
            closed(&mut stream).await;
            left.send(()).unwrap();
        }
    })
    .await;
    let client = client(&Options { idle_timeout_secs: 1, ..Options::default() }, &Names::default());
    assert_eq!(text(send(&client, &server.url).await.unwrap()).await, "ok");
    seen.recv().await.unwrap();
}

#[tokio::test]
async fn a_request_names_its_host_and_its_path() {
    let (heads, mut seen) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream| {
        let heads = heads.clone();
        async move {
            while let Some(head) = head(&mut stream).await {
                heads.send(head).unwrap();
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let client = strict();
    let host = server.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    send(&client, &format!("{}v1/models?a=b", server.url)).await.unwrap();
    let head = seen.recv().await.unwrap();
    assert!(head.starts_with("GET /v1/models?a=b HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {host}\r\n")), "{head}");
    let request = Request::get(&server.url).header("host", "another.test").body(Body::empty()).unwrap();
    client.send(Trust::Operator, request).await.unwrap();
    let head = seen.recv().await.unwrap();
    assert!(head.starts_with("GET / HTTP/1.1\r\n") && head.contains("host: another.test\r\n"), "{head}");
}
