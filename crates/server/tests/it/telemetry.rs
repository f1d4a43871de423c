//! Traces as a collector receives them, and the log beside them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;

use testkit::upstream::{Answer, Upstream};

use crate::support::{Place, Server, wait};

/// A collector: what came, with its head.
#[derive(Clone)]
struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Vec<(String, ExportTraceServiceRequest)>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let collector = Self { address: listener.local_addr().unwrap(), received: Arc::default() };
        let receiving = collector.clone();
        thread::spawn(move || {
            for socket in listener.incoming() {
                let receiving = receiving.clone();
                thread::spawn(move || receiving.receive(&socket.unwrap()));
            }
        });
        collector
    }

    fn receive(&self, socket: &TcpStream) {
        let mut reader = BufReader::new(socket);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    return;
                }
            }
            let length =
                head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap()];
            reader.read_exact(&mut body).unwrap();
            let batch = ExportTraceServiceRequest::decode(&body[..]).unwrap();
            self.received.lock().unwrap().push((head, batch));
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    }

    fn spans(&self) -> Vec<Span> {
        let received = self.received.lock().unwrap();
        let scopes = received.iter().flat_map(|(_, batch)| &batch.resource_spans).flat_map(|r| &r.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    fn span(&self, name: &str) -> Span {
        let spans = self.spans();
        let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
        spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name} is not among {names:?}")).clone()
    }
}

fn attribute(attributes: &[KeyValue], name: &str) -> String {
    let value = attributes.iter().find(|pair| pair.key == name).and_then(|pair| pair.value.clone()?.value);
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn traced(collector: &Collector) -> Server {
    Place::new()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}/", collector.address))
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=a%20secret")
        .env("ENVIRONMENT", "test")
        .serve(&[])
        .ready()
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn chat(server: &Server, model: &str) -> u16 {
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer {}\r\n\
         traceparent: 00-{TRACE}-{PARENT}-01",
        server.key()
    );
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"one two"}}],"max_tokens":7}}"#);
    server.ask("llm-api", &head, &body).0
}

/// A long number in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    let number = bytes.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{number:0width$x}", width = bytes.len() * 2)
}

#[test]
fn a_request_and_its_call_of_a_model_are_one_trace_with_the_callers() {
    let collector = Collector::start();
    let mut server = traced(&collector);
    assert_eq!(chat(&server, "scripted/echo"), 200);
    server.signal("TERM");
    assert_eq!(server.end(), 0, "{}", server.log());

    let request = collector.span("POST /v1/chat/completions");
    assert_eq!((hex(&request.trace_id), hex(&request.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(request.kind, 2, "a server's");
    assert_eq!(attribute(&request.attributes, "http.route"), "/v1/chat/completions");
    assert_eq!(attribute(&request.attributes, "http.response.status_code"), "200");
    assert!(attribute(&request.attributes, "request_id").starts_with("req_"));

    let call = collector.span("chat scripted/echo");
    assert_eq!((hex(&call.trace_id), &call.parent_span_id), (TRACE.to_owned(), &request.span_id));
    assert_eq!(call.kind, 3, "a client's");
    for (name, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "scripted"),
        ("gen_ai.request.model", "scripted/echo"),
        ("gen_ai.request.max_tokens", "7"),
        ("gen_ai.usage.input_tokens", "2"),
        ("gen_ai.usage.output_tokens", "2"),
    ] {
        assert_eq!(attribute(&call.attributes, name), value, "{name}");
    }

    let received = collector.received.lock().unwrap();
    let (head, batch) = &received[0];
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("x-collector-key: a secret\r\n"), "{head}");
    let resource = &batch.resource_spans[0].resource.as_ref().unwrap().attributes;
    assert_eq!(attribute(resource, "service.name"), "jan-server");
    assert_eq!(attribute(resource, "deployment.environment.name"), "test");
}

#[tokio::test]
async fn an_upstream_learns_the_trace_and_nothing_without_one() {
    let upstream = Upstream::start().await;
    upstream.models(Answer::json(200, &serde_json::json!({ "object": "list", "data": [{ "id": "far" }] })));
    upstream.always(Answer::says("hello"));
    let collector = Collector::start();
    let serve = |place: Place| {
        let url = upstream.url();
        tokio::task::spawn_blocking(move || {
            let mut server = place.serve(&["--upstream", &url]).ready();
            let status = chat(&server, "far");
            server.signal("TERM");
            assert_eq!((status, server.end()), (200, 0), "{}", server.log());
        })
    };
    let endpoint = format!("http://{}", collector.address);
    serve(Place::new().env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)).await.unwrap();
    let call = collector.span("chat far");
    let named = format!("00-{TRACE}-{}-01", hex(&call.span_id));
    assert_eq!(upstream.chats()[0].header("traceparent"), Some(named.as_str()));

    serve(Place::new()).await.unwrap();
    assert_eq!(upstream.chats()[1].header("traceparent"), None);
}

#[test]
fn a_failure_of_a_model_is_seen_in_its_trace() {
    let collector = Collector::start();
    let mut server = traced(&collector);
    assert_eq!(chat(&server, "scripted/error-500"), 502);
    server.signal("TERM");
    assert_eq!(server.end(), 0, "{}", server.log());
    let call = collector.span("chat scripted/error-500");
    assert_eq!(call.status.unwrap().code, 2, "an error");
    assert_eq!(attribute(&call.attributes, "error.type"), "failed");
    let request = collector.span("POST /v1/chat/completions");
    assert_eq!(request.status.unwrap().code, 2, "an error");
    assert_eq!(attribute(&request.attributes, "http.response.status_code"), "502");
}

#[test]
fn nothing_of_what_was_said_is_in_a_trace() {
    let collector = Collector::start();
    let mut server = traced(&collector);
    let key = server.key();
    let head = format!(
        "POST /v1/chat/completions?secret-query HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer {key}"
    );
    let body = r#"{"model":"scripted/echo","messages":[{"role":"user","content":"secret-words"}]}"#;
    assert_eq!(server.ask("gateway", &head, body).0, 200);
    server.signal("TERM");
    assert_eq!(server.end(), 0, "{}", server.log());
    let spans = format!("{:?}", collector.spans());
    assert!(spans.contains("chat scripted/echo"), "{spans}");
    for secret in ["secret-words", "secret-query", &key] {
        assert!(!spans.contains(secret), "{spans}");
    }
}

#[test]
fn a_collector_that_is_away_costs_a_line_and_no_request() {
    let mut server =
        Place::new().env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1").serve(&["--drain-timeout", "1"]).ready();
    assert_eq!(chat(&server, "scripted/echo"), 200);
    server.signal("TERM");
    assert_eq!(server.end(), 0, "{}", server.log());
}

#[test]
fn each_request_is_one_line_as_documented() {
    let server = Place::new().serve(&[]).ready();
    assert_eq!(chat(&server, "scripted/echo"), 200);
    let line = wait(|| server.log().lines().find(|line| line.contains("chat/completions")).map(str::to_owned));
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    for (name, value) in [
        ("target", "request"),
        ("level", "info"),
        ("service", "llm-api"),
        ("method", "POST"),
        ("route", "/v1/chat/completions"),
        ("auth", "apikey"),
        ("model", "scripted/echo"),
        ("provider", "scripted"),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
    assert_eq!(
        (&line["status"], &line["prompt_tokens"], &line["completion_tokens"]),
        (&200.into(), &2.into(), &2.into())
    );
    assert!(line["duration_ms"].as_f64().unwrap() > 0.0);
    assert!(line["caller"].as_str().unwrap().starts_with("user_"), "{line}");
    let count = server.log().matches("chat/completions").count();
    assert_eq!(count, 1, "{}", server.log());
}
