//! `/metrics` on a port of its own.

use crate::support::Place;

#[test]
fn there_it_is_for_all_services_and_nowhere_else() {
    let server = Place::new().env("METRICS_PORT", "0").serve(&[]);
    for service in ["llm-api", "gateway", "template-api"] {
        assert_eq!(server.get(service, "/healthz").0, 200);
        assert_eq!(server.get(service, "/metrics").0, 404, "{service}");
    }
    assert_eq!(server.get("gateway", "/nowhere").0, 404);
    let (status, text) = server.get("metrics", "/metrics");
    assert_eq!(status, 200);
    for name in ["jan_llm_api", "jan_template_api", "jan_gateway"] {
        assert!(text.contains(&format!("{name}_requests_total")), "{name}: {text}");
    }
    let healthy = "jan_llm_api_requests_total{method=\"GET\",endpoint=\"/healthz\",status=\"200\"}";
    assert!(text.contains(healthy), "{text}");
    // No family is there twice, which Prometheus would refuse.
    let mut families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let all = families.len();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families.len(), all, "{families:?}");
}

#[test]
fn without_it_the_services_have_their_own() {
    let server = Place::new().serve(&[]);
    assert!(!server.ports().contains_key("metrics"));
    assert_eq!(server.get("llm-api", "/metrics").0, 200);
    let passed_on = "GET /metrics HTTP/1.1\r\nX-Forwarded-For: 127.0.0.1";
    assert_eq!(server.ask("llm-api", passed_on, "").0, 404, "a proxy on this machine is not this machine");
}

#[test]
fn a_port_that_is_taken_is_one_line() {
    let place = Place::new().file("jan.toml", "[metrics]\nport = 8080\n");
    let done = place.run(&["config", "check"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.err.contains("metrics.port") && done.err.contains("llm-api"), "{}", done.err);
}
