//! Texts of the prompt that an administrator can change, each with all of its versions.

use crate::{
    Timestamp,
    ids::{PromptTemplateId, UserId},
};

/// Longest text, in bytes.
pub const MAX_CONTENT: usize = 32 * 1024;
/// Most templates.
pub const MAX_TEMPLATES: u32 = 500;
/// Most versions of a template: all of them are kept.
pub const MAX_VERSIONS: u32 = 1_000;
/// The version that is the text which the server brings along, whatever that is in its release.
pub const BUILT_IN: u32 = 0;

/// A template, without its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptTemplate {
    /// Its id.
    pub id: PromptTemplateId,
    /// Which part of the prompt it is for, or a name of one's own.
    pub key: String,
    /// The only model it is for; none for all.
    pub model: Option<String>,
    /// Its title.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it belongs to, for lists.
    pub category: String,
    /// Whether it is used at all.
    pub enabled: bool,
    /// The version in use.
    pub active_version: u32,
    /// The newest version.
    pub last_version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// One version of a template's text. It is never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptTemplateVersion {
    /// Its number, from 1.
    pub version: u32,
    /// The text.
    pub content: String,
    /// Who wrote it.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: Timestamp,
}
