//! An item, as shown: what was given, and what the server knows of it.

use domain::{Timestamp, item::Item};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::fields;

/// An item on its way to a client.
#[derive(Clone, Debug)]
pub struct ItemView(pub Item);

impl ItemView {
    /// The item's id.
    pub fn id(&self) -> &str {
        self.0.id.as_str()
    }
}

impl Serialize for ItemView {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        let item = &self.0;
        let mut map = output.serialize_map(None)?;
        map.serialize_entry("id", item.id.as_str())?;
        map.serialize_entry("object", "conversation.item")?;
        map.serialize_entry("type", &item.head.kind)?;
        some(&mut map, "status", item.head.status.as_ref())?;
        some(&mut map, "role", item.head.role.as_ref())?;
        some(&mut map, "call_id", item.head.call_id.as_ref())?;
        for (name, value) in fields::of(&item.body) {
            map.serialize_entry(&*name, value)?;
        }
        map.serialize_entry("branch", &item.branch)?;
        map.serialize_entry("sequence_number", &item.sequence)?;
        map.serialize_entry("created_at", &item.created_at.seconds())?;
        let ended = item.ended_at.map(Timestamp::seconds);
        match item.head.status.as_deref() {
            Some("completed") => some(&mut map, "completed_at", ended)?,
            Some("incomplete") => some(&mut map, "incomplete_at", ended)?,
            _ => {}
        }
        some(&mut map, "edited_at", item.edited_at.map(Timestamp::seconds))?;
        some(&mut map, "model", item.making.model.as_ref())?;
        let usage = item.making.usage.as_deref().map(serde_json::from_str::<&RawValue>);
        some(&mut map, "usage", usage.and_then(Result::ok))?;
        some(&mut map, "finish_reason", item.making.finish_reason.as_ref())?;
        if let Some(rating) = &item.rating {
            map.serialize_entry("rating", rating.as_str())?;
            map.serialize_entry("rated_at", &rating.at.seconds())?;
            some(&mut map, "rating_comment", rating.comment.as_ref())?;
        }
        map.end()
    }
}

fn some<M: SerializeMap, T: Serialize>(map: &mut M, name: &str, value: Option<T>) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(name, &value),
        None => Ok(()),
    }
}

/// An item of a conversation, with the fields of its type as they were given. Fields that have nothing to say are left
/// out.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationItem)]
pub struct ItemDocument {
    #[schema(example = "msg_0mhk2v1qs5x3n8r7")]
    id: String,
    /// Always `conversation.item`.
    #[schema(example = "conversation.item")]
    object: String,
    /// What it is: `message`, `function_call`, `function_call_output`, `reasoning`, …
    #[serde(rename = "type")]
    #[schema(example = "message")]
    kind: String,
    /// How far it is: `completed`, `in_progress`, `incomplete`, …
    #[schema(example = "completed")]
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// Who speaks in a message.
    #[schema(example = "user")]
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// The call that it is, or belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<String>,
    /// The parts of a message.
    #[schema(value_type = Option<Vec<Object>>, example = json!([{"type": "input_text", "text": "Hello"}]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Vec<serde_json::Value>>,
    /// The branch by which it was read.
    #[schema(example = "MAIN")]
    branch: String,
    /// Its place: later items have larger numbers.
    #[schema(example = 1)]
    sequence_number: u64,
    #[schema(example = 1_800_000_000)]
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete_at: Option<i64>,
    /// When its content was changed on this branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<i64>,
    /// The model that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// The tokens that it took.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<serde_json::Value>,
    /// Why the model stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<String>,
    /// `like` or `unlike`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rated_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rating_comment: Option<String>,
    /// The other fields of its type, as they were given.
    #[serde(flatten)]
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    rest: serde_json::Map<String, serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use domain::{
        Clock,
        ids::ItemId,
        item::{Head, Making, Rating},
    };
    use serde_json::json;

    use super::*;
    use crate::openai::items::read_shown;

    #[test]
    fn an_item_is_shown_with_what_the_server_knows() {
        let at = Timestamp::from_seconds;
        let mut item = Item {
            id: ItemId::new(&Clock::System),
            branch: "MAIN".to_owned(),
            sequence: 7,
            head: Head {
                kind: "message".to_owned(),
                role: Some("assistant".to_owned()),
                status: Some("incomplete".to_owned()),
                call_id: None,
            },
            body: r#"{"content":[{"type":"output_text","text":"Hi","n":1.0}],"phase":"x"}"#.to_owned(),
            making: Making {
                model: Some("jan-tiny".to_owned()),
                usage: Some(r#"{"total_tokens":3}"#.to_owned()),
                finish_reason: Some("length".to_owned()),
            },
            rating: Some(Rating { like: true, comment: Some("good".to_owned()), at: at(4) }),
            created_at: at(1),
            ended_at: Some(at(2)),
            edited_at: Some(at(3)),
        };
        let text = serde_json::to_string(&ItemView(item.clone())).unwrap();
        assert!(text.contains(r#""content":[{"type":"output_text","text":"Hi","n":1.0}]"#), "{text}");
        let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            shown,
            json!({
                "id": item.id.as_str(), "object": "conversation.item", "type": "message", "status": "incomplete",
                "role": "assistant", "content": [{"type": "output_text", "text": "Hi", "n": 1.0}], "phase": "x",
                "branch": "MAIN", "sequence_number": 7, "created_at": 1, "incomplete_at": 2, "edited_at": 3,
                "model": "jan-tiny", "usage": {"total_tokens": 3}, "finish_reason": "length",
                "rating": "like", "rated_at": 4, "rating_comment": "good",
            })
        );
        let read = read_shown(&RawValue::from_string(text).unwrap(), "").unwrap();
        assert_eq!(read.id.as_deref(), Some(item.id.as_str()));
        assert_eq!(
            (read.item.kind, read.item.role, read.item.status),
            ("message", Some("assistant"), Some("incomplete"))
        );
        assert_eq!((&read.item.body, read.item.text.as_deref()), (&item.body, Some("Hi")));
        assert_eq!((&read.making, &read.rating), (&item.making, &item.rating));
        assert_eq!((read.created_at, read.ended_at, read.edited_at), (Some(at(1)), Some(at(2)), Some(at(3))));
        item.making = Making::default();
        item.rating = None;
        item.edited_at = None;
        item.head.status = None;
        let shown = serde_json::to_value(ItemView(item.clone())).unwrap();
        for absent in ["status", "completed_at", "incomplete_at", "model", "usage", "rating", "edited_at", "call_id"] {
            assert!(shown.get(absent).is_none(), "{absent}");
        }
    }
}
