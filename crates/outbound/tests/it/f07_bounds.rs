//! F7: every fetch is bounded in bytes and in time, and takes no packed body.

use std::time::Duration;

use outbound::{Error, FetchLimits, Options, Stage};
use tokio::time::Instant;

use crate::support::{Names, Server, allowing, at_once, client, document, fetch, patient};

fn small(bytes: u64) -> FetchLimits {
    FetchLimits { max_bytes: bytes, ..patient() }
}

#[tokio::test]
async fn f7_a_document_has_a_size() {
    let server = Server::scripted("127.0.0.2", |path| {
        at_once(match path {
            "/chunked" => {
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n678901\r\n0\r\n\r\n"
                    .to_owned()
            }
            "/until-the-end" => "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n012345678901".to_owned(),
            _ => document("012345678901"),
        })
    })
    .await;
    let client = client(&allowing("127.0.0.2", &[&server]), &Names::default());
    for path in ["/known", "/chunked", "/until-the-end"] {
        let url = server.url(path);
        let result = client.fetch(&url, small(11)).await;
        assert!(matches!(result, Err(Error::TooLarge { limit: 11 })), "{path}: {result:?}");
        assert_eq!(client.fetch(&url, small(12)).await.unwrap().body, "012345678901", "{path}");
    }
}

#[tokio::test]
async fn f7_a_document_that_says_it_is_too_large_is_not_read() {
    // It says so and sends nothing: only who does not wait for it gets an answer.
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
    let server = Server::scripted("127.0.0.2", move |_| {
        vec![(Duration::ZERO, head.as_bytes().to_vec()), (Duration::from_mins(1), Vec::new())]
    })
    .await;
    let client = client(&allowing("127.0.0.2", &[&server]), &Names::default());
    assert!(matches!(client.fetch(&server.url("/"), small(1_000)).await, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn f7_the_whole_fetch_has_a_time_however_it_drips() {
    let server = Server::scripted("127.0.0.2", |path| {
        let head = if path == "/head" { "HTTP/1.1 200 OK\r\nx-drip: " } else { "HTTP/1.1 200 OK\r\n\r\n" };
        let mut script = at_once(head);
        script.extend((0..1_000).map(|_| (Duration::from_millis(50), b"x".to_vec())));
        script
    })
    .await;
    let client = client(&allowing("127.0.0.2", &[&server]), &Names::default());
    for path in ["/head", "/body"] {
        let limits = FetchLimits { total: Duration::from_millis(500), ..patient() };
        let started = Instant::now();
        let result = client.fetch(&server.url(path), limits).await;
        assert!(matches!(result, Err(Error::Timeout(Stage::Total))), "{path}: {result:?}");
        assert!(started.elapsed() < Duration::from_secs(20), "{path}");
    }
}

#[tokio::test]
async fn f7_connecting_has_a_time() {
    // A name that never resolves, and a server that never shakes hands.
    let silent = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let options = Options {
        allow: "127.0.0.2".parse().unwrap(),
        ports: vec![port],
        connect_timeout_secs: 1,
        ..Options::default()
    };
    let client = client(&options, &Names::default().with("never.test", &[]));
    for url in ["http://never.test/".to_owned(), format!("https://127.0.0.2:{port}/")] {
        let error = fetch(&client, &url).await.unwrap_err();
        assert!(matches!(error, Error::Timeout(Stage::Connect)), "{url}: {error:?}");
        assert!(error.is_connect());
    }
    assert!(matches!(client.check("http://never.test/").await, Err(Error::Timeout(Stage::Connect))));
}

#[tokio::test]
async fn f7_packed_bodies_are_declined_and_refused() {
    for encoding in ["gzip", "br", "deflate", "zstd", "identity, gzip"] {
        let answer = document("packed").replace("connection:", &format!("content-encoding: {encoding}\r\nconnection:"));
        let server = Server::at("127.0.0.2", answer).await;
        let client = client(&allowing("127.0.0.2", &[&server]), &Names::default());
        assert!(matches!(fetch(&client, &server.url("/")).await, Err(Error::Encoding)), "{encoding}");
        assert!(server.heads()[0].contains("accept-encoding: identity\r\n"), "{:?}", server.heads());
    }
}

#[tokio::test]
async fn f7_fetches_at_a_time_are_bounded_and_the_wait_counts() {
    let server = Server::scripted("127.0.0.2", |_| vec![(Duration::from_mins(1), Vec::new())]).await;
    let options = Options { max_fetches: 1, ..allowing("127.0.0.2", &[&server]) };
    let client = client(&options, &Names::default());
    let url = server.url("/");
    let limits = |millis| FetchLimits { total: Duration::from_millis(millis), ..patient() };
    let (first, second) = tokio::join!(client.fetch(&url, limits(4_000)), client.fetch(&url, limits(500)));
    assert!(matches!(first, Err(Error::Timeout(Stage::Total))));
    assert!(matches!(second, Err(Error::Timeout(Stage::Total))));
    assert_eq!(server.heads().len(), 1, "the second never got its turn");
}
