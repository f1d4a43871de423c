//! Images among the messages for a model, of which only the newest are told.

use std::borrow::Cow;

use domain::Error;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::messages::{Content, PromptMessage};
use crate::chat::body::{self, Fields, RawMessage};

/// What stands in the place of an image that is left out.
pub(super) const NO_IMAGE: &str = "[an image of an earlier message, left out]";

impl PromptMessage {
    /// Leaves out all but the last images, as many as there is `room` for; says whether there were more.
    pub(super) fn keep_images(&mut self, room: &mut usize) -> bool {
        let mut has_place = || {
            let has_place = *room > 0;
            *room = room.saturating_sub(1);
            has_place
        };
        let mut left_out = false;
        match &mut self.content {
            Content::None | Content::Text(_) => {}
            Content::Parts(parts) => {
                for part in parts.iter_mut().rev().filter(|part| part.is_image) {
                    if !has_place() {
                        (part.is_image, part.json) = (false, no_image());
                        left_out = true;
                    }
                }
            }
            Content::Sent(told) => {
                let Some(parts) = parts_with_images(&told.json) else { return false };
                let none = no_image();
                let mut parts: Vec<&str> = parts
                    .into_iter()
                    .rev()
                    .map(|(json, is_image)| {
                        let stays = !is_image || has_place();
                        left_out |= !stays;
                        if stays { json } else { none.get() }
                    })
                    .collect();
                parts.reverse();
                if left_out && let Ok(fewer) = with_parts(&told.json, &parts) {
                    **told = fewer;
                }
            }
        }
        left_out
    }
}

/// The parts of a message as the client sent it, and which of them are images; nothing where none is.
pub(super) fn parts_with_images(message: &str) -> Option<Vec<(&str, bool)>> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        content: Vec<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
    }
    // Most messages have none, and are not read again.
    if !message.contains("image_url") {
        return None;
    }
    let Message { content } = serde_json::from_str(message).ok()?;
    let is_image = |part: &RawValue| serde_json::from_str(part.get()).is_ok_and(|Kind { kind }| kind == "image_url");
    let parts: Vec<_> = content.into_iter().map(|part| (part.get(), is_image(part))).collect();
    parts.iter().any(|(_, is_image)| *is_image).then_some(parts)
}

/// A message as the client sent it, with other parts. Everything else stays to the letter.
fn with_parts(message: &str, parts: &[&str]) -> Result<RawMessage, Error> {
    let mut fields = Fields::of(message)?;
    let parts = body::list(parts);
    fields.set("content", &parts);
    RawMessage::read(fields.to_json())
}

fn no_image() -> Box<RawValue> {
    serde_json::value::to_raw_value(&json!({"type": "text", "text": NO_IMAGE})).unwrap_or_default()
}
