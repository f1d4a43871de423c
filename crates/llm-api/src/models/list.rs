//! `GET /v1/models`: which models there are (E29).

use app::models::Models;
use axum::extract::State;
use domain::page::Page;
use domain::scope::ModelsRead;
use http_kit::{Caller, Json};
use serde::Serialize;
use utoipa::ToSchema;
use wire::list::List;

use super::view::View;

/// The models that can be asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelList)]
pub(crate) struct ModelList {
    /// Always `list`.
    #[schema(example = "list")]
    object: &'static str,
    /// The models, those of each provider together and in the order of their ids.
    data: Vec<View>,
    /// The first model's id.
    #[schema(required)]
    first_id: Option<String>,
    /// The last model's id.
    #[schema(required)]
    last_id: Option<String>,
    /// Always false: the list is whole.
    has_more: bool,
    /// Always null: there is no further page.
    #[schema(required)]
    next_after: Option<String>,
    /// How many there are.
    total: u64,
    /// Always empty. Codex reads its own kind of list here, and fails without one.
    #[schema(value_type = Vec<Object>)]
    models: [(); 0],
}

/// Which models are there?
///
/// The list is whole; there are no pages.
#[utoipa::path(
    get, path = "/v1/models", tag = "models", operation_id = "listModels",
    responses(
        (status = 200, description = "The models.", body = ModelList,
            links(("model" = (operation_id = "getModel", parameters(("model_id" = "$response.body#/first_id"))))))
    )
)]
pub(crate) async fn list(_: Caller<ModelsRead>, State(models): State<Models>) -> Json<ModelList> {
    let items: Vec<View> = models.list().iter().map(|model| View::of(model)).collect();
    let total = items.len() as u64;
    let list = List::new(Page { items, has_more: false, total: Some(total) }, |view| &view.id);
    Json(ModelList {
        object: list.object,
        data: list.data,
        first_id: list.first_id,
        last_id: list.last_id,
        has_more: list.has_more,
        next_after: list.next_after,
        total,
        models: [],
    })
}
