//! With a good credential that does not reach: a guest where an administrator is wanted, a key without the scope.

use domain::Scope;
use serde_json::json;

use super::{Operation, SERVICES, on_data, operations};
use crate::server::{Answer, Server, Setup};

/// Operations that want more of a key than a scope can give. The list may only shrink.
const WITHOUT_SCOPE: [(&str, &str); 4] = [
    ("GET /auth/me", "any"),
    ("POST /auth/validate", "any"),
    ("POST /auth/upgrade", "none"),
    ("POST /auth/password", "none"),
];

/// Operations that want further scopes of a key where a request asks for more, and the least one does.
const ALSO: [(&str, &str); 4] = [
    ("POST /v1/conversations/{conv_id}/items/{item_id}/regenerate", "chat:write"),
    ("POST /v1/conversations/{conv_id}/items/{item_id}/regenerate", "conversations:read"),
    ("POST /v1/conversations/{conv_id}/items/{item_id}/share", "conversations:read"),
    ("POST /v1/conversations/{conv_id}/share", "conversations:read"),
];

#[tokio::test]
async fn nobody_gets_further_than_the_document_says() {
    let server = Setup::new().scripted().start().await;
    on_data(&server, &["user", "create", "root@example.org", "--username", "root", "--admin"]);
    let admin_without = on_data(&server, &["key", "create", "--user", "root", "--scope", "read,write,keys:manage"]);
    let admin_with = on_data(&server, &["key", "create", "--user", "root", "--scope", "admin"]);
    let guest = server.guest().await;
    let mut walked = 0;
    for service in SERVICES {
        for operation in operations(&server, service).await {
            match operation.access["caller"].as_str() {
                Some("admin") => {
                    must_be_forbidden(&server, &operation, &guest, "admin_required").await;
                    let key = limited(&server, &["*", "keys:manage"]).await;
                    must_be_forbidden(&server, &operation, &key, "admin_required").await;
                    must_be_forbidden(&server, &operation, &admin_without, "insufficient_scope").await;
                    must_pass(&server, &operation, &admin_with).await;
                }
                Some("user") => walk_scope(&server, &operation, &guest).await,
                _ => continue,
            }
            walked += 1;
        }
    }
    assert!(walked > 10, "there is something to be walked: {walked}");
}

/// The operation of a user, with a key that has every scope but the one, and with one that has it alone.
async fn walk_scope(server: &Server, operation: &Operation, guest: &str) {
    must_pass(server, operation, guest).await;
    let needed = operation.access["api_key"].as_str().unwrap();
    let Some(scope) = Scope::parse(needed) else {
        assert!(
            WITHOUT_SCOPE.contains(&(operation.to_string().as_str(), needed)),
            "{operation} names no scope, so that no key can be limited to it"
        );
        let any = limited(server, &["models:read"]).await;
        if needed == "any" {
            return must_pass(server, operation, &any).await;
        }
        return must_be_forbidden(server, operation, &any, "insufficient_scope").await;
    };
    // `admin` is for administrators' keys only.
    let others = Scope::ALL.iter().filter(|other| **other != scope && **other != Scope::Admin);
    let others: Vec<&str> = others.map(|scope| scope.as_str()).collect();
    let without = limited(server, &others).await;
    must_be_forbidden(server, operation, &without, "insufficient_scope").await;
    let mut scopes = vec![needed];
    let name = operation.to_string();
    for (_, other) in ALSO.iter().filter(|(of, _)| *of == name) {
        must_be_forbidden(server, operation, &limited(server, &scopes).await, "insufficient_scope").await;
        scopes.push(other);
    }
    must_pass(server, operation, &limited(server, &scopes).await).await;
    if scope.is_reserved() {
        must_be_forbidden(server, operation, &limited(server, &["*"]).await, "insufficient_scope").await;
    }
}

/// A new guest's key with these scopes.
async fn limited(server: &Server, scopes: &[&str]) -> String {
    let guest = server.guest().await;
    let wish = json!({"name": "walk", "scopes": scopes});
    let made = server.post("llm-api", "/auth/api-keys", Some(&guest), &wish).await.expect(201).json();
    made["key"].as_str().unwrap().to_owned()
}

async fn ask(server: &Server, operation: &Operation, credential: &str) -> Answer {
    let path = operation.path.replace('{', "some-").replace('}', "");
    server.call(operation.method.clone(), &server.url(operation.service, &path), Some(credential), None).await
}

async fn must_be_forbidden(server: &Server, operation: &Operation, credential: &str, code: &str) {
    let answer = ask(server, operation, credential).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (403, &json!(code)), "{operation}");
}

/// The credential is good enough, whatever else is wrong with the request.
async fn must_pass(server: &Server, operation: &Operation, credential: &str) {
    let answer = ask(server, operation, credential).await;
    assert!(![401, 403].contains(&answer.status.as_u16()), "{operation}: {}", answer.text());
}
