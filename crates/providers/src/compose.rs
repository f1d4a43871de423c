//! Writes answers for providers that make their own: whole ones and chunks, stamped.

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
    let mut bytes = Vec::with_capacity(256);
    write(&mut bytes, stamp, choices, if wants_usage { Some("null") } else { None })?;
    Ok(Frame { bytes: bytes.into(), usage: None })
}

/// The end of a whole stream: the chunk that tells the usage, if it is wanted, and the end mark.
pub fn end(stamp: &Stamp, usage: Usage, wants_usage: bool) -> Result<Frame> {
    let mut bytes = Vec::new();
    if wants_usage {
        let told = serde_json::to_string(&usage).map_err(Error::failed)?;
        write(&mut bytes, stamp, &[], Some(&told))?;
    }
    bytes.extend_from_slice(&wire::sse::DONE);
    Ok(Frame { bytes: bytes.into(), usage: Some(usage) })
}

/// Writes a chunk's event; `usage` is JSON.
fn write(out: &mut Vec<u8>, stamp: &Stamp, choices: &[ChunkChoice], usage: Option<&str>) -> Result<()> {
    let (id, created, model) = (stamp.id.as_str(), stamp.created, &*stamp.model);
    out.extend_from_slice(b"data: ");
    let chunk = Chunk { id, object: "chat.completion.chunk", created, model, choices };
    serde_json::to_writer(&mut *out, &chunk).map_err(Error::failed)?;
    if let Some(usage) = usage {
        out.pop(); // the closing brace
        out.extend_from_slice(b",\"usage\":");
        out.extend_from_slice(usage.as_bytes());
        out.push(b'}');
    }
    out.extend_from_slice(b"\n\n");
    Ok(())
}
