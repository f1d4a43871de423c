//! What documents say about keys: the same for every operation that takes one.

use utoipa::{
    ToSchema,
    openapi::{
        ContentBuilder, ObjectBuilder, Ref, RefOr, Required, ResponseBuilder, Type,
        path::{Operation, ParameterBuilder, ParameterIn},
    },
};

use super::MAX_KEY;
use crate::error::ErrorEnvelope;

const ABOUT: &str = "Does the request once: sent again with the same key within a day, it gets the first answer, with \
    `Idempotent-Replayed: true`.";
const CONFLICT: &str = "The `Idempotency-Key` was used for another request (`idempotency_key_reused`), the first request \
    with it is under way (`idempotency_key_in_use`), or its answer was too long to be kept \
    (`idempotency_answer_not_kept`).";

/// Adds the header, and what comes of it.
pub(crate) fn document(operation: &mut Operation) {
    let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(MAX_KEY)).build();
    let header = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(ABOUT))
        .schema(Some(schema))
        .build();
    operation.parameters.get_or_insert_default().push(header.into());
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name(ErrorEnvelope::name()))).build();
    let conflict = ResponseBuilder::new().description(CONFLICT).content("application/json", body).build();
    operation.responses.responses.entry("409".to_owned()).or_insert(RefOr::T(conflict));
}
