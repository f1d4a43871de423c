//! Does an answer keep what the service's OpenAPI document promises?
//!
//! The shape of an answer is asserted in the code by an attribute, which nothing else compares with what the handler
//! sends; this does, for every answer of every test that goes through [`crate::client::Client`]: the status is
//! documented, the content type belongs to it, the body fits the schema and has no field that the schema does not name
//! (unless the schema says that there may be others). Events of a stream are checked one by one.

use std::{collections::HashMap, sync::Mutex};

use http::{HeaderMap, Method, StatusCode, header};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// Routes that serve the document itself and what surrounds it; no document describes them.
const UNDOCUMENTED: [&str; 7] =
    ["/openapi.json", "/docs", "/docs/page.js", "/docs/page.css", "/swagger", "/api/swagger", "/metrics"];

/// The verbs an operation can have.
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// A document, ready to compare with.
#[derive(Debug)]
pub struct Contract {
    operations: Vec<Operation>,
    components: Value,
    validators: Mutex<HashMap<String, Validator>>,
}

/// An operation of a document.
#[derive(Debug)]
pub struct Operation {
    /// The verb.
    pub method: Method,
    /// The path's template, such as `/v1/models/{id}`.
    pub path: String,
    /// Whether the document says that it needs no caller.
    pub open: bool,
    body: Value,
}

impl Contract {
    /// The contract that a document states.
    ///
    /// # Panics
    /// When the document is no OpenAPI 3.1.
    pub fn new(mut document: Value) -> Self {
        let version = document["openapi"].as_str().unwrap_or_default();
        assert!(version.starts_with("3.1"), "OpenAPI 3.1 is expected, not {version:?}");
        for schema in document["components"]["schemas"].as_object_mut().into_iter().flat_map(Map::values_mut) {
            close(schema);
        }
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                if let Some(body) = item.get(method.as_str().to_ascii_lowercase()) {
                    operations.push(Operation { open: is_open(body), method, path: path.clone(), body: body.clone() });
                }
            }
        }
        // Among templates that fit a path, the one with the fewest parameters is the router's choice too.
        operations.sort_by_key(|operation| operation.path.matches('{').count());
        Self { operations, components: document["components"].clone(), validators: Mutex::default() }
    }

    /// Every operation of the document.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Checks an answer to `method path`.
    ///
    /// # Panics
    /// When the answer breaks the contract; the message says how.
    pub fn check(&self, method: &Method, path: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
        if let Err(breach) = self.examine(method, path, status, headers, body) {
            let body = String::from_utf8_lossy(body);
            panic!("{method} {path} answered {status}, which breaks the contract: {breach}\n{body}");
        }
    }

    fn examine(
        &self,
        method: &Method,
        path: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), String> {
        if !headers.contains_key("x-request-id") {
            return Err("there is no X-Request-Id".to_owned());
        }
        if *method == Method::OPTIONS || *method == Method::HEAD {
            return if body.is_empty() { Ok(()) } else { Err(format!("{method} has a body")) };
        }
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        let Some(operation) = self.find(method, path) else {
            return self.examine_undocumented(path, status, kind, body);
        };
        let response = &operation.body["responses"][status.as_str()];
        if response.is_null() {
            return Err(format!("{} {} does not document this status", operation.method, operation.path));
        }
        let Some(contents) = response["content"].as_object() else {
            return if body.is_empty() { Ok(()) } else { Err("the document promises no body".to_owned()) };
        };
        let Some(content) = contents.get(kind) else {
            let documented: Vec<&String> = contents.keys().collect();
            return Err(format!("its content type is {kind:?}; documented are {documented:?}"));
        };
        self.fits(&content["schema"], kind, body)
    }

    /// Paths and verbs that the service does not have are answered with the envelope.
    fn examine_undocumented(&self, path: &str, status: StatusCode, kind: &str, body: &[u8]) -> Result<(), String> {
        if status.is_client_error() || status.is_server_error() {
            return self.fits(&json!({"$ref": "#/components/schemas/ErrorEnvelope"}), kind, body);
        }
        let plain = path.split('?').next().unwrap_or_default();
        if UNDOCUMENTED.contains(&plain) { Ok(()) } else { Err("the document has no such operation".to_owned()) }
    }

    fn find(&self, method: &Method, path: &str) -> Option<&Operation> {
        let path = path.split('?').next().unwrap_or_default();
        let fits = || {
            self.operations
                .iter()
                .filter(|operation| operation.method == *method && fits_template(&operation.path, path))
        };
        // A template of the same length comes before one whose last parameter would have to hold slashes.
        let slashes = |path: &str| path.matches('/').count();
        fits().find(|operation| slashes(&operation.path) == slashes(path)).or_else(|| fits().next())
    }

    fn fits(&self, schema: &Value, kind: &str, body: &[u8]) -> Result<(), String> {
        match kind {
            "application/json" => self.validate(schema, &parse(body)?),
            "text/event-stream" => {
                let text = str::from_utf8(body).map_err(|_| "the stream is no text".to_owned())?;
                for data in text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim) {
                    if data != "[DONE]" && schema.is_object() {
                        self.validate_event(schema, data)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An event is what the stream's schema says, or an error that came too late for a status.
    fn validate_event(&self, schema: &Value, data: &str) -> Result<(), String> {
        if schema["type"] == "string" {
            return Ok(()); // The document says no more about it.
        }
        let event = parse(data.as_bytes())?;
        let schema =
            if event.get("error").is_some() { &json!({"$ref": "#/components/schemas/ErrorEnvelope"}) } else { schema };
        self.validate(schema, &event).map_err(|breach| format!("in the event {data}: {breach}"))
    }

    fn validate(&self, schema: &Value, instance: &Value) -> Result<(), String> {
        let mut validators = self.validators.lock().map_err(|_| "another check panicked".to_owned())?;
        let key = schema.to_string();
        let validator = validators.entry(key).or_insert_with(|| {
            let mut schema = schema.clone();
            close(&mut schema);
            // The references in a schema are to the document's components.
            let whole = json!({"allOf": [schema], "components": self.components});
            jsonschema::draft202012::new(&whole).expect("the document's schema is a JSON schema")
        });
        let breaches: Vec<String> = validator
            .iter_errors(instance)
            .map(|error| format!("{} at {:?}", error, error.instance_path().as_str()))
            .collect();
        if breaches.is_empty() { Ok(()) } else { Err(breaches.join("; ")) }
    }
}

fn parse(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))
}

/// An operation is open when "no credentials" is one of its ways in.
fn is_open(operation: &Value) -> bool {
    let ways = operation["security"].as_array();
    ways.is_some_and(|ways| ways.is_empty() || ways.contains(&json!({})))
}

/// Whether `path` is one of the template's. The last parameter may hold slashes, as model ids do.
fn fits_template(template: &str, path: &str) -> bool {
    let mut wanted = template.split('/').peekable();
    let mut given = path.split('/');
    while let Some(segment) = wanted.next() {
        let Some(value) = given.next() else { return false };
        let is_parameter = segment.starts_with('{') && segment.ends_with('}');
        if is_parameter && value.is_empty() || !is_parameter && segment != value {
            return false;
        }
        if is_parameter && wanted.peek().is_none() {
            return true;
        }
    }
    given.next().is_none()
}

/// Makes an object's schema say that it has no other fields, unless it says something about others itself.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            // A part of a composition sees the other parts' fields too: it stays open.
            for (keyword, part) in object.iter_mut() {
                if keyword != "allOf" && keyword != "example" && keyword != "examples" {
                    close(part);
                }
            }
            let is_object = object.get("properties").is_some_and(Value::is_object)
                && object.get("type").is_some_and(|kind| kind == "object" || kind.is_array());
            let is_composed = ["allOf", "additionalProperties", "unevaluatedProperties"]
                .iter()
                .any(|keyword| object.contains_key(*keyword));
            if is_object && !is_composed {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
        }
        Value::Array(parts) => parts.iter_mut().for_each(close),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract() -> Contract {
        Contract::new(json!({
            "openapi": "3.1.0",
            "paths": {"/v1/things/{id}": {"get": {
                "security": [{"bearer": []}],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                    "204": {"description": "nothing"},
                    "206": {"content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                },
            }}},
            "components": {"schemas": {
                "Thing": {"type": "object", "required": ["id"], "properties": {
                    "id": {"type": "string"}, "parent": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Thing"}]},
                }},
                "ErrorEnvelope": {"type": "object", "required": ["error"], "properties": {"error": {"type": "object"}}},
            }},
        }))
    }

    fn examine(path: &str, status: u16, kind: &str, body: &str) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "req_1".parse().unwrap());
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        contract().examine(&Method::GET, path, status, &headers, body.as_bytes())
    }

    #[test]
    fn what_keeps_the_contract_passes() {
        let json = "application/json; charset=utf-8";
        examine("/v1/things/a/b?x=1", 200, json, r#"{"id": "1", "parent": {"id": "2"}}"#).unwrap();
        examine("/v1/things/a", 204, json, "").unwrap();
        examine("/nowhere", 404, json, r#"{"error": {}}"#).unwrap();
        examine("/docs", 200, "text/html", "<p>").unwrap();
        let stream = "data: {\"id\": \"1\"}\n\n: beat\n\ndata: {\"error\": {}}\n\ndata: [DONE]\n\n";
        examine("/v1/things/a", 206, "text/event-stream", stream).unwrap();
    }

    #[test]
    fn what_breaks_it_is_named() {
        let json = "application/json";
        for (path, status, kind, body, breach) in [
            ("/v1/things/a", 201, json, "{}", "does not document this status"),
            ("/v1/things/a", 200, "text/plain", "1", "content type"),
            ("/v1/things/a", 200, json, "{", "no JSON"),
            ("/v1/things/a", 200, json, "{}", "\"id\" is a required property"),
            ("/v1/things/a", 200, json, r#"{"id": 1}"#, "not of type \"string\""),
            ("/v1/things/a", 200, json, r#"{"id": "1", "secret": 2}"#, "secret"),
            ("/v1/things/a", 200, json, r#"{"id": "1", "parent": {"id": "2", "extra": 1}}"#, "/parent"),
            ("/v1/things/a", 204, json, "x", "no body"),
            ("/v1/things/a", 206, "text/event-stream", "data: {}\n\n", "in the event"),
            ("/v1/things/", 200, json, r#"{"id": "1"}"#, "no such operation"),
            ("/nowhere", 404, json, "{}", "error"),
            ("/nowhere", 200, json, "{}", "no such operation"),
        ] {
            let found = examine(path, status, kind, body).expect_err(body);
            assert!(found.contains(breach), "{path} {status} {body}: {found}");
        }
    }

    #[test]
    fn operations_say_whether_they_are_open() {
        assert!(!contract().operations()[0].open);
        assert!(is_open(&json!({"security": [{}]})));
        assert!(!is_open(&json!({})), "a document that says nothing opens nothing");
    }
}
