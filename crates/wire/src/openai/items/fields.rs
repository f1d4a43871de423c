//! The fields of a JSON object, in their order and as they were written.

use std::{borrow::Cow, fmt};

use domain::Error;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::json;

/// An object whose values are not read yet, and its path.
pub(super) struct Fields<'a> {
    fields: Object<'a>,
    path: String,
}

impl<'a> Fields<'a> {
    /// The fields of what is at `path`, which must be an object.
    pub(super) fn read(value: &'a RawValue, path: &str) -> Result<Self, Error> {
        if !value.get().starts_with('{') {
            return Err(wrong(path, "an object"));
        }
        let fields: Object<'a> = serde_json::from_str(value.get())
            .map_err(|_| Error::invalid("invalid_json", "The body is not valid JSON."))?;
        let fields = Self { fields, path: path.to_owned() };
        let names: Vec<&str> = fields.iter().map(|(name, _)| name).collect();
        let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
        match twice {
            Some((_, name)) => {
                let path = fields.path(name);
                Err(Error::invalid_parameter(&*path, format!("{path} is there twice.")))
            }
            None => Ok(fields),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.fields.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// The field's value, null included.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// The field's value, if it is there and not null.
    pub(super) fn value(&self, name: &str) -> Option<&'a RawValue> {
        self.get(name).filter(|value| !is_null(value))
    }

    /// The path of a field.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The field's text, if it is there and not null.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Error> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match text(value) {
            Some(text) => Ok(Some(text)),
            None => Err(wrong(&self.path(name), "a string")),
        }
    }

    /// That a field is missing.
    pub(super) fn missing(&self, name: &str) -> Error {
        let path = self.path(name);
        Error::invalid("missing_parameter", format!("{path} is required.")).param(path)
    }
}

/// That something else is needed at `path`.
pub(super) fn wrong(path: &str, needed: &str) -> Error {
    let subject = if path.is_empty() { "The item" } else { path };
    Error::invalid_parameter(path, format!("{subject} must be {needed}."))
}

pub(super) fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// The text that a value is.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    json::unescaped(value.get().strip_prefix('"')?.strip_suffix('"')?)
}

/// Adds a field to the inside of an object.
pub(super) fn push(object: &mut String, name: &str, value: &str) {
    if !object.is_empty() {
        object.push(',');
    }
    json::push_text(object, name);
    object.push(':');
    object.push_str(value);
}

struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some((name, value)) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }

        input.deserialize_map(Reader)
    }
}

/// The fields of an object that this module wrote.
pub(super) fn of(object: &str) -> Vec<(Cow<'_, str>, &RawValue)> {
    serde_json::from_str::<Object<'_>>(object).map(|object| object.0).unwrap_or_default()
}
