//! What is remembered for a user, and the user's settings, as lines of a file.

use domain::{
    Clock, Error, Result, Timestamp,
    ids::{MemoryId, ProjectId, UserId},
    memory::{Memory, MemoryKind, MemorySource},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wire::settings::{self, Settings};

use super::{VERSION, invalid};
use crate::memories;

/// What an exported memory says it is.
pub(super) const MEMORY: &str = "jan-server.memory";
/// What exported settings say they are.
pub(super) const SETTINGS: &str = "jan-server.settings";

/// A memory, as a line of an exported file.
#[derive(Serialize, Deserialize)]
pub(super) struct MemoryLine {
    format: String,
    version: u32,
    memory: MemoryFields,
}

#[derive(Serialize, Deserialize)]
struct MemoryFields {
    content: String,
    kind: String,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project_id: Option<ProjectId>,
    created_at: i64,
    updated_at: i64,
}

impl From<Memory> for MemoryLine {
    fn from(memory: Memory) -> Self {
        Self {
            format: MEMORY.to_owned(),
            version: VERSION,
            memory: MemoryFields {
                content: memory.content,
                kind: memory.kind.as_str().to_owned(),
                source: memory.source.as_str().to_owned(),
                project_id: memory.project_id,
                created_at: memory.created_at.seconds(),
                updated_at: memory.updated_at.seconds(),
            },
        }
    }
}

/// Reads an exported memory, which is to be this user's. What it means is for an embedder to say.
///
/// # Errors
/// 400 that names the field.
pub(super) fn memory(json: &str, owner: &UserId, clock: &Clock) -> Result<Memory> {
    let line: MemoryLine = serde_json::from_str(json).map_err(|error| invalid(&error))?;
    let fields = line.memory;
    let unknown = |field: &'static str| Error::invalid_parameter(field, format!("This {field} is not known."));
    Ok(Memory {
        id: MemoryId::new(clock),
        user_id: owner.clone(),
        project_id: fields.project_id,
        kind: MemoryKind::parse(&fields.kind).ok_or_else(|| unknown("kind"))?,
        content: memories::check(&fields.content)?,
        source: MemorySource::parse(&fields.source).ok_or_else(|| unknown("source"))?,
        meaning: None,
        created_at: Timestamp::from_seconds(fields.created_at),
        updated_at: Timestamp::from_seconds(fields.updated_at),
    })
}

/// A user's settings, as far as they are not the usual ones, as a line of an exported file.
#[derive(Serialize, Deserialize)]
pub(super) struct SettingsLine {
    format: String,
    version: u32,
    settings: Map<String, Value>,
}

impl From<Map<String, Value>> for SettingsLine {
    fn from(settings: Map<String, Value>) -> Self {
        Self { format: SETTINGS.to_owned(), version: VERSION, settings }
    }
}

/// Reads exported settings.
///
/// # Errors
/// 400 that names the field.
pub(super) fn settings(json: &str) -> Result<Map<String, Value>> {
    let line: SettingsLine = serde_json::from_str(json).map_err(|error| invalid(&error))?;
    let mut changes = Map::new();
    settings::merge(&mut changes, &line.settings)?;
    Settings::read(&changes)?;
    Ok(changes)
}
