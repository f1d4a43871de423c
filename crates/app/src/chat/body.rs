//! A request's body as it goes on to the model: the client's own, with other messages. Whatever is not changed stays to
//! the letter, and is not read a second time.

use std::borrow::Cow;

use bytes::Bytes;
use domain::{Error, Result};
use wire::{
    json::{self, Cursor},
    openai::chat::request::Message,
};

const MESSAGES: &str = "messages";

/// The fields of a JSON object in their order, the values as they are written.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Fields<'a> {
    /// Takes a body apart that was read before.
    ///
    /// # Errors
    /// `internal_error` for what is no object.
    pub(crate) fn of_body(body: &'a [u8]) -> Result<Self> {
        Self::of(json::text(body).map_err(Error::internal)?)
    }

    /// The fields of an object that was read before.
    ///
    /// # Errors
    /// `internal_error` for what is no object.
    pub(crate) fn of(object: &'a str) -> Result<Self> {
        let mut fields = Vec::with_capacity(16);
        let read = Cursor::new(object).object(|cursor, key| {
            let value = cursor.value()?;
            fields.push((json::unescaped(key)?, value));
            Some(())
        });
        read.map(|()| Self(fields)).ok_or_else(unsound)
    }

    /// A field's value.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| *value)
    }

    /// Gives a field another value, JSON as it is to be written.
    pub(crate) fn set(&mut self, name: &'static str, value: &'a str) {
        match self.0.iter_mut().find(|(field, _)| field == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((Cow::Borrowed(name), value)),
        }
    }

    /// The messages of a body that was checked.
    ///
    /// # Errors
    /// `internal_error` for what is no list.
    pub(crate) fn messages(&self) -> Result<Vec<&'a str>> {
        self.get(MESSAGES).map_or_else(|| Ok(Vec::new()), elements)
    }

    /// The body with these messages, and without the fields that are not for the model. Everything else stays to the
    /// letter.
    pub(crate) fn with_messages(self, messages: &[impl AsRef<str>], without: &[&str]) -> Bytes {
        let messages = list(messages);
        let mut fields: Fields<'_> = self;
        fields.set(MESSAGES, &messages);
        fields.without(without)
    }

    /// The body without these fields. Everything else stays to the letter.
    pub(crate) fn without(mut self, names: &[&str]) -> Bytes {
        self.0.retain(|(name, _)| !names.contains(&&**name));
        self.to_json().into()
    }

    /// The object.
    pub(crate) fn to_json(&self) -> String {
        let size: usize = self.0.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut object = String::with_capacity(size + 2);
        for (name, value) in &self.0 {
            object.push(if object.is_empty() { '{' } else { ',' });
            json::push_text(&mut object, name);
            object.push(':');
            object.push_str(value);
        }
        object.push_str(if object.is_empty() { "{}" } else { "}" });
        object
    }
}

/// A message for a model, read and as it is written.
#[derive(Clone, Debug)]
pub(crate) struct RawMessage {
    pub(crate) message: Message,
    pub(crate) json: String,
}

impl RawMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// `internal_error` for what is none.
    pub(crate) fn read(json: String) -> Result<Self> {
        let message = json::parse_large(json.as_bytes()).map_err(Error::internal)?;
        Ok(Self { message, json })
    }
}

impl AsRef<str> for RawMessage {
    fn as_ref(&self) -> &str {
        &self.json
    }
}

/// The elements of a list that was read before, as they are written.
///
/// # Errors
/// `internal_error` for what is no list.
pub(crate) fn elements(list: &str) -> Result<Vec<&str>> {
    let mut elements = Vec::new();
    let read = Cursor::new(list).array(|cursor| cursor.value().map(|element| elements.push(element)));
    read.map(|()| elements).ok_or_else(unsound)
}

/// A list of elements that are JSON.
pub(crate) fn list(elements: &[impl AsRef<str>]) -> String {
    let size: usize = elements.iter().map(|element| element.as_ref().len() + 1).sum();
    let mut list = String::with_capacity(size + 1);
    for element in elements {
        list.push(if list.is_empty() { '[' } else { ',' });
        list.push_str(element.as_ref());
    }
    list.push_str(if list.is_empty() { "[]" } else { "]" });
    list
}

fn unsound() -> Error {
    Error::internal("what was read before is no JSON of its shape any more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_messages_stays_to_the_letter() {
        let body = br#"{"model":"m","messages":[1, 2],"conversation":"c","x":1.00, "st\u006fre":true,"y":{"b":1,"a":"\u00e9"}}"#;
        let fields = Fields::of_body(body).unwrap();
        assert_eq!(fields.messages().unwrap(), ["1", "2"]);
        let message = r#"{"role":"user","content":"a"}"#;
        let sent = fields.clone().with_messages(&[message], &["conversation", "store"]);
        assert_eq!(
            std::str::from_utf8(&sent).unwrap(),
            r#"{"model":"m","messages":[{"role":"user","content":"a"}],"x":1.00,"y":{"b":1,"a":"\u00e9"}}"#
        );
        let none = fields.without(&["model", "messages", "conversation", "x", "store", "y"]);
        assert_eq!(none, "{}");
        assert!(Fields::of_body(b"[]").is_err() && Fields::of_body(b"{\"a\":\xff}").is_err());
    }

    #[test]
    fn a_field_is_set_in_its_place_or_at_the_end() {
        let mut fields = Fields::of(r#"{"a":1,"b":2}"#).unwrap();
        fields.set("a", "3");
        fields.set("c", "\"\"");
        assert_eq!(fields.to_json(), r#"{"a":3,"b":2,"c":""}"#);
        let empty: [&str; 0] = [];
        assert_eq!((list(&["1", "2"]), list(&empty)), ("[1,2]".to_owned(), "[]".to_owned()));
    }
}
