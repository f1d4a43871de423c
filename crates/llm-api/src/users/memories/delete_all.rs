//! `DELETE /v1/users/me/memories`: forget everything.

use app::memories::Memories;
use axum::extract::State;
use domain::scope::MemoriesWrite;
use http_kit::{Caller, Json, Query, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    project_id: Option<String>,
}

/// How much was forgotten.
#[derive(Serialize, ToSchema)]
#[schema(as = MemoriesDeleted)]
pub(crate) struct View {
    /// Always `memory.list.deleted`.
    #[schema(example = "memory.list.deleted")]
    object: &'static str,
    /// Always true.
    #[schema(example = true)]
    deleted: bool,
    /// How many memories there were.
    deleted_count: u64,
}

/// Forget all of my memories.
///
/// With `project_id` only those of that project.
#[utoipa::path(
    delete, path = "/v1/users/me/memories", tag = "users", operation_id = "deleteMemories",
    params(("project_id" = Option<String>, Query, max_length = 64, description = "Only those of this project.")),
    responses((status = 200, description = "They are forgotten.", body = View))
)]
pub(crate) async fn delete_all(
    caller: Caller<MemoriesWrite>,
    State(memories): State<Memories>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<View>> {
    let project = parameters.project_id.as_deref().map(app::conversations::project_id).transpose()?;
    let deleted_count = memories.delete_all(&caller.user_id, project.as_ref()).await?;
    Ok(Json(View { object: "memory.list.deleted", deleted: true, deleted_count }))
}
