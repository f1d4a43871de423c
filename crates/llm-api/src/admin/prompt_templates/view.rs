//! Templates as administrators see them.

use app::prompt_templates::Current;
use domain::{Timestamp, prompt_template::PromptTemplateVersion};
use serde::Serialize;
use utoipa::ToSchema;

/// A text of the prompt.
#[derive(Serialize, ToSchema)]
#[schema(as = PromptTemplate)]
pub(crate) struct View {
    #[schema(example = "pt_timing000000000000000000")]
    pub(super) id: String,
    /// Always `prompt_template`.
    #[schema(example = "prompt_template")]
    object: &'static str,
    /// The module that it is for, or `persona.` and a persona's name.
    #[schema(example = "timing")]
    key: String,
    /// The only model that it is for; null for all.
    #[schema(required)]
    model: Option<String>,
    #[schema(example = "Date and language")]
    name: String,
    description: String,
    /// `orchestration` or `persona`.
    #[schema(example = "orchestration")]
    category: String,
    /// Whether it is used; a module whose text is not used says nothing.
    enabled: bool,
    /// Whether the server brings it along: then it can be changed but not deleted.
    is_system: bool,
    /// The version in use; 0 is the text that the server brings along.
    active_version: u32,
    /// The newest version.
    last_version: u32,
    /// The text in use.
    content: String,
    /// What the text may use.
    variables: Vec<Variable>,
    /// In seconds since the Unix epoch; null for what nobody ever changed.
    #[schema(required)]
    created_at: Option<i64>,
    /// In seconds since the Unix epoch; null for what nobody ever changed.
    #[schema(required)]
    updated_at: Option<i64>,
}

/// Something that a text may use.
#[derive(Serialize, ToSchema)]
#[schema(as = PromptTemplateVariable)]
struct Variable {
    #[schema(example = "date")]
    name: &'static str,
    #[schema(example = "The date, such as 15 January 2027.")]
    description: &'static str,
}

impl From<Current> for View {
    fn from(current: Current) -> Self {
        let variables = current.variables().iter();
        let variables = variables.map(|&(name, description)| Variable { name, description }).collect();
        let Current { template, content, is_system } = current;
        Self {
            id: template.id.to_string(),
            object: "prompt_template",
            key: template.key,
            model: template.model,
            name: template.name,
            description: template.description,
            category: template.category,
            enabled: template.enabled,
            is_system,
            active_version: template.active_version,
            last_version: template.last_version,
            content,
            variables,
            created_at: seconds(template.created_at),
            updated_at: seconds(template.updated_at),
        }
    }
}

/// One version of a text.
#[derive(Serialize, ToSchema)]
#[schema(as = PromptTemplateVersion)]
pub(crate) struct VersionView {
    /// Its number, as text: what the next page's `after` is.
    #[schema(example = "3")]
    pub(super) id: String,
    /// Always `prompt_template.version`.
    #[schema(example = "prompt_template.version")]
    object: &'static str,
    /// Its number; 0 for the text that the server brings along.
    #[schema(example = 3)]
    version: u32,
    content: String,
    /// Whether it is in use.
    active: bool,
    /// The administrator who wrote it.
    #[schema(required)]
    created_by: Option<String>,
    /// In seconds since the Unix epoch; null for the text that the server brings along.
    #[schema(required)]
    created_at: Option<i64>,
}

impl VersionView {
    pub(super) fn new(version: PromptTemplateVersion, active_version: u32) -> Self {
        Self {
            id: version.version.to_string(),
            object: "prompt_template.version",
            version: version.version,
            content: version.content,
            active: version.version == active_version,
            created_by: version.created_by.map(|id| id.to_string()),
            created_at: seconds(version.created_at),
        }
    }
}

fn seconds(at: Timestamp) -> Option<i64> {
    Some(at.seconds()).filter(|seconds| *seconds > 0)
}
