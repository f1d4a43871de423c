//! Memories as clients see them.

use domain::{
    Error,
    memory::{Memory, MemoryKind},
};
use serde::Serialize;
use utoipa::ToSchema;

/// Something that the server remembers.
#[derive(Serialize, ToSchema)]
#[schema(as = Memory)]
pub(crate) struct View {
    #[schema(example = "mem_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    pub(super) id: String,
    /// Always `memory`.
    #[schema(example = "memory")]
    object: &'static str,
    /// The text.
    #[schema(example = "Is allergic to nuts")]
    content: String,
    /// When the model is told: `core` always, `fact` when it has to do with the question, `episode` the same for what
    /// passes.
    #[schema(example = "fact")]
    kind: &'static str,
    /// The only project that it is for; null for all of the user's chats.
    #[schema(required)]
    project_id: Option<String>,
    /// Who wrote it: the `user`, or a `chat` in which the user asked for it.
    #[schema(example = "user")]
    source: &'static str,
    /// In seconds since the Unix epoch.
    #[schema(example = 1_800_000_000)]
    created_at: i64,
    /// In seconds since the Unix epoch.
    #[schema(example = 1_800_000_000)]
    updated_at: i64,
}

impl From<Memory> for View {
    fn from(memory: Memory) -> Self {
        Self {
            id: memory.id.to_string(),
            object: "memory",
            content: memory.content,
            kind: memory.kind.as_str(),
            project_id: memory.project_id.map(|id| id.to_string()),
            source: memory.source.as_str(),
            created_at: memory.created_at.seconds(),
            updated_at: memory.updated_at.seconds(),
        }
    }
}

/// Reads a kind.
pub(super) fn kind(word: &str) -> Result<MemoryKind, Error> {
    MemoryKind::parse(word).ok_or_else(|| Error::invalid_parameter("kind", "kind is core, fact or episode."))
}
