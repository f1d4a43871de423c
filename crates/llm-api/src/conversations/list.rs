//! `GET /v1/conversations`: the caller's conversations (E13).

use app::conversations::{Conversations, ListRequest, project_id};
use axum::extract::State;
use domain::{
    Error,
    conversation::{Filter, ProjectFilter, Sort},
    page::PageRequest,
    scope::ConversationsRead,
};
use http_kit::{Caller, Json, Offset, PageQuery, Query, Result};
use serde::Deserialize;
use wire::{conversation::ConversationView, list::List};

/// What a list of conversations can be asked for beside its page.
#[derive(Deserialize)]
pub(crate) struct Parameters {
    sort: Option<String>,
    referrer: Option<String>,
    project_id: Option<String>,
    scope: Option<String>,
    q: Option<String>,
}

impl Parameters {
    /// The request that they make of a page.
    ///
    /// # Errors
    /// 400 that names the parameter, `project_not_found`.
    pub(crate) fn into_request(self, page: PageRequest, Offset(skip): Offset) -> Result<ListRequest, Error> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let scope = match self.scope.as_deref() {
            None | Some("" | "all") => ProjectFilter::Any,
            Some("project") => ProjectFilter::InSome,
            Some("none") => ProjectFilter::InNone,
            Some(_) => return Err(Error::invalid_parameter("scope", "scope must be all, project or none.")),
        };
        let project = match (given(self.project_id), scope) {
            (None, scope) => scope,
            (Some(_), ProjectFilter::InNone) => {
                return Err(Error::invalid_parameter("scope", "scope=none leaves out every project."));
            }
            (Some(id), _) => ProjectFilter::In(project_id(&id)?),
        };
        let sort = match self.sort.as_deref() {
            None | Some("" | "created_at") => Sort::Created,
            Some("updated_at") => Sort::Updated,
            Some(_) => return Err(Error::invalid_parameter("sort", "sort must be created_at or updated_at.")),
        };
        let filter = Filter { project, referrer: given(self.referrer), text: given(self.q) };
        Ok(ListRequest { filter, sort, page, skip })
    }
}

/// List my conversations.
///
/// Without their items.
#[utoipa::path(
    get, path = "/v1/conversations", tag = "conversations", operation_id = "listConversations",
    params(
        PageQuery,
        Offset,
        ("sort" = Option<String>, Query, pattern = "^(created_at|updated_at)$",
            description = "The time that orders them: `created_at` (when not given) or `updated_at`."),
        ("referrer" = Option<String>, Query, description = "Only those with this referrer."),
        ("project_id" = Option<String>, Query, description = "Only those of this project."),
        ("scope" = Option<String>, Query, pattern = "^(all|project|none)$",
            description = "Only those in some project (`project`) or in none (`none`)."),
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
    PageQuery(page): PageQuery,
    offset: Offset,
    Query(parameters): Query<Parameters>,
) -> Result<Json<List<ConversationView>>> {
    let page = conversations.list(&caller, &parameters.into_request(page, offset)?).await?;
    Ok(Json(List::new(page.map(ConversationView::from), |view| &view.id)))
}
