//! The request's body as it goes on to the model, and the answer's as it goes back.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use domain::{Error, Result, ids::ConversationId};
use serde_json::{json, value::RawValue};

/// What is meant for this server and not for the model's.
const OURS: [&str; 3] = ["conversation", "store", "store_reasoning"];

/// A request's fields, their values unread.
pub(super) type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Takes a body apart that was read before.
pub(super) fn fields(body: &[u8]) -> Result<Fields<'_>> {
    serde_json::from_slice(body).map_err(Error::internal)
}

/// The body with these messages, and without what is not for the model.
pub(super) fn with_messages(fields: &Fields<'_>, messages: &[Box<RawValue>]) -> Result<Bytes> {
    let messages = serde_json::value::to_raw_value(messages).map_err(Error::internal)?;
    let others = fields.iter().filter(|(name, _)| !OURS.contains(&&***name) && *name != "messages");
    let mut all: Fields<'_> = others.map(|(name, value)| (name.clone(), *value)).collect();
    all.insert(Cow::Borrowed("messages"), &messages);
    serde_json::to_vec(&all).map(Bytes::from).map_err(Error::internal)
}

/// What an answer says of the conversation it belongs to: fields of an object, with a comma behind.
pub(super) fn mark(id: Option<&ConversationId>, title: Option<&str>, trimmed: bool) -> String {
    let conversation = id.map(|id| format!("\"conversation\":{},", json!({"id": id, "title": title})));
    format!("{}\"trimmed\":{trimmed},", conversation.unwrap_or_default())
}

/// An answer's body with a mark in front.
pub(super) fn marked(answer: &Bytes, mark: &str) -> Bytes {
    let Some(at) = memchr::memchr(b'{', answer) else { return answer.clone() };
    [&answer[..=at], mark.as_bytes(), &answer[at + 1..]].concat().into()
}

#[cfg(test)]
mod tests {
    use domain::Clock;

    use super::*;

    #[test]
    fn everything_but_the_messages_stays_to_the_letter() {
        let body = br#"{"model":"m","messages":[1],"conversation":"c","x":1.00,"store":true,"y":{"b":1,"a":"\u00e9"}}"#;
        let message = RawValue::from_string(r#"{"role":"user","content":"a"}"#.to_owned()).unwrap();
        let sent = with_messages(&fields(body).unwrap(), &[message]).unwrap();
        assert_eq!(
            std::str::from_utf8(&sent).unwrap(),
            r#"{"messages":[{"role":"user","content":"a"}],"model":"m","x":1.00,"y":{"b":1,"a":"\u00e9"}}"#
        );
    }

    #[test]
    fn an_answer_names_its_conversation() {
        let id = ConversationId::new(&Clock::System);
        let answer = marked(&Bytes::from_static(b" {\"id\":1}"), &mark(Some(&id), Some("\"T\""), false));
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer, json!({"conversation": {"id": id, "title": "\"T\""}, "trimmed": false, "id": 1}));
    }
}
