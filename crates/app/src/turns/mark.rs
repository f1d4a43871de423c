//! What an answer says of its conversation.

use bytes::Bytes;
use domain::ids::ConversationId;
use wire::json;

/// What an answer says of the conversation it belongs to: fields of an object, with a comma behind.
pub(super) fn fields(id: Option<&ConversationId>, title: Option<&str>, trimmed: bool) -> String {
    let Some(id) = id else { return format!("\"trimmed\":{trimmed},") };
    let title = title.map_or("null".to_owned(), json::quoted);
    format!(r#""conversation":{{"id":"{id}","title":{title}}},"trimmed":{trimmed},"#)
}

/// An answer's body with a mark in front.
pub(super) fn put_on(answer: &Bytes, mark: &str) -> Bytes {
    let Some(at) = memchr::memchr(b'{', answer) else { return answer.clone() };
    [&answer[..=at], mark.as_bytes(), &answer[at + 1..]].concat().into()
}

#[cfg(test)]
mod tests {
    use domain::Clock;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_names_its_conversation() {
        let id = ConversationId::new(&Clock::System);
        let answer = put_on(&Bytes::from_static(b" {\"id\":1}"), &fields(Some(&id), Some("\"T\""), false));
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer, json!({"conversation": {"id": id, "title": "\"T\""}, "trimmed": false, "id": 1}));
    }
}
