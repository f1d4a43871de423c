//! The effective configuration, as a file would say it, with where each value comes from. Secrets are masked.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::{
    Settings,
    fields::{self, Field, Kind},
};

/// In place of a secret.
const MASK: &str = "********";

/// The configuration as TOML.
pub(crate) fn show(settings: &Settings) -> String {
    let mut text = String::new();
    match &settings.file {
        Some(path) => _ = writeln!(text, "# Read from {}.", path.display()),
        None => text.push_str("# No file was read.\n"),
    }
    let mut section = "";
    let mut tables = Vec::new();
    for field in fields::all() {
        if field.kind == Kind::Tables {
            tables.push(field);
            continue;
        }
        let (around, name) = field.path.rsplit_once('.').unwrap_or(("", &field.path));
        if around != section {
            _ = writeln!(text, "\n[{around}]");
            section = around;
        }
        _ = writeln!(text, "{}", line(settings, field, name));
    }
    for field in tables {
        write_tables(&mut text, settings, field);
    }
    text
}

fn line(settings: &Settings, field: &Field, name: &str) -> String {
    let value = value(settings, field);
    let origin = settings.origin(&field.path);
    match value {
        Value::Null => format!("# {name} is not set"),
        _ if field.secret => format!("{name} = \"{MASK}\" # {origin}"),
        value => format!("{name} = {} # {origin}", toml_value(&value)),
    }
}

fn value(settings: &Settings, field: &Field) -> Value {
    // These follow other settings.
    match field.path.as_str() {
        "database.path" => return Value::from(settings.config.database.path.display().to_string()),
        "server.public_url" => return Value::from(settings.config.server.public_url.as_str()),
        _ => {}
    }
    let mut value = &settings.values;
    for name in field.path.split('.') {
        value = &value[name];
    }
    if value.is_null() { field.default.clone() } else { value.clone() }
}

fn write_tables(text: &mut String, settings: &Settings, field: &Field) {
    let items = settings.values[&field.path].as_array().cloned().unwrap_or_default();
    for (index, item) in items.iter().enumerate() {
        let path = format!("{}[{index}]", field.path);
        _ = writeln!(text, "\n[[{}]] # {}", field.path, settings.origin(&path));
        let none = Map::new();
        for (name, value) in item.as_object().unwrap_or(&none).iter().filter(|(_, value)| !value.is_null()) {
            let shown = if fields::is_secret_at(&format!("{path}.{name}")) { Value::from(MASK) } else { value.clone() };
            _ = writeln!(text, "{name} = {}", toml_value(&shown));
        }
    }
}

/// A value in TOML's spelling.
pub(super) fn toml_value(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml_value).collect::<Vec<_>>().join(", ")),
        Value::String(text) => toml::Value::from(text.as_str()).to_string(),
        other => other.to_string(),
    }
}
