//! Every operation of every service, tried without credentials and with garbage: closed unless listed here.

use http::{HeaderName, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use crate::server::{Setup, client};

/// The services, by name, and their operations that need no caller. This list may only shrink.
const OPEN: [(&str, &[&str]); 6] = [
    (
        "llm-api",
        &[
            "GET /.well-known/jwks.json",
            "GET /.well-known/openid-configuration",
            "POST /auth/guest-login",
            "GET /healthz",
            "GET /readyz",
            "GET /v1/version",
        ],
    ),
    ("response-api", &["GET /", "GET /healthz", "GET /readyz"]),
    ("media-api", &["GET /", "GET /healthz", "GET /readyz"]),
    ("mcp-tools", &["GET /", "GET /healthz", "GET /readyz"]),
    ("template-api", &["GET /", "GET /healthz", "GET /readyz", "GET /v1/sample"]),
    ("gateway", &["GET /", "GET /healthz", "GET /readyz"]),
];

/// Credentials that are none.
const GARBAGE: [(HeaderName, &str); 8] = [
    (header::AUTHORIZATION, "Bearer garbage"),
    (header::AUTHORIZATION, "Bearer sk_jan_0000000000000000000000000000000000000000"),
    // `{"alg":"none"}`, a subject, no signature.
    (header::AUTHORIZATION, "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyXzAwMDAwMDAwIn0."),
    (header::AUTHORIZATION, "Basic YWRtaW46YWRtaW4="),
    (header::AUTHORIZATION, "Bearer"),
    (HeaderName::from_static("x-api-key"), "sk_nobody"),
    (HeaderName::from_static("x-user-id"), "user_0000000000000000"),
    (HeaderName::from_static("x-principal-id"), "admin"),
];

#[tokio::test]
async fn everything_is_closed_but_the_list() {
    let server = Setup::new().scripted().start().await;
    let http = client();
    let mut walked = 0;
    for (service, open) in OPEN {
        let document = server.get(service, "/openapi.json", None).await.expect(200).json();
        let mut operations = operations(&document);
        assert!(!operations.is_empty(), "{service} documents nothing");
        for name in open {
            assert!(
                operations.iter().any(|(operation, _)| operation == name),
                "{service} has no {name}: the list may shrink"
            );
        }
        operations.retain(|(operation, _)| !open.contains(&operation.as_str()));
        for (operation, says_open) in operations {
            assert!(!says_open, "{service}: the document calls {operation} open, the list does not");
            let (method, template) = operation.split_once(' ').unwrap();
            let method: Method = method.parse().unwrap();
            let url = server.url(service, &template.replace('{', "some-").replace('}', ""));
            for credential in std::iter::once(None).chain(GARBAGE.map(Some)) {
                let mut request = http::Request::builder().method(&method).uri(&url);
                if let Some((name, value)) = &credential {
                    request = request.header(name, *value);
                }
                let answer = http.request(request.body(Full::default()).unwrap()).await.unwrap();
                let (head, body) = answer.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                assert_eq!(head.status, StatusCode::UNAUTHORIZED, "{service}: {operation} with {credential:?}");
                let envelope: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(envelope["error"]["type"], "auth_error", "{service}: {operation}");
                assert!(head.headers.contains_key(header::WWW_AUTHENTICATE), "{service}: {operation}");
                walked += 1;
            }
        }
    }
    assert!(walked > 0, "there is something to be closed");
}

/// A document's operations, such as `GET /v1/models`, and whether it calls them open.
fn operations(document: &Value) -> Vec<(String, bool)> {
    testkit::contract::Contract::new(document.clone())
        .operations()
        .iter()
        .map(|operation| (format!("{} {}", operation.method, operation.path), operation.open))
        .collect()
}
