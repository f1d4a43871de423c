//! Every operation of every service, as the documents list them, tried by those who may not.

mod bodies;
mod closed;
mod foreign;
mod keys;
mod makers;

use std::fmt;

use http::Method;
use serde_json::Value;

use crate::server::{Server, command};

/// The services that have a document.
const SERVICES: [&str; 5] = ["llm-api", "response-api", "media-api", "mcp-tools", "template-api"];

/// An operation of a service's document.
struct Operation {
    service: &'static str,
    method: Method,
    path: String,
    /// Who may call it, as the document says.
    access: Value,
    /// The whole of what the document says.
    said: Value,
}

impl Operation {
    fn is_open(&self) -> bool {
        self.access["caller"] == "anyone"
    }

    /// The path up to and with each of its parameters: `/v1/a/{x}/b/{y}` has `/v1/a/{x}` and the whole.
    fn parameters(&self) -> Vec<&str> {
        self.path.match_indices('}').map(|(at, _)| &self.path[..=at]).collect()
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// What a service's document lists, and that it says of each who may call it.
async fn operations(server: &Server, service: &'static str) -> Vec<Operation> {
    const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let document = document(server, service).await;
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            let Some(said) = item.get(method.as_str().to_ascii_lowercase()) else { continue };
            let access = said["x-access"].clone();
            let operation = Operation { service, method, path: path.clone(), access, said: said.clone() };
            let callers = ["anyone", "session", "user", "admin"];
            let caller = operation.access["caller"].as_str().unwrap_or_default();
            assert!(callers.contains(&caller), "{operation} does not say who may call it");
            let is_open = said["security"] == serde_json::json!([{}]);
            assert_eq!(is_open, operation.is_open(), "{operation}: security and x-access differ");
            found.push(operation);
        }
    }
    found
}

async fn document(server: &Server, service: &str) -> Value {
    server.get(service, "/openapi.json", None).await.expect(200).json()
}

/// Runs a command on the server's data, such as `key create`; what it printed.
pub(crate) fn on_data(server: &Server, arguments: &[&str]) -> String {
    let done = command(arguments).arg("--data").arg(server.data()).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}
