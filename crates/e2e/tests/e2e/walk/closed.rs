//! Without credentials and with garbage: closed unless listed here.

use http::{HeaderName, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use crate::{
    server::{HttpClient, Setup, client},
    walk::operations,
};

/// The services, each with its prefix at the gateway and its operations that need no caller. The lists may only shrink.
const OPEN: [(&str, &str, &[&str]); 5] = [
    (
        "llm-api",
        "/llm",
        &[
            "GET /.well-known/jwks.json",
            "GET /.well-known/openid-configuration",
            "POST /auth/guest-login",
            "GET /auth/login",
            "GET /auth/authorize",
            "POST /auth/authorize",
            "GET /auth/callback",
            "GET /auth/done",
            "GET /auth/setup",
            "POST /auth/setup",
            "GET /auth/verify-email",
            "POST /auth/verify-email",
            "GET /v1/share/{share_id}",
            "GET /v1/share/{share_id}/images/{number}",
            "GET /v1/public/shares/{share_id}",
            "GET /v1/conversations/share/{share_id}",
            "GET /healthz",
            "GET /readyz",
        ],
    ),
    ("response-api", "/response", &["GET /healthz", "GET /readyz"]),
    ("media-api", "/media", &["GET /healthz", "GET /readyz"]),
    ("mcp-tools", "/mcp", &["GET /healthz", "GET /readyz"]),
    ("template-api", "/template", &["GET /", "GET /healthz", "GET /readyz", "GET /v1/sample"]),
];

/// Operations that renew or end a session judge credentials themselves, refresh tokens among them: without any of them
/// the request is wrong, with a bad one refused. This list may only shrink, too.
const SELF_GUARDED: [&str; 5] =
    ["POST /auth/refresh-token", "POST /auth/refresh", "GET /auth/logout", "POST /auth/logout", "POST /auth/revoke"];

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
    for (service, prefix, open) in OPEN {
        let operations = operations(&server, service).await;
        assert!(!operations.is_empty(), "{service} documents nothing");
        let calls_itself_open: Vec<String> =
            operations.iter().filter(|operation| operation.is_open()).map(ToString::to_string).collect();
        for name in open {
            assert!(
                calls_itself_open.iter().any(|operation| operation == name),
                "{service} has no open {name}: shrink"
            );
        }
        for name in &calls_itself_open {
            assert!(open.contains(&name.as_str()), "{service}: the document calls {name} open, the list does not");
        }
        for operation in operations.iter().filter(|operation| !operation.is_open()) {
            let guards_itself = operation.access["caller"] == "session";
            let name = operation.to_string();
            assert_eq!(guards_itself, SELF_GUARDED.contains(&name.as_str()), "{name}");
            let (method, template) = (operation.method.clone(), &operation.path);
            let path = template.replace('{', "some-").replace('}', "");
            let doors = [server.url(service, &path), server.url("gateway", &format!("{prefix}{path}"))];
            for url in doors {
                for credential in std::iter::once(None).chain(GARBAGE.map(Some)) {
                    must_be_refused(&http, &method, &url, credential, guards_itself).await;
                    walked += 1;
                }
            }
        }
    }
    assert!(walked > 0, "there is something to be closed");
}

async fn must_be_refused(
    http: &HttpClient,
    method: &Method,
    url: &str,
    credential: Option<(HeaderName, &str)>,
    guards_itself: bool,
) {
    let mut request = http::Request::builder().method(method).uri(url);
    if let Some((name, value)) = &credential {
        request = request.header(name, *value);
    }
    let (head, body) = http.request(request.body(Full::default()).unwrap()).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    if guards_itself && head.status == StatusCode::BAD_REQUEST {
        return;
    }
    assert_eq!(head.status, StatusCode::UNAUTHORIZED, "{method} {url} with {credential:?}: {text}");
    let envelope: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(envelope["error"]["type"], "auth_error", "{method} {url}");
    assert!(head.headers.contains_key(header::WWW_AUTHENTICATE), "{method} {url}");
}
