//! The bodies that an operation takes, as its document says: the least one, and the fields there are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// The body; none for an operation that has none.
pub(super) fn least(document: &Value, said: &Value) -> Option<Value> {
    let content = &resolve(document, &said["requestBody"])["content"]["application/json"];
    if content.is_null() {
        return None;
    }
    match content.get("example") {
        Some(example) => Some(example.clone()),
        None => Some(of_schema(document, &content["schema"], 0)),
    }
}

/// The names of the fields that an operation's body may have, those of objects within it included.
pub(super) fn fields(document: &Value, said: &Value) -> BTreeSet<String> {
    let content = &resolve(document, &said["requestBody"])["content"]["application/json"];
    let mut found = BTreeSet::new();
    collect(document, &content["schema"], 0, &mut found);
    found
}

fn collect(document: &Value, schema: &Value, depth: usize, found: &mut BTreeSet<String>) {
    let schema = resolve(document, schema);
    assert!(depth < 16, "a schema that ends: {schema}");
    let lists = ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|keyword| schema[keyword].as_array()).flatten();
    for part in lists.chain(schema.get("items")) {
        collect(document, part, depth + 1, found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        found.insert(name.clone());
        collect(document, property, depth + 1, found);
    }
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(pointer) => document.pointer(pointer.trim_start_matches('#')).expect("a reference leads somewhere"),
        None => value,
    }
}

fn of_schema(document: &Value, schema: &Value, depth: usize) -> Value {
    let schema = resolve(document, schema);
    assert!(depth < 16, "a schema that ends: {schema}");
    let of = |schema: &Value| of_schema(document, schema, depth + 1);
    for keyword in ["example", "default", "const"] {
        if let Some(value) = schema.get(keyword) {
            return value.clone();
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        return values[0].clone();
    }
    if let Some(examples) = schema["examples"].as_array() {
        return examples[0].clone();
    }
    for keyword in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[keyword].as_array() {
            let real = choices.iter().find(|choice| choice["type"] != "null");
            return real.map_or(Value::Null, of);
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let fields = parts.iter().map(of).filter_map(|part| part.as_object().cloned());
        return Value::Object(fields.flatten().collect());
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| **kind != "null").cloned().unwrap_or_default(),
        kind => kind.clone(),
    };
    match kind.as_str() {
        Some("string") => json!("x".repeat(schema["minLength"].as_u64().unwrap_or(1).max(1) as usize)),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        Some("array") => {
            let least = schema["minItems"].as_u64().unwrap_or(1).max(1);
            (0..least).map(|_| of(&schema["items"])).collect()
        }
        Some("null") => Value::Null,
        _ => {
            let properties = schema["properties"].as_object();
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            // Where nothing is required, something that is shown as an example is meant.
            let is_wanted = |name: &str, property: &Value| {
                if required.is_empty() { property.get("example").is_some() } else { required.contains(&json!(name)) }
            };
            let wanted = properties.into_iter().flatten().filter(|(name, property)| is_wanted(name, property));
            Value::Object(wanted.map(|(name, property)| (name.clone(), of(property))).collect())
        }
    }
}
