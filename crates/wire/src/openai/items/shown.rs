//! Reading what [`ItemView`](super::ItemView) wrote: an item with all that was known of it.

use std::borrow::Cow;

use domain::{
    Error, Timestamp,
    item::{Making, Rating},
};
use serde_json::value::RawValue;

use super::{
    ItemIn, OURS, call_id,
    fields::{self, Fields},
    kinds, texts,
};

/// What an item says of how it was made, which is kept beside what was given.
const MAKING: [&str; 3] = ["model", "usage", "finish_reason"];

/// An item that was shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The id that it had.
    pub id: Option<String>,
    /// The item.
    pub item: ItemIn,
    /// What made it.
    pub making: Making,
    /// What its reader thought of it.
    pub rating: Option<Rating>,
    /// When it was added.
    pub created_at: Option<Timestamp>,
    /// When it became complete, or was left incomplete.
    pub ended_at: Option<Timestamp>,
    /// When its content was changed on the branch that showed it.
    pub edited_at: Option<Timestamp>,
}

/// Reads an item; `param` is its path. Its content may be of any size: what a chat brought has other bounds than what a
/// client adds.
///
/// # Errors
/// `invalid_parameter` or `missing_parameter` with the field's path.
pub fn read_shown(item: &RawValue, param: &str) -> Result<Shown, Error> {
    let fields = Fields::read(item, param)?;
    let kind = kinds::read_kind(&fields)?;
    kinds::check(&fields, kind)?;
    let mut rest = String::with_capacity(item.get().len());
    for (name, value) in fields.iter().filter(|(name, _)| !OURS.contains(name) && !MAKING.contains(name)) {
        fields::push(&mut rest, name, value.get());
    }
    let body = format!("{{{rest}}}");
    let text = (kind == kinds::MESSAGE).then(|| texts(&body));
    let item = ItemIn {
        kind,
        role: kinds::role(&fields, kind)?,
        status: kinds::status(&fields, kind)?,
        call_id: call_id(&fields, kind)?,
        text: text.filter(|text| !text.is_empty()),
        body,
    };
    let text = |name| Ok::<_, Error>(fields.text(name)?.map(Cow::into_owned));
    let time = |name| fields.value(name).and_then(|value| value.get().parse().ok()).map(Timestamp::from_seconds);
    let like = match fields.text("rating")?.as_deref() {
        Some("like") => Some(true),
        Some("unlike") => Some(false),
        Some(_) => return Err(fields::wrong(&fields.path("rating"), "like or unlike")),
        None => None,
    };
    let comment = text("rating_comment")?;
    Ok(Shown {
        id: text("id")?,
        item,
        making: Making {
            model: text("model")?,
            usage: fields.value("usage").map(|usage| usage.get().to_owned()),
            finish_reason: text("finish_reason")?,
        },
        rating: like.zip(time("rated_at")).map(|(like, at)| Rating { like, comment, at }),
        created_at: time("created_at"),
        ended_at: time("completed_at").or_else(|| time("incomplete_at")),
        edited_at: time("edited_at"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_may_be_longer_than_one_that_a_client_adds() {
        let long = "long ".repeat(30_000);
        let body =
            format!(r#"{{"content":[{{"type":"output_text","text":"{long}"}},{{"type":"thinking","text":"x"}}]}}"#);
        let json = format!(r#"{{"type":"message","role":"assistant",{}"#, &body[1..]);
        let shown = read_shown(&RawValue::from_string(json).unwrap(), "").unwrap();
        assert_eq!((shown.item.body, shown.item.text), (body, Some(long)));
    }

    #[test]
    fn what_is_no_item_is_refused() {
        for (json, param) in [
            ("7", "i"),
            (r#"{"type":"x"}"#, "i.type"),
            (r#"{"type":"message","role":"user"}"#, "i.content"),
            (r#"{"type":"message","role":"user","content":"x","rating":"great"}"#, "i.rating"),
            (r#"{"type":"message","role":"user","content":"x","model":1}"#, "i.model"),
        ] {
            let json = RawValue::from_string(json.to_owned()).unwrap();
            assert_eq!(read_shown(&json, "i").unwrap_err().param_name(), Some(param), "{json}");
        }
    }
}
