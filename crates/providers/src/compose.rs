//! Writes answers for providers that make their own: whole ones and chunks, stamped.

use bytes::Bytes;
use serde::Serialize;
use wire::openai::chat::answer::{Choice, ChunkChoice, Usage};

use crate::{Error, Frame, Result, Stamp, Whole};

/// A whole answer.
#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: &'a [Choice],
    usage: Usage,
}

/// A chunk.
#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: &'a [ChunkChoice],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

/// A whole answer of `choices`.
pub fn whole(stamp: &Stamp, choices: &[Choice], usage: Usage) -> Result<Whole> {
    let (id, created, model) = (stamp.id.as_str(), stamp.created, &*stamp.model);
    let answer = Completion { id, object: "chat.completion", created, model, choices, usage };
    let body = serde_json::to_vec(&answer).map_err(Error::failed)?.into();
    Ok(Whole { body, usage: Some(usage) })
}

/// A chunk that tells what is new of `choices`. With `wants_usage` it says that the usage is still to come.
pub fn chunk(stamp: &Stamp, choices: &[ChunkChoice], wants_usage: bool) -> Result<Frame> {
    Ok(Frame { bytes: event(stamp, choices, wants_usage.then_some(None))?, usage: None })
}

/// The end of a whole stream: the chunk that tells the usage, if it is wanted, and the end mark.
pub fn end(stamp: &Stamp, usage: Usage, wants_usage: bool) -> Result<Frame> {
    let bytes = if wants_usage {
        let told = event(stamp, &[], Some(Some(usage)))?;
        [&told[..], &wire::sse::DONE[..]].concat().into()
    } else {
        wire::sse::DONE
    };
    Ok(Frame { bytes, usage: Some(usage) })
}

fn event(stamp: &Stamp, choices: &[ChunkChoice], usage: Option<Option<Usage>>) -> Result<Bytes> {
    let (id, created, model) = (stamp.id.as_str(), stamp.created, &*stamp.model);
    let chunk = Chunk { id, object: "chat.completion.chunk", created, model, choices, usage };
    let mut frame = Vec::with_capacity(256);
    frame.extend_from_slice(b"data: ");
    serde_json::to_writer(&mut frame, &chunk).map_err(Error::failed)?;
    frame.extend_from_slice(b"\n\n");
    Ok(frame.into())
}
