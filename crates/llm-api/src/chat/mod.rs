//! Chat completions.

pub(crate) mod completions;
pub(crate) mod hints;
pub(crate) mod notes;

use utoipa::openapi::{
    OpenApi, RefOr,
    schema::{AdditionalProperties, Schema},
};

/// Says in the document that answers may hold more than it names: what a provider adds is passed on.
pub(crate) fn open_answers(document: &mut OpenApi) {
    const OPEN: [&str; 9] = [
        "Completion",
        "Choice",
        "AssistantMessage",
        "Chunk",
        "ChunkChoice",
        "Delta",
        "Usage",
        "PromptTokensDetails",
        "CompletionTokensDetails",
    ];
    let schemas = document.components.iter_mut().flat_map(|components| &mut components.schemas);
    for (name, schema) in schemas {
        if let (true, RefOr::T(Schema::Object(object))) = (OPEN.contains(&&**name), schema) {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(true)));
        }
    }
}
