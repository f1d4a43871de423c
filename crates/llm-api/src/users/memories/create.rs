//! `POST /v1/users/me/memories`: remember something.

use app::memories::{Kept, Memories, NewMemory};
use axum::{extract::State, response::IntoResponse};
use domain::{
    memory::{MemoryKind, MemorySource},
    scope::MemoriesWrite,
};
use http::StatusCode;
use http_kit::{Caller, Json, Result};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::{self, View};

/// What is to be remembered.
#[derive(Deserialize, ToSchema)]
#[schema(as = CreateMemory)]
pub(crate) struct Request {
    /// The text; kept on one line.
    #[schema(example = "Is allergic to nuts", min_length = 1, max_length = 1_000)]
    content: String,
    /// When the model is told: `core` always, `fact` (when not given) when it has to do with the question, `episode` the
    /// same for what passes.
    #[schema(nullable, example = "fact")]
    kind: Option<String>,
    /// The only project that it is for.
    #[schema(nullable)]
    project_id: Option<String>,
}

impl Request {
    fn into_new(self) -> Result<NewMemory, domain::Error> {
        Ok(NewMemory {
            content: self.content,
            kind: self.kind.as_deref().map(view::kind).transpose()?.unwrap_or(MemoryKind::Fact),
            project: self.project_id.as_deref().map(app::conversations::project_id).transpose()?,
            source: MemorySource::User,
        })
    }
}

/// Remember something.
///
/// What is remembered already is not kept twice: the answer is then 200, and the memory that says the same.
#[utoipa::path(
    post, path = "/v1/users/me/memories", tag = "users", operation_id = "createMemory",
    request_body = Request,
    responses(
        (status = 200, description = "The memory that says the same.", body = View),
        (status = 201, description = "The memory.", body = View,
            links(
                ("get" = (operation_id = "getMemory", parameters(("id" = "$response.body#/id")))),
                ("delete" = (operation_id = "deleteMemory", parameters(("id" = "$response.body#/id")))),
            )),
        (status = 400, description = "A field is missing or out of its bounds; or the caller has as many memories as there \
            may be (`memory_limit_reached`)."),
        (status = 404, description = "The caller has no such project (`project_not_found`)."),
    )
)]
pub(crate) async fn create(
    caller: Caller<MemoriesWrite>,
    State(memories): State<Memories>,
    Json(request): Json<Request>,
) -> Result<impl IntoResponse> {
    Ok(match memories.create(&caller.user_id, request.into_new()?).await? {
        Kept::New(memory) => (StatusCode::CREATED, Json(View::from(memory))),
        Kept::Known(memory) => (StatusCode::OK, Json(View::from(memory))),
    })
}
