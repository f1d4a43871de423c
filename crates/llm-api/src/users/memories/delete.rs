//! `DELETE /v1/users/me/memories/{id}`: forget something.

use app::memories::Memories;
use axum::extract::State;
use domain::scope::MemoriesWrite;
use http_kit::{Caller, Json, Path, Result};
use serde::Serialize;
use utoipa::ToSchema;

/// What was forgotten.
#[derive(Serialize, ToSchema)]
#[schema(as = MemoryDeleted)]
pub(crate) struct View {
    #[schema(example = "mem_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    id: String,
    /// Always `memory.deleted`.
    #[schema(example = "memory.deleted")]
    object: &'static str,
    /// Always true.
    #[schema(example = true)]
    deleted: bool,
}

/// Forget one of my memories.
#[utoipa::path(
    delete, path = "/v1/users/me/memories/{id}", tag = "users", operation_id = "deleteMemory",
    params(("id" = String, Path, max_length = 64, description = "The memory's id.")),
    responses(
        (status = 200, description = "It is forgotten.", body = View),
        (status = 404, description = "The caller has no such memory (`memory_not_found`)."),
    )
)]
pub(crate) async fn delete(
    caller: Caller<MemoriesWrite>,
    State(memories): State<Memories>,
    Path(id): Path<String>,
) -> Result<Json<View>> {
    let id = super::id(&id)?;
    memories.delete(&caller.user_id, &id).await?;
    Ok(Json(View { id: id.to_string(), object: "memory.deleted", deleted: true }))
}
