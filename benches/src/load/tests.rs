//! The generator against the real mock, directly and through the real pass-through.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hyper::service::service_fn;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::closed::Until;
use super::connection::Connection;
use super::target::Target;
use super::{Outcome, Pool, abort, closed, open};
use crate::accept;
use crate::mock::{MODELS, Mock};
use crate::passthrough::Proxy;
use crate::requests::Size;

/// A mock with a pass-through before it; both end when this is dropped.
struct Stage {
    mock: SocketAddr,
    proxy: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Stage {
    async fn set() -> Self {
        let mut tasks = JoinSet::new();
        let (listener, mock) = listen().await;
        let upstream = Mock::default();
        tasks.spawn(accept::serve(listener, move || upstream.connection()));
        let (listener, proxy) = listen().await;
        let passthrough = Proxy::to(mock).unwrap();
        tasks.spawn(accept::serve(listener, move || {
            let passthrough = passthrough.clone();
            service_fn(move |request| passthrough.clone().forward(request))
        }));
        Self { mock, proxy, _tasks: tasks }
    }

    fn targets(&self) -> [Target; 2] {
        [self.mock, self.proxy].map(|address| Target::new(address, None).unwrap())
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn times(target: &Target, size: Size, model: &str, connections: u16, times: u32) -> Outcome {
    let request = target.chat(size, model).unwrap();
    let pool = Pool::new(target, connections);
    closed::run(pool, &request, Until::Times(times), Duration::ZERO).await.unwrap().0
}

#[tokio::test]
async fn whole_answers_are_counted_and_connections_kept() {
    let stage = Stage::set().await;
    for target in stage.targets() {
        for size in [Size::Small, Size::Agent] {
            let outcome = times(&target, size, "mock-json", 4, 5).await;
            assert_eq!((outcome.requests, outcome.errors), (20, 0), "{:?}", outcome.first_error);
            assert_eq!(outcome.figures().latency.unwrap().samples, 20);
        }
    }
    // The proxy's pool: no more connections than clients at a time, over two runs.
    assert!(abort::stats(stage.mock).await.unwrap().connections <= 4 + 1 + 4);
}

#[tokio::test]
async fn every_chunk_of_a_stream_arrives_with_its_age() {
    let stage = Stage::set().await;
    for target in stage.targets() {
        for (model, chunks) in [("mock-st64", 64), ("mock-st5-p1", 5)] {
            let outcome = times(&target, Size::Small, model, 3, 2).await;
            assert_eq!((outcome.requests, outcome.errors), (6, 0), "{:?}", outcome.first_error);
            assert_eq!(outcome.events, 6 * chunks);
            assert_eq!(outcome.figures().transit.unwrap().samples as u64, 6 * chunks);
            assert_eq!(outcome.figures().first.unwrap().samples, 6);
        }
    }
}

#[tokio::test]
async fn errors_are_counted_with_their_reason() {
    let stage = Stage::set().await;
    for target in stage.targets() {
        let outcome = times(&target, Size::Small, "no-such", 2, 2).await;
        assert_eq!((outcome.requests, outcome.errors), (0, 4));
        assert!(outcome.first_error.unwrap().contains("404"));
    }
    let (listener, nobody) = listen().await;
    drop(listener);
    let outcome = times(&Target::new(nobody, None).unwrap(), Size::Small, "mock-json", 1, 1).await;
    assert_eq!((outcome.requests, outcome.errors), (0, 1));
    let before_nobody = Proxy::to(nobody).unwrap();
    let (listener, proxy) = listen().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(accept::serve(listener, move || {
        let before_nobody = before_nobody.clone();
        service_fn(move |request| before_nobody.clone().forward(request))
    }));
    let outcome = times(&Target::new(proxy, None).unwrap(), Size::Small, "mock-json", 1, 1).await;
    assert!(outcome.first_error.unwrap().contains("502"));
}

#[tokio::test]
async fn an_open_loop_sends_what_is_due() {
    let stage = Stage::set().await;
    let [target, _] = stage.targets();
    let request = target.chat(Size::Small, "mock-json").unwrap();
    let (outcome, _) = open::run(Pool::new(&target, 8), &request, 200, Duration::from_millis(500)).await.unwrap();
    assert_eq!((outcome.requests, outcome.errors), (100, 0), "{:?}", outcome.first_error);
    // The last request is due after 99 intervals, whatever the machine.
    assert!(outcome.elapsed >= Duration::from_millis(495));
}

#[tokio::test]
async fn hang_ups_are_seen_upstream() {
    let stage = Stage::set().await;
    for target in stage.targets() {
        for model in ["mock-slow", "mock-st2000-p5"] {
            let before = abort::stats(stage.mock).await.unwrap();
            let request = target.chat(Size::Small, model).unwrap();
            let hang_ups = abort::hang_up(&target, &request, 8, stage.mock).await.unwrap();
            assert!(hang_ups.all_released_ms.is_some(), "{model}: {hang_ups:?}");
            let after = abort::stats(stage.mock).await.unwrap();
            assert_eq!((after.active, after.hangups - before.hangups), (0, 8), "{model}");
        }
    }
}

#[tokio::test]
async fn the_mock_lists_its_models_and_refuses_the_rest() {
    let stage = Stage::set().await;
    let [target, _] = stage.targets();
    let mut connection = Connection::open(stage.mock).await.unwrap();
    let ask = |method, path| target.prepare(method, path, bytes::Bytes::new(), None).unwrap();
    let (status, listed) = connection.json(&ask(http::Method::GET, "/v1/models")).await.unwrap();
    assert_eq!(status, 200);
    let ids: Vec<_> = listed["data"].as_array().unwrap().iter().map(|model| model["id"].clone()).collect();
    assert_eq!(ids, MODELS);
    let (status, _) = connection.json(&ask(http::Method::GET, "/v1/elsewhere")).await.unwrap();
    assert_eq!(status, 404);
}
