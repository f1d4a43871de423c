//! `docs/reference/access.md`: who may call which operation, from what the documents say.
//!
//! The documents have it from the types that enforce it (`http_kit::access`).

use std::fmt::Write;

use domain::scope::{self, Scope};
use serde_json::{Map, Value};

const HEAD: &str = "\
# Who may call what

Every operation of every service, from the same declarations that the server enforces. Whatever is not listed as open
wants credentials; a route that declared nothing would want a user whose API key is not limited.

A key never does more than its owner. A key without scopes does all that its owner may, except what is *reserved*; a key
with scopes does what they name and nothing else. Tokens of a sign-in are not limited. Who may not is answered with 403:
`admin_required`, `insufficient_scope` or `guest_not_allowed`. What belongs to somebody else is answered with 404, as if it
did not exist.
";

const COLUMNS: &str = "
| operation | without credentials | guest | user | administrator | API key |
|---|---|---|---|---|---|
";

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page.
pub(crate) fn markdown(documents: &Map<String, Value>) -> String {
    let mut text = HEAD.to_owned();
    for (service, document) in documents {
        _ = write!(text, "\n## {service}\n{COLUMNS}");
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS.iter().filter(|method| item.get(method).is_some()) {
                let access = &item[method]["x-access"];
                _ = writeln!(text, "| `{} {path}` | {} |", method.to_ascii_uppercase(), cells(access).join(" | "));
            }
        }
    }
    text.push_str("\n## Scopes\n\n| scope | what it lets a key do |\n|---|---|\n");
    for (name, about) in scope::names() {
        let reserved = if Scope::parse(name).is_some_and(Scope::is_reserved) { " Reserved." } else { "" };
        _ = writeln!(text, "| `{name}` | {about}{reserved} |");
    }
    text.push_str("\n*Reserved*: only a key that names it has it.\n");
    text
}

/// What stands in a row beside the operation.
fn cells(access: &Value) -> [String; 5] {
    const YES: &str = "yes";
    const NO: &str = "no";
    let key = access["api_key"].as_str().unwrap_or_default();
    let scope = Scope::parse(key);
    let key = match key {
        "any" => "any".to_owned(),
        "unlimited" => "not limited".to_owned(),
        "none" | "" => NO.to_owned(),
        scope => format!("`{scope}`"),
    };
    let guest = match scope.and_then(Scope::guest_switch) {
        Some(switch) => format!("unless `identity.{} = false`", switch.setting()),
        None => YES.to_owned(),
    };
    let [yes, no] = [YES, NO].map(str::to_owned);
    match access["caller"].as_str() {
        Some("anyone") => std::array::from_fn(|_| yes.clone()),
        Some("session") => ["with a token of the session", "yes", "yes", "yes", NO].map(str::to_owned),
        Some("user") => [no, guest, yes.clone(), yes, key],
        Some("admin") => [no.clone(), no.clone(), no, yes, key],
        _ => ["?", "?", "?", "?", "?"].map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::openapi;

    #[test]
    fn every_operation_says_who_may_call_it_and_every_scope_lets_somebody_in() {
        let documents = openapi::all().unwrap();
        let page = markdown(&documents);
        assert!(!page.contains("| ? |"), "{page}");
        assert!(
            !page.contains("| not limited |"),
            "an operation needs a scope, so that a key can be limited to it: {page}"
        );
        for scope in Scope::ALL {
            assert!(page.contains(&format!("| `{}` |\n", scope.as_str())), "{} opens nothing", scope.as_str());
        }
    }
}
