//! Stopping: what is under way finishes, within a limit, and a second signal hastens.

use std::{
    io::Read,
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::support::{PATIENCE, Place, wait};

#[test]
fn a_stop_that_is_asked_for_is_a_good_end() {
    for signal in ["TERM", "INT"] {
        let mut server = Place::new().serve(&[]);
        server.signal(signal);
        assert_eq!(server.end(), 0, "{}", server.log());
        assert!(!server.place().path().join("data/ports.json").exists());
        assert!(server.log().contains("Stopped"), "the last line is written, too: {}", server.log());
    }
}

#[test]
fn a_stream_under_way_is_finished() {
    let mut server = Place::new().serve(&[]).ready();
    let mut stream = server.stream("scripted/slow", "one two three four five six seven eight nine ten");
    first_words(&mut stream);
    server.signal("TERM");
    let gateway = server.ports()["gateway"];
    wait(|| TcpStream::connect(("127.0.0.1", gateway)).is_err().then_some(()));
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("ten") && text.contains("[DONE]"), "{text}");
    assert_eq!(server.end(), 0, "{}", server.log());
}

#[test]
fn a_second_signal_hastens() {
    let mut server = Place::new().serve(&["--drain-timeout", "600"]).ready();
    let mut stream = server.stream("scripted/silent", "?");
    server.wait_for_log("auth/api-keys");
    // Its head is there at once or never; the answer has not begun either way.
    std::thread::sleep(Duration::from_millis(300));
    server.signal("TERM");
    server.wait_for_log("Stopping");
    let begun = Instant::now();
    server.signal("TERM");
    let mut text = String::new();
    // Cut or told: both are an end.
    _ = stream.read_to_string(&mut text);
    assert_eq!(server.end(), 0, "{}", server.log());
    assert!(begun.elapsed() < PATIENCE);
    assert!(server.log().contains("Asked again"), "{}", server.log());
}

#[test]
fn the_limit_ends_what_does_not_end() {
    let mut server = Place::new().serve(&["--drain-timeout", "1"]).ready();
    let _stream = server.stream("scripted/silent", "?");
    std::thread::sleep(Duration::from_millis(300));
    server.signal("TERM");
    assert_eq!(server.end(), 0, "{}", server.log());
    assert!(server.log().contains("The time to finish is over"), "{}", server.log());
}

fn first_words(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    let mut text = Vec::new();
    while !text.windows(5).any(|window| window == b"data:") {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&buffer[..count]);
    }
}
