//! The accept loop, on real sockets (`security.md` G1–G6).

mod caps;
mod drain;
mod framing;
mod http2;
mod limits;
mod socket;
mod times;

use std::net::SocketAddr;

use http_kit::ListenerOptions;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::PATIENCE;

/// Times of a second, so that tests take seconds.
fn hurried() -> ListenerOptions {
    ListenerOptions {
        first_byte_timeout: 1,
        header_timeout: 1,
        idle_timeout: 1,
        write_timeout: 1,
        ..ListenerOptions::default()
    }
}

/// A client that speaks bytes.
struct Client(TcpStream);

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Everything until the server closes the connection, which it does within [`PATIENCE`].
    async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset is an end as well.
        let _reset = timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.expect("the connection is closed in time");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads until `end` has come.
    async fn until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        let reading = async {
            while !String::from_utf8_lossy(&bytes).contains(end) {
                let mut chunk = [0; 4096];
                let length = self.0.read(&mut chunk).await.unwrap();
                assert!(length > 0, "closed before {end:?}: {}", String::from_utf8_lossy(&bytes));
                bytes.extend_from_slice(&chunk[..length]);
            }
        };
        timeout(PATIENCE, reading).await.expect("an answer in time");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends a request that ends the connection, and gives the whole answer.
    async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
        let mut client = Self::connect(address).await;
        client.send(bytes).await;
        client.rest().await
    }
}

/// The status of an answer.
#[track_caller]
fn status(answer: &str) -> u16 {
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no answer: {answer:?}"))
}
