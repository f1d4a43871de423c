//! What the accepted socket is set to, asked of the system itself.

use std::path::Path;

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::{Client, hurried};
use crate::support::App;

#[tokio::test]
async fn small_writes_go_out_at_once() {
    let served = App::new().listen(hurried()).await;
    let mut client = Client::connect(served.address).await;
    client.send("GET /stream/endless HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.until("data: 3").await;
    // The other end of this connection is a socket of this very process: the one among its open files whose peer is
    // this client.
    let mine = client.0.local_addr().unwrap();
    let accepted = std::fs::read_dir(Path::new("/proc/self/fd"))
        .unwrap()
        .filter_map(|file| file.unwrap().file_name().to_str()?.parse::<i32>().ok())
        .filter_map(stream_of)
        .find(|stream| stream.peer_addr().is_ok_and(|peer| peer == mine))
        .expect("the accepted socket is among the open files");
    assert!(accepted.nodelay().unwrap());
}

/// A second handle on an open socket of this process; nothing for other files.
fn stream_of(fd: i32) -> Option<std::net::TcpStream> {
    let myself = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let handle = pidfd_getfd(myself, fd, PidfdGetfdFlags::empty()).ok()?;
    let stream = std::net::TcpStream::from(handle);
    stream.peer_addr().is_ok().then_some(stream)
}
