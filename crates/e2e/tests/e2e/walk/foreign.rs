//! With another user's id, in the path, the query or the body: as if it did not exist, and nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::{Value, json};

use super::{
    Operation, SERVICES, bodies, document,
    makers::{self, EVERYBODYS, Things, User},
    operations,
};
use crate::server::{Server, Setup};

const PROJECT: &str = "/v1/projects/{project_id}";
const CONVERSATION: &str = "/v1/conversations/{conv_id}";
const ITEM: &str = "/v1/conversations/{conv_id}/items/{item_id}";
const BRANCH: &str = "/v1/conversations/{conv_id}/branches/{name}";

/// Fields that end like names of things and name none: clients make these ids up, and they are compared with others of
/// the same conversation or request at most.
const LABELS: [&str; 1] = ["tool_call_id"];

/// A field of a body that names a thing.
struct Naming {
    operation: &'static str,
    field: &'static str,
    /// The body, made of the thing that is Ada's and of what is Eve's.
    body: fn(&str, &Things) -> Value,
    kind: &'static str,
    status: u16,
    code: &'static str,
}

const fn naming(
    operation: &'static str,
    field: &'static str,
    kind: &'static str,
    code: &'static str,
    body: fn(&str, &Things) -> Value,
) -> Naming {
    Naming { operation, field, body, kind, status: 404, code }
}

/// Every field of every body that names a thing. A new one is not in here, and the walk fails until it is.
const NAMINGS: &[Naming] = &[
    naming(
        "POST /v1/chat/completions",
        "conversation",
        CONVERSATION,
        "conversation_not_found",
        |id, _| json!({"model": "scripted/echo", "messages": [{"role": "user", "content": "x"}], "conversation": id}),
    ),
    naming("POST /v1/chat/completions", "conversation", CONVERSATION, "conversation_not_found", |id, _| {
        json!({"model": "scripted/echo", "messages": [{"role": "user", "content": "x"}], "conversation": {"id": id},
            "store": false, "stream": true})
    }),
    naming("POST /v1/chat/completions", "branch", BRANCH, "branch_not_found", |name, eve| {
        json!({"model": "scripted/echo", "messages": [{"role": "user", "content": "x"}],
            "conversation": {"id": eve[CONVERSATION], "branch": name}})
    }),
    naming("POST /v1/conversations", "project_id", PROJECT, "project_not_found", |id, _| json!({"project_id": id})),
    naming(
        "POST /v1/conversations/{conv_id}",
        "project_id",
        PROJECT,
        "project_not_found",
        |id, _| json!({"title": "taken", "project_id": id}),
    ),
    naming(
        "PATCH /v1/conversations/{conv_id}",
        "project_id",
        PROJECT,
        "project_not_found",
        |id, _| json!({"title": "taken", "project_id": id}),
    ),
    Naming {
        operation: "POST /v1/conversations/bulk-delete",
        field: "conversation_ids",
        body: |id, _| json!({"conversation_ids": [id]}),
        kind: CONVERSATION,
        // It fails for each by itself.
        status: 200,
        code: "",
    },
    naming(
        "POST /v1/conversations/{conv_id}/branches",
        "fork_from_item_id",
        ITEM,
        "item_not_found",
        |id, _| json!({"name": "stolen", "fork_from_item_id": id}),
    ),
    naming(
        "POST /v1/conversations/{conv_id}/branches",
        "parent_branch",
        BRANCH,
        "branch_not_found",
        |name, _| json!({"name": "stolen", "parent_branch": name}),
    ),
    naming(
        "POST /v1/conversations/{conv_id}/share",
        "item_id",
        ITEM,
        "item_not_found",
        |id, _| json!({"scope": "item", "item_id": id}),
    ),
    naming(
        "POST /v1/conversations/{conv_id}/share",
        "branch",
        BRANCH,
        "branch_not_found",
        |name, _| json!({"branch": name}),
    ),
    naming(
        "POST /v1/conversations/{conv_id}/items/{item_id}/share",
        "branch",
        BRANCH,
        "branch_not_found",
        |name, _| json!({"branch": name}),
    ),
    naming(
        "POST /v1/users/me/memories",
        "project_id",
        PROJECT,
        "project_not_found",
        |id, _| json!({"content": "Mine", "project_id": id}),
    ),
];

/// What the documents say that can be done.
struct Walk {
    all: Vec<Operation>,
    documents: BTreeMap<&'static str, Value>,
}

impl Walk {
    async fn of(server: &Server) -> Self {
        let mut walk = Self { all: Vec::new(), documents: BTreeMap::new() };
        for service in SERVICES {
            walk.all.extend(operations(server, service).await);
            walk.documents.insert(service, document(server, service).await);
        }
        walk
    }

    /// What users may do.
    fn users(&self) -> impl Iterator<Item = &Operation> {
        self.all.iter().filter(|operation| operation.access["caller"] == "user")
    }

    fn kinds(&self) -> BTreeSet<&str> {
        self.users().flat_map(Operation::parameters).collect()
    }
}

#[tokio::test]
async fn what_is_anothers_cannot_be_named_in_a_body_or_a_query() {
    let server = Setup::new().scripted().start().await;
    let walk = Walk::of(&server).await;
    let names_a_thing = |field: &str| {
        let is_name = ["conversation", "branch", "parent_branch", "user_id"].contains(&field);
        (is_name || field.ends_with("_id") || field.ends_with("_ids")) && !LABELS.contains(&field)
    };
    let kinds = walk.kinds();
    let (ada, eve) = (User::with_one_of(&kinds, &server).await, User::with_one_of(&kinds, &server).await);
    let before = [seen(&server, &walk.all, &ada).await, seen(&server, &walk.all, &eve).await];
    let mut tried = BTreeSet::new();
    for operation in walk.users() {
        let path = fill(&operation.path, |_, kind| of(&eve.things, kind));
        let url = server.url(operation.service, &path);
        for field in bodies::fields(&walk.documents[operation.service], &operation.said) {
            let name = operation.to_string();
            let namings: Vec<&Naming> =
                NAMINGS.iter().filter(|naming| naming.operation == name && naming.field == field).collect();
            let is_in_path = operation.path.contains(&format!("{{{field}}}"));
            assert!(!namings.is_empty() || is_in_path || !names_a_thing(&field), "{name} takes a {field}: name one");
            for naming in namings {
                let body = (naming.body)(&ada.things[naming.kind], &eve.things);
                let answer = server.call(operation.method.clone(), &url, Some(&eve.token), Some(&body)).await;
                let said = answer.text();
                assert_eq!(answer.status.as_u16(), naming.status, "{name} with {body}: {said}");
                if naming.status == 200 {
                    assert_eq!(answer.json()["deleted_count"], 0, "{name} with {body}: {said}");
                } else {
                    assert_eq!(answer.json()["error"]["code"], naming.code, "{name} with {body}: {said}");
                }
                assert!(!names_any(&said, &ada.things, &body.to_string()), "{name} with {body} tells: {said}");
                tried.insert((naming.operation, naming.field));
            }
        }
        for parameter in operation.said["parameters"].as_array().into_iter().flatten() {
            let field = parameter["name"].as_str().unwrap();
            let expected = match field {
                _ if parameter["in"] != "query" => continue,
                "after" | "cursor" => 400,
                "branch" => 404,
                field if names_a_thing(field) => 404,
                _ => continue,
            };
            for (kind, id) in &ada.things {
                // A branch is named by its name, another thing by its id.
                if (field == "branch" && *kind != BRANCH) || (field == "project_id" && *kind != PROJECT) {
                    continue;
                }
                let url = format!("{url}?{field}={id}");
                let body = bodies::least(&walk.documents[operation.service], &operation.said);
                let answer = server.call(operation.method.clone(), &url, Some(&eve.token), body.as_ref()).await;
                assert_eq!(answer.status.as_u16(), expected, "{operation} as {url}: {}", answer.text());
                assert!(!names_any(&answer.text(), &ada.things, &url), "{operation} tells: {}", answer.text());
            }
        }
    }
    let known: BTreeSet<_> = NAMINGS.iter().map(|naming| (naming.operation, naming.field)).collect();
    assert_eq!(tried, known, "each was tried, or the list may shrink");
    let after = [seen(&server, &walk.all, &ada).await, seen(&server, &walk.all, &eve).await];
    assert_eq!(after, before, "nothing changed");
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let server = Setup::new().scripted().start().await;
    let walk = Walk::of(&server).await;
    let Walk { all, documents } = &walk;
    let kinds = walk.kinds();
    for kind in &kinds {
        assert!(makers::is_known(kind), "nothing makes a {kind}: it needs a maker in makers.rs");
    }
    for kind in makers::made().chain(EVERYBODYS) {
        assert!(kinds.contains(kind), "no operation names a {kind}: the list may shrink");
    }

    let (ada, eve) = (User::with_one_of(&kinds, &server).await, User::with_one_of(&kinds, &server).await);
    let before = seen(&server, all, &ada).await;
    assert!(before.len() > kinds.len(), "Ada sees something");
    let mut tried = 0;
    for operation in all.iter().filter(|operation| !operation.is_open()) {
        for path in paths(operation, &ada.things, &eve.things) {
            let body = bodies::least(&documents[operation.service], &operation.said);
            let url = server.url(operation.service, &path);
            let answer = server.call(operation.method.clone(), &url, Some(&eve.token), body.as_ref()).await;
            let expected = if operation.access["caller"] == "admin" { 403 } else { 404 };
            assert_eq!(answer.status.as_u16(), expected, "{operation} as {path}: {}", answer.text());
            assert!(!names_any(&answer.text(), &ada.things, &path), "{operation} tells of Ada's: {}", answer.text());
            tried += 1;
        }
    }
    assert!(tried > 0, "there is something to be tried");
    assert_eq!(seen(&server, all, &ada).await, before, "nothing of Ada's changed");
    for (path, text) in seen(&server, all, &eve).await {
        assert!(!names_any(&text, &ada.things, ""), "{path} shows Eve what is Ada's: {text}");
    }
}

/// Every path of an operation that names at least one of Ada's things; the others are Eve's own.
fn paths(operation: &Operation, ada: &Things, eve: &Things) -> Vec<String> {
    let kinds: Vec<&str> = operation.parameters().into_iter().filter(|kind| !EVERYBODYS.contains(kind)).collect();
    let choices = 1_u32 << kinds.len();
    (1..choices)
        .map(|choice| fill(&operation.path, |at, kind| of(if choice >> at & 1 == 1 { ada } else { eve }, kind)))
        .collect()
}

/// The path with each parameter as `id` says.
fn fill(template: &str, id: impl Fn(usize, &str) -> String) -> String {
    let mut path = String::new();
    let mut from = 0;
    for (at, (end, _)) in template.match_indices('}').enumerate() {
        let begin = template[..end].rfind('{').unwrap();
        path.push_str(&template[from..begin]);
        path.push_str(&id(at, &template[..=end]));
        from = end + 1;
    }
    path + &template[from..]
}

fn of(things: &Things, kind: &str) -> String {
    match things.get(kind) {
        Some(id) => id.clone(),
        // What only administrators may name need not exist: nobody else gets so far.
        None => "user_00000000000000000000".to_owned(),
    }
}

/// Whether a text names one of the things, apart from what stands in the path that was asked for.
fn names_any(text: &str, things: &Things, path: &str) -> bool {
    things.values().any(|id| text.contains(id.as_str()) && !path.contains(id.as_str()))
}

/// All that a user can see with its own things.
async fn seen(server: &Server, all: &[Operation], user: &User<'_>) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    let own = |operation: &&Operation| {
        operation.method == Method::GET
            && operation.access["caller"] == "user"
            && operation.parameters().iter().all(|kind| user.things.contains_key(kind))
    };
    for operation in all.iter().filter(own) {
        let path = fill(&operation.path, |_, kind| of(&user.things, kind));
        let answer = server.get(operation.service, &path, Some(&user.token)).await;
        assert!(answer.status.is_success(), "{operation} as {path}: {}", answer.text());
        let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("exported_at"); // The time of asking.
        }
        seen.insert(format!("{operation} as {path}"), body.to_string());
    }
    seen
}
