//! The texts of the prompt, for administrators.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod list;
pub(super) mod preview;
pub(super) mod update;
pub(super) mod versions;
mod view;

use domain::{Error, ids::PromptTemplateId};

/// An id from the path. One that is none is no template's.
fn id(text: &str) -> Result<PromptTemplateId, Error> {
    PromptTemplateId::parse(text)
        .map_err(|_| Error::not_found("prompt_template_not_found", "There is no such template."))
}
