//! The span that a server may put around each request.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::body::Body;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use http_kit::EdgeOptions;
use tracing::{Span, field::Empty};
use tracing_subscriber::{Layer, layer::SubscriberExt, registry::LookupSpan};

use crate::support::{App, get_of, service};

fn make(method: &Method, headers: &HeaderMap) -> Span {
    tracing::info_span!(
        "request",
        parent = headers.get("traceparent").and_then(|value| value.to_str().ok()),
        method = method.as_str(),
        otel.name = Empty,
        otel.status_code = Empty,
        http.route = Empty,
        http.response.status_code = Empty,
        request_id = Empty,
    )
}

type Fields = BTreeMap<&'static str, String>;

/// Keeps the fields of each span, and tells when it closed.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<(Fields, bool)>>>);

struct At(usize);

struct Visit<'a>(&'a mut Fields);

impl tracing::field::Visit for Visit<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        id: &tracing::Id,
        context: tracing_subscriber::layer::Context<'_, S>,
    ) {
        let mut fields = Fields::new();
        attributes.record(&mut Visit(&mut fields));
        let mut spans = self.0.lock().unwrap();
        spans.push((fields, false));
        context.span(id).unwrap().extensions_mut().insert(At(spans.len() - 1));
    }

    fn on_record(
        &self,
        id: &tracing::Id,
        values: &tracing::span::Record<'_>,
        context: tracing_subscriber::layer::Context<'_, S>,
    ) {
        let at = context.span(id).unwrap().extensions().get::<At>().unwrap().0;
        values.record(&mut Visit(&mut self.0.lock().unwrap()[at].0));
    }

    fn on_close(&self, id: tracing::Id, context: tracing_subscriber::layer::Context<'_, S>) {
        let at = context.span(&id).unwrap().extensions().get::<At>().unwrap().0;
        self.0.lock().unwrap()[at].1 = true;
    }
}

#[tokio::test]
async fn a_request_s_span_ends_with_its_answer() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
    let app = App::build(EdgeOptions::default(), |edge| edge.with_span(make), service());

    let request = Request::get("/stream/endless")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .header("x-request-id", "id-1")
        .body(Body::empty())
        .unwrap();
    let mut body = app.open(request).await.into_body();
    body.frame().await.unwrap().unwrap();
    assert!(!spans.0.lock().unwrap()[0].1, "it lasts as long as the stream");
    drop(body);

    let (fields, closed) = spans.0.lock().unwrap()[0].clone();
    assert!(closed);
    assert_eq!(fields["parent"], "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_eq!(fields["otel.name"], "GET /stream/{kind}");
    assert_eq!(fields["http.response.status_code"], "200");
    assert_eq!(fields["request_id"], "id-1");
    assert!(!fields.contains_key("otel.status_code"));
}

#[tokio::test]
async fn a_fault_of_the_server_is_an_error_of_the_span() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
    let app = App::build(EdgeOptions::default(), |edge| edge.with_span(make), service());
    app.call(Request::get("/panics").header("x-api-key", "user").body(Body::empty()).unwrap()).await;
    assert_eq!(spans.0.lock().unwrap()[0].0["otel.status_code"], "ERROR");
}

#[tokio::test]
async fn without_a_maker_there_is_no_span() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
    App::new().call(get_of("/open")).await;
    assert!(spans.0.lock().unwrap().is_empty());
}
