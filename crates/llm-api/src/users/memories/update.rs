//! `PATCH /v1/users/me/memories/{id}`: change a memory.

use app::memories::{Memories, MemoryChange};
use axum::extract::State;
use domain::scope::MemoriesWrite;
use http_kit::{Caller, Json, Path, Result};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::{self, View};

/// What of a memory is to be changed.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateMemory)]
pub(crate) struct Request {
    /// The text.
    #[schema(nullable, example = "Is allergic to nuts and pollen", min_length = 1, max_length = 1_000)]
    content: Option<String>,
    /// `core`, `fact` or `episode`.
    #[schema(nullable, example = "core")]
    kind: Option<String>,
}

/// Change one of my memories.
#[utoipa::path(
    patch, path = "/v1/users/me/memories/{id}", tag = "users", operation_id = "updateMemory",
    params(("id" = String, Path, max_length = 64, description = "The memory's id.")),
    request_body = Request,
    responses(
        (status = 200, description = "The memory.", body = View),
        (status = 404, description = "The caller has no such memory (`memory_not_found`)."),
        (status = 409, description = "Another memory says the same (`memory_exists`)."),
    )
)]
pub(crate) async fn update(
    caller: Caller<MemoriesWrite>,
    State(memories): State<Memories>,
    Path(id): Path<String>,
    Json(request): Json<Request>,
) -> Result<Json<View>> {
    let kind = request.kind.as_deref().map(view::kind).transpose()?;
    let change = MemoryChange { content: request.content, kind };
    Ok(Json(memories.change(&caller.user_id, &super::id(&id)?, change).await?.into()))
}
