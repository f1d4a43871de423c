//! With another user's id: as if it did not exist, and nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::Value;

use super::{
    Operation, SERVICES, bodies, document,
    makers::{self, EVERYBODYS, Things, User},
    operations,
};
use crate::server::{Server, Setup};

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let server = Setup::new().scripted().start().await;
    let mut all = Vec::new();
    let mut documents = BTreeMap::new();
    for service in SERVICES {
        all.extend(operations(&server, service).await);
        documents.insert(service, document(&server, service).await);
    }
    let users = all.iter().filter(|operation| operation.access["caller"] == "user");
    let kinds: BTreeSet<&str> = users.flat_map(Operation::parameters).collect();
    for kind in &kinds {
        assert!(makers::is_known(kind), "nothing makes a {kind}: it needs a maker in makers.rs");
    }
    for kind in makers::made().chain(EVERYBODYS) {
        assert!(kinds.contains(kind), "no operation names a {kind}: the list may shrink");
    }

    let (ada, eve) = (User::with_one_of(&kinds, &server).await, User::with_one_of(&kinds, &server).await);
    let before = seen(&server, &all, &ada).await;
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
    assert_eq!(seen(&server, &all, &ada).await, before, "nothing of Ada's changed");
    for (path, text) in seen(&server, &all, &eve).await {
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
