//! G5: connections have bounds. Requests in flight are bounded at the edge (`errors.rs`).

use http_kit::ListenerOptions;
use tokio::net::UdpSocket;

use super::{Client, hurried, status};
use crate::support::App;

const HEAD: &str = "GET /open HTTP/1.1\r\nhost: a\r\n\r\n";

/// An address of this machine that is not loopback, which has no bound. No packet is sent to find it out.
async fn own_address() -> std::net::IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    socket.connect("192.0.2.1:9").await.expect("this test needs a machine with a network interface");
    socket.local_addr().unwrap().ip()
}

#[tokio::test]
async fn an_address_has_its_share_of_connections() {
    let served = App::new().listen(ListenerOptions { max_connections_per_address: 2, ..Default::default() }).await;
    let address = (own_address().await, served.address.port()).into();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(address).await;
        client.send(HEAD).await;
        client.until("open").await;
        clients.push(client);
    }
    assert_eq!(Client::connect(address).await.rest().await, "", "a third one is refused");

    // Others are not affected, and a place that becomes free is given anew.
    let mut local = Client::connect(served.address).await;
    local.send(HEAD).await;
    assert_eq!(status(&local.until("open").await), 200);
    drop(clients.pop());
    loop {
        let mut client = Client::connect(address).await;
        client.send(HEAD).await;
        if client.rest_or_answer().await {
            break;
        }
    }
}

#[tokio::test]
async fn beyond_all_places_a_connection_waits_for_one() {
    let served = App::new().listen(ListenerOptions { max_connections: 1, ..hurried() }).await;
    let mut first = Client::connect(served.address).await;
    first.send(HEAD).await;
    first.until("open").await;
    // The second is served when the first, idle, has been closed.
    let mut second = Client::connect(served.address).await;
    second.send(HEAD).await;
    assert_eq!(status(&second.until("open").await), 200);
}

impl Client {
    /// Whether there is an answer, rather than a closed connection.
    async fn rest_or_answer(&mut self) -> bool {
        let mut byte = [0];
        matches!(tokio::io::AsyncReadExt::read(&mut self.0, &mut byte).await, Ok(1))
    }
}
