//! A project as clients see it.

use app::projects::ProjectChange;
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use store::CountedProject;
use utoipa::ToSchema;
use wire::patch::Change;

/// A project. Times are seconds since the Unix epoch.
#[derive(Serialize, ToSchema)]
#[schema(as = Project)]
pub(crate) struct View {
    #[schema(example = "proj_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    pub(crate) id: String,
    /// Always `project`.
    #[schema(example = "project")]
    object: &'static str,
    /// Unique among the caller's projects.
    #[schema(example = "Thesis")]
    name: String,
    /// What it is for.
    #[schema(required)]
    description: Option<String>,
    /// What the model is told first in each of its conversations.
    #[schema(required, example = "Answer in British English.")]
    instruction: Option<String>,
    is_favorite: bool,
    /// Whether it is put away.
    is_archived: bool,
    /// Since when.
    #[schema(required)]
    archived_at: Option<i64>,
    /// How many conversations it has.
    #[schema(example = 12)]
    conversation_count: u64,
    #[schema(example = 1_800_000_000)]
    created_at: i64,
    #[schema(example = 1_800_000_000)]
    updated_at: i64,
}

impl From<CountedProject> for View {
    fn from(CountedProject { project, conversations }: CountedProject) -> Self {
        Self {
            id: project.id.to_string(),
            object: "project",
            name: project.name,
            description: project.description,
            instruction: project.instruction,
            is_favorite: project.is_favorite,
            is_archived: project.archived_at.is_some(),
            archived_at: project.archived_at.map(Timestamp::seconds),
            conversation_count: conversations,
            created_at: project.created_at.seconds(),
            updated_at: project.updated_at.seconds(),
        }
    }
}

/// What a project is to be. What is not given stays as it is, or is as by default.
#[derive(Deserialize, ToSchema)]
#[schema(as = ProjectFields)]
pub(crate) struct Request {
    /// 1 to 120 characters, unique among the caller's projects; needed for a new one. `title` is another name.
    #[serde(alias = "title")]
    #[schema(nullable = false, example = "Thesis", min_length = 1, max_length = 120)]
    name: Option<String>,
    /// What it is for; null or empty for none.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2_000)]
    description: Change<String>,
    /// What the model is told first in each of its conversations; null or empty for nothing.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 32_768, example = "Answer in British English.")]
    instruction: Change<String>,
    /// Whether it is to be at hand.
    #[serde(alias = "favorite")]
    #[schema(nullable = false)]
    is_favorite: Option<bool>,
    /// Whether it is to be put away. `archived` is another name.
    #[serde(alias = "archived")]
    #[schema(nullable = false)]
    is_archived: Option<bool>,
}

impl Request {
    pub(super) fn into_change(self) -> ProjectChange {
        let Self { name, description, instruction, is_favorite, is_archived } = self;
        let [description, instruction] = [description, instruction].map(|text| text.cleared_as(String::new()));
        ProjectChange { name, description, instruction, is_favorite, is_archived }
    }
}
