//! `GET /v1/projects/{project_id}/conversations`: the conversations of a project (E38).

use app::conversations::{Conversations, project_id};
use axum::extract::State;
use domain::{conversation::ProjectFilter, scope::ConversationsRead};
use http_kit::{Caller, Json, Offset, PageQuery, Path, Query, Result};
use wire::{conversation::ConversationView, list::List};

use crate::conversations::list::Parameters;

/// List the conversations of a project.
///
/// Without their items, like `GET /v1/conversations`.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/conversations", tag = "projects", operation_id = "listProjectConversations",
    params(
        ("project_id" = String, Path, max_length = 64, description = "The project's id."),
        PageQuery,
        Offset,
        ("sort" = Option<String>, Query, pattern = "^(created_at|updated_at)$",
            description = "The time that orders them: `created_at` (when not given) or `updated_at`."),
        ("referrer" = Option<String>, Query, description = "Only those with this referrer."),
        ("q" = Option<String>, Query, max_length = 256,
            description = "Only those with all these words, or words that begin so, in the title or in one message."),
    ),
    responses(
        (status = 200, description = "A page of conversations.", body = List<ConversationView>,
            links(("get" = (operation_id = "getConversation", parameters(("conv_id" = "$response.body#/first_id")))))),
        (status = 400, description = "`after` names no conversation of the caller's (`invalid_cursor`), or a parameter is \
            of no use; `param` names it."),
        (status = 404, description = "The caller has no such project (`project_not_found`)."),
    )
)]
pub(crate) async fn list(
    caller: Caller<ConversationsRead>,
    State(conversations): State<Conversations>,
    Path(project): Path<String>,
    PageQuery(page): PageQuery,
    offset: Offset,
    Query(parameters): Query<Parameters>,
) -> Result<Json<List<ConversationView>>> {
    let project = ProjectFilter::In(project_id(&project)?);
    let mut request = parameters.into_request(page, offset)?;
    request.filter.project = project;
    let page = conversations.list(&caller, &request).await?;
    Ok(Json(List::new(page.map(ConversationView::from), |view| &view.id)))
}
