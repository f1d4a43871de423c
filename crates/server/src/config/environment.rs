//! Environment variables: `JAN_` and the field's place, in capitals, with two underscores between its parts
//! (`JAN_PORTS__LLM_API`), and the aliases.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{
    Layers, Origin,
    aliases::{ALIASES, UPSTREAM_ALIASES},
    fields::{self, Kind},
    layers::no_such_setting,
};

/// Adds upstreams: `URL[,KEY]`, several with blanks between them.
const UPSTREAMS: &str = "JAN_UPSTREAMS";

/// The variable of a field.
pub(crate) fn variable(path: &str) -> String {
    format!("JAN_{}", path.replace('.', "__").to_ascii_uppercase())
}

/// What the environment says, in the order in which it is applied.
pub(crate) struct Environment<'a>(&'a [(String, String)]);

/// Reads an environment. An empty variable counts as absent, as compose files leave them.
pub(crate) fn read(variables: &[(String, String)]) -> Environment<'_> {
    Environment(variables)
}

impl<'a> Environment<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, text)| text.trim()).filter(|text| !text.is_empty())
    }

    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        self.get(&variable("server.data_dir")).map(PathBuf::from)
    }

    pub(crate) fn apply(&self, layers: &mut Layers) {
        for alias in ALIASES {
            if let Some(text) = self.get(alias.name) {
                set(layers, alias.path, alias.name, text);
            }
        }
        for alias in UPSTREAM_ALIASES {
            if let Some(url) = self.get(alias.url) {
                let value = json!({ "url": url, "key": self.get(alias.key), "name": alias.name });
                layers.push("upstreams", value, Origin::Environment(alias.url.to_owned()));
            }
        }
        if let Some(list) = self.get(UPSTREAMS) {
            for text in list.split_whitespace() {
                layers.push("upstreams", upstream(text), Origin::Environment(UPSTREAMS.to_owned()));
            }
        }
        for field in fields::all().iter().filter(|field| field.kind != Kind::Tables) {
            let name = variable(&field.path);
            if let Some(text) = self.get(&name) {
                set(layers, &field.path, &name, text);
            }
        }
        self.unknown(layers);
    }

    /// A variable that looks like one of ours and is none. Other programs' `JAN_…` are left alone.
    fn unknown(&self, layers: &mut Layers) {
        let known: Vec<String> = fields::all().iter().map(|field| variable(&field.path)).collect();
        for (name, _) in self.0.iter().filter(|(name, _)| name.starts_with("JAN_") && !known.contains(name)) {
            let near = fields::nearest(name, known.iter().map(String::as_str));
            let is_slip = near.is_some_and(|near| near.replace("__", "_") == *name);
            if !name.contains("__") && !is_slip {
                continue;
            }
            layers.problem(None, Origin::Environment(name.clone()), no_such_setting(near));
        }
    }
}

fn set(layers: &mut Layers, path: &str, name: &str, text: &str) {
    let origin = Origin::Environment(name.to_owned());
    let Some(field) = fields::field(path) else { return };
    match value(field.kind, unit(path), text) {
        Ok(value) => layers.put(path, value, origin),
        Err(_) if field.secret => layers.problem(Some(path), origin, "the value is not understood"),
        Err(what) => layers.problem(Some(path), origin, what),
    }
}

/// A variable's text as a value of its field's kind.
fn value(kind: Kind, unit: Option<i64>, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Value::Bool(true)),
            "false" | "0" | "no" | "off" => Ok(Value::Bool(false)),
            _ => Err(format!("`{text}` is neither true nor false")),
        },
        Kind::Integer => integer(unit, text).map(Value::from).ok_or_else(|| format!("`{text}` is no whole number")),
        Kind::Number => text.parse::<f64>().map(Value::from).map_err(|_| format!("`{text}` is no number")),
        Kind::Text => Ok(Value::from(text)),
        Kind::List => Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect()),
        Kind::Tables => Err("this is set in the file".to_owned()),
    }
}

/// Seconds in the unit of a field that holds a time, as its name tells; none for other fields.
fn unit(path: &str) -> Option<i64> {
    match path.rsplit(['.', '_']).next()? {
        "hours" => Some(3600),
        "minutes" => Some(60),
        "seconds" | "secs" | "timeout" | "grace" => Some(1),
        _ => None,
    }
}

/// A whole number; for a time also a duration such as `90s`, `5m` or `2h`, as the reference server writes them.
fn integer(unit: Option<i64>, text: &str) -> Option<i64> {
    let (Some(unit), Some((end, last))) = (unit, text.char_indices().next_back()) else { return text.parse().ok() };
    let factor = match last {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return text.parse().ok(),
    };
    let seconds = text[..end].parse::<i64>().ok()?.checked_mul(factor)?;
    // No time is rounded away.
    (seconds % unit == 0).then_some(seconds / unit)
}

/// An upstream as on the command line: `URL[,KEY]`.
pub(crate) fn upstream(text: &str) -> Value {
    match text.split_once(',') {
        Some((url, key)) if !key.trim().is_empty() => json!({ "url": url.trim(), "key": key.trim() }),
        Some((url, _)) => json!({ "url": url.trim() }),
        None => json!({ "url": text }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_their_fields_kind() {
        assert_eq!(value(Kind::Text, None, "12345"), Ok(Value::from("12345")));
        assert_eq!(value(Kind::Boolean, None, "Off"), Ok(Value::from(false)));
        assert_eq!(value(Kind::List, None, "a, b,,c"), Ok(json!(["a", "b", "c"])));
        assert!(value(Kind::Integer, None, "eighty").is_err());
    }

    #[test]
    fn an_upstream_may_have_a_key_behind_a_comma() {
        assert_eq!(upstream("http://x/v1, sk-1"), json!({"url": "http://x/v1", "key": "sk-1"}));
        for text in ["http://x", "http://x,", "http://x , "] {
            assert_eq!(upstream(text), json!({"url": "http://x"}), "{text:?}");
        }
    }

    #[test]
    fn times_are_durations_in_their_fields_unit() {
        let read = |path, text| integer(unit(path), text);
        assert_eq!(read("listener.drain_timeout", "90m"), Some(5400));
        assert_eq!(read("listener.drain_timeout", "90"), Some(90));
        assert_eq!(read("identity.api_key_hours", "2160h"), Some(2160));
        assert_eq!(read("identity.api_key_hours", "90s"), None);
        assert_eq!(read("ports.llm_api", "80m"), None);
        assert_eq!(read("listener.drain_timeout", "99999999999999999h"), None);
        assert_eq!(read("listener.drain_timeout", "é"), None);
    }

    #[test]
    fn an_upstream_has_an_optional_key() {
        assert_eq!(upstream("http://a/v1,k,2"), json!({ "url": "http://a/v1", "key": "k,2" }));
        assert_eq!(upstream("http://a/v1"), json!({ "url": "http://a/v1" }));
    }

    #[test]
    fn every_alias_names_a_field() {
        for alias in ALIASES {
            assert!(fields::field(alias.path).is_some(), "{}", alias.name);
        }
    }
}
