//! `GET /v1/users/me/memories/{id}`: one memory.

use app::memories::Memories;
use axum::extract::State;
use domain::scope::MemoriesRead;
use http_kit::{Caller, Json, Path, Result};

use super::view::View;

/// Show one of my memories.
#[utoipa::path(
    get, path = "/v1/users/me/memories/{id}", tag = "users", operation_id = "getMemory",
    params(("id" = String, Path, max_length = 64, description = "The memory's id.")),
    responses(
        (status = 200, description = "The memory.", body = View),
        (status = 404, description = "The caller has no such memory (`memory_not_found`)."),
    )
)]
pub(crate) async fn get(
    caller: Caller<MemoriesRead>,
    State(memories): State<Memories>,
    Path(id): Path<String>,
) -> Result<Json<View>> {
    Ok(Json(memories.get(&caller.user_id, &super::id(&id)?).await?.into()))
}
