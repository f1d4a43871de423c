//! A request's body as it goes on to the model: the client's own, with other messages.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use domain::{Error, Result};
use serde_json::value::RawValue;

/// A request's fields, their values unread.
pub(crate) type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

const MESSAGES: &str = "messages";

/// Takes a body apart that was read before.
pub(crate) fn fields(body: &[u8]) -> Result<Fields<'_>> {
    serde_json::from_slice(body).map_err(Error::internal)
}

/// The messages of a body that was checked.
pub(crate) fn messages<'a>(fields: &Fields<'a>) -> Result<Vec<&'a RawValue>> {
    let Some(list) = fields.get(MESSAGES) else { return Ok(Vec::new()) };
    serde_json::from_str(list.get()).map_err(Error::internal)
}

/// The body with these messages, and without the fields that are not for the model. Everything else stays to the letter.
pub(crate) fn with_messages(fields: &Fields<'_>, messages: &[Box<RawValue>], without: &[&str]) -> Result<Bytes> {
    let messages = serde_json::value::to_raw_value(messages).map_err(Error::internal)?;
    let others = fields.iter().filter(|(name, _)| !without.contains(&&***name));
    let mut all: Fields<'_> = others.map(|(name, value)| (name.clone(), *value)).collect();
    all.insert(Cow::Borrowed(MESSAGES), &messages);
    serde_json::to_vec(&all).map(Bytes::from).map_err(Error::internal)
}

/// The body without fields that are not for the model. Everything else stays to the letter.
pub(crate) fn without(body: &[u8], names: &[&str]) -> Result<Bytes> {
    let mut fields = fields(body)?;
    fields.retain(|name, _| !names.contains(&&**name));
    serde_json::to_vec(&fields).map(Bytes::from).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_messages_stays_to_the_letter() {
        let body = br#"{"model":"m","messages":[1],"conversation":"c","x":1.00,"store":true,"y":{"b":1,"a":"\u00e9"}}"#;
        let message = RawValue::from_string(r#"{"role":"user","content":"a"}"#.to_owned()).unwrap();
        let fields = fields(body).unwrap();
        assert_eq!(messages(&fields).unwrap()[0].get(), "1");
        let sent = with_messages(&fields, &[message], &["conversation", "store", "store_reasoning"]).unwrap();
        assert_eq!(
            std::str::from_utf8(&sent).unwrap(),
            r#"{"messages":[{"role":"user","content":"a"}],"model":"m","x":1.00,"y":{"b":1,"a":"\u00e9"}}"#
        );
    }
}
