//! `GET /v1/users/me/memories`: what is remembered.

use app::memories::Memories;
use axum::extract::State;
use domain::{Error, scope::MemoriesRead};
use http_kit::{Caller, Json, PageQuery, Query, Result};
use serde::Deserialize;
use store::{MemoryFilter, MemoryPlace};
use wire::list::List;

use super::view::{self, View};

#[derive(Deserialize)]
pub(crate) struct Parameters {
    project_id: Option<String>,
    kind: Option<String>,
}

impl Parameters {
    fn to_filter(&self) -> Result<MemoryFilter, Error> {
        let place = match self.project_id.as_deref() {
            None => None,
            Some("none") => Some(MemoryPlace::Everywhere),
            Some(id) => Some(MemoryPlace::Project(app::conversations::project_id(id)?)),
        };
        Ok(MemoryFilter { place, kind: self.kind.as_deref().map(view::kind).transpose()? })
    }
}

/// List my memories.
#[utoipa::path(
    get, path = "/v1/users/me/memories", tag = "users", operation_id = "listMemories",
    params(
        PageQuery,
        ("project_id" = Option<String>, Query, max_length = 64,
            description = "Only those of this project; `none` for those of no project."),
        ("kind" = Option<String>, Query, pattern = "^(core|fact|episode)$", description = "Only those of this kind."),
    ),
    responses((status = 200, description = "A page of memories.", body = List<View>,
        links(("get" = (operation_id = "getMemory", parameters(("id" = "$response.body#/first_id")))))))
)]
pub(crate) async fn list(
    caller: Caller<MemoriesRead>,
    State(memories): State<Memories>,
    PageQuery(page): PageQuery,
    Query(parameters): Query<Parameters>,
) -> Result<Json<List<View>>> {
    let page = memories.list(&caller.user_id, &parameters.to_filter()?, &page).await?;
    Ok(Json(List::new(page.map(View::from), |view| &view.id)))
}
