//! The fields there are, read from the schema of [`Config`](super::Config).

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// One setting.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// Its place, as in `ports.llm_api`.
    pub path: String,
    /// What it holds.
    pub kind: Kind,
    /// What it is when nobody says anything; null for nothing.
    pub default: Value,
    /// What it is for, in Markdown.
    pub about: String,
    /// Whether it is never shown.
    pub secret: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Integer,
    Number,
    Text,
    /// Texts.
    List,
    /// Tables, such as the upstreams.
    Tables,
}

impl Kind {
    fn of(schema: &Map<String, Value>) -> Self {
        let is = |name: &str| match schema.get("type") {
            Some(Value::String(kind)) => kind == name,
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == name),
            _ => false,
        };
        let items = schema.get("items").and_then(Value::as_object);
        if is("boolean") {
            Self::Boolean
        } else if is("integer") {
            Self::Integer
        } else if is("number") {
            Self::Number
        } else if !is("array") {
            Self::Text
        } else if items.is_some_and(|items| items.contains_key("properties")) {
            Self::Tables
        } else {
            Self::List
        }
    }

    /// How the reference page calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Integer => "whole number",
            Self::Number => "number",
            Self::Text => "text",
            Self::List => "list of texts",
            Self::Tables => "tables",
        }
    }
}

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<super::Config>().to_value()
});

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let mut fields = Vec::new();
    collect("", &SCHEMA, &mut fields);
    fields
});

/// The schema of the whole file.
pub(crate) fn schema() -> &'static Value {
    &SCHEMA
}

/// All fields, in the order of the structs.
pub(crate) fn all() -> &'static [Field] {
    &FIELDS
}

/// The field at `path`.
pub(crate) fn field(path: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.path == path)
}

fn collect(prefix: &str, schema: &Value, fields: &mut Vec<Field>) {
    for (name, schema) in properties(schema) {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let Some(object) = schema.as_object() else { continue };
        if object.contains_key("properties") {
            collect(&path, schema, fields);
            continue;
        }
        fields.push(Field {
            path,
            kind: Kind::of(object),
            default: object.get("default").cloned().unwrap_or_default(),
            about: about(schema),
            secret: is_secret(schema),
        });
    }
}

/// What a part of the schema is for.
pub(crate) fn about(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The properties of an object's schema.
pub(crate) fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn is_secret(schema: &Value) -> bool {
    schema.get("writeOnly").and_then(Value::as_bool).unwrap_or(false)
}

/// The schema at a path such as `upstreams[0].url`; none where there is no such thing.
pub(crate) fn schema_at(path: &str) -> Option<&'static Value> {
    let mut schema: &Value = &SCHEMA;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        let (name, indexed) = match name.split_once('[') {
            Some((name, _)) => (name, true),
            None => (name, false),
        };
        schema = schema.get("properties")?.get(name)?;
        if indexed {
            schema = schema.get("items")?;
        }
    }
    Some(schema)
}

/// Whether the value at a path is a secret.
pub(crate) fn is_secret_at(path: &str) -> bool {
    schema_at(path).is_some_and(is_secret)
}

/// The one of `names` that `name` was probably meant to be.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_a_place_a_kind_a_default_and_prose() {
        let port = field("ports.llm_api").unwrap();
        assert_eq!((port.kind, &port.default), (Kind::Integer, &Value::from(8080)));
        assert_eq!(field("upstreams").unwrap().kind, Kind::Tables);
        assert_eq!(field("server.services").unwrap().kind, Kind::List);
        assert_eq!(field("telemetry.sample_ratio").unwrap().kind, Kind::Number);
        for field in all() {
            assert!(!field.about.is_empty(), "{} lacks prose", field.path);
        }
    }

    #[test]
    fn secrets_are_known_everywhere() {
        for path in ["database.url", "identity.oidc.client_secret", "telemetry.otlp_headers", "upstreams[3].key"] {
            assert!(is_secret_at(path), "{path}");
        }
        assert!(!is_secret_at("upstreams[3].url"));
    }

    #[test]
    fn a_typo_has_a_nearest_name_and_nonsense_has_none() {
        let names = || ["bind", "data_dir", "public_url"].into_iter();
        assert_eq!(nearest("data_dri", names()), Some("data_dir"));
        assert_eq!(nearest("bidn", names()), Some("bind"));
        assert_eq!(nearest("quantum", names()), None);
    }
}
