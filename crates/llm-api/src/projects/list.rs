//! `GET /v1/projects`: the caller's projects (E33).

use app::projects::Projects;
use axum::extract::State;
use domain::{Error, project::Filter, scope::ProjectsRead};
use http_kit::{Caller, Json, PageQuery, Query, Result};
use serde::Deserialize;
use wire::list::List;

use super::view::View;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    archived: Option<String>,
    favorite: Option<String>,
}

impl Parameters {
    fn to_filter(&self) -> Result<Filter, Error> {
        Ok(Filter {
            archived: wanted("archived", self.archived.as_deref())?,
            favorite: wanted("favorite", self.favorite.as_deref())?,
        })
    }
}

fn wanted(name: &'static str, value: Option<&str>) -> Result<Option<bool>, Error> {
    match value {
        None | Some("all") => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Error::invalid_parameter(name, format!("{name} is true, false or all."))),
    }
}

/// List my projects.
#[utoipa::path(
    get, path = "/v1/projects", tag = "projects", operation_id = "listProjects",
    params(
        PageQuery,
        ("archived" = Option<String>, Query, pattern = "^(true|false|all)$",
            description = "Only projects that are put away, only others, or `all` (when not given)."),
        ("favorite" = Option<String>, Query, pattern = "^(true|false|all)$",
            description = "Only favourites, only others, or `all` (when not given)."),
    ),
    responses(
        (status = 200, description = "A page of projects.", body = List<View>,
            links(("get" = (operation_id = "getProject", parameters(("project_id" = "$response.body#/first_id")))))),
        (status = 400, description = "`after` names no project of the caller's (`invalid_cursor`), or a parameter is of \
            no use; `param` names it."),
    )
)]
pub(crate) async fn list(
    caller: Caller<ProjectsRead>,
    State(projects): State<Projects>,
    PageQuery(page): PageQuery,
    Query(parameters): Query<Parameters>,
) -> Result<Json<List<View>>> {
    let page = projects.list(&caller, &parameters.to_filter()?, &page).await?;
    Ok(Json(List::new(page.map(View::from), |view| &view.id)))
}
