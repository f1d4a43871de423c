//! `GET /v1/admin/audit-log`: who did what.

use domain::{
    Error,
    audit::{Act, Actor, Entry, Filter},
    ids::{self, UserId},
};
use http_kit::{Json, Offset, PageQuery, Query, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::list::List;

use crate::acting::AsAdmin;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    action: Option<String>,
    actor: Option<String>,
    target: Option<String>,
}

impl Parameters {
    fn to_filter(&self, Offset(skip): Offset) -> Result<Filter, Error> {
        let act = self
            .action
            .as_deref()
            .map(|name| Act::parse(name).ok_or_else(|| Error::invalid_parameter("action", "There is no such action.")));
        let target = self.target.as_deref().filter(|target| !target.is_empty());
        if target.is_some_and(|target| target.len() > ids::MAX_LENGTH || target.contains(char::is_control)) {
            return Err(Error::invalid_parameter("target", "target is no id."));
        }
        let actor = self.actor.as_deref().map(actor).transpose()?;
        Ok(Filter { act: act.transpose()?, actor, target: target.map(str::to_owned), skip })
    }
}

fn actor(text: &str) -> Result<Actor, Error> {
    let others = [Actor::CommandLine, Actor::Unknown];
    match others.into_iter().find(|actor| actor.kind() == text) {
        Some(actor) => Ok(actor),
        None => UserId::parse(text)
            .map(Actor::User)
            .map_err(|_| Error::invalid_parameter("actor", "actor is a user's id, command_line or unknown.")),
    }
}

/// Who did it.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditActor)]
struct ActorView {
    /// `user`; `command_line` for whoever ran a command on the server's machine; `unknown`.
    #[serde(rename = "type")]
    #[schema(example = "user")]
    kind: &'static str,
    /// The user's id.
    #[schema(required)]
    id: Option<String>,
}

/// An act.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditLogEntry)]
pub(crate) struct View {
    id: String,
    /// Always `audit_log.entry`.
    #[schema(example = "audit_log.entry")]
    object: &'static str,
    /// When it was done, in seconds since the Unix epoch.
    #[schema(example = 1_800_000_000)]
    created_at: i64,
    /// What was done.
    #[schema(example = "api_key.created")]
    action: &'static str,
    actor: ActorView,
    /// The id of the user, key or session it was done to.
    #[schema(required)]
    target: Option<String>,
    /// What of it: the new roles, the names of the changed fields.
    #[schema(required)]
    detail: Option<String>,
    /// The address of the connection, which may be a proxy's.
    #[schema(required)]
    ip_address: Option<String>,
    /// What the client called itself.
    #[schema(required)]
    user_agent: Option<String>,
    #[schema(required)]
    request_id: Option<String>,
}

impl From<Entry> for View {
    fn from(entry: Entry) -> Self {
        let origin = entry.origin;
        Self {
            id: entry.id.to_string(),
            object: "audit_log.entry",
            created_at: entry.created_at.seconds(),
            action: entry.act.as_str(),
            actor: ActorView { kind: origin.actor.kind(), id: origin.actor.user().map(UserId::to_string) },
            target: entry.target,
            detail: entry.detail,
            ip_address: origin.address.map(|address| address.to_string()),
            user_agent: origin.user_agent,
            request_id: origin.request_id,
        }
    }
}

/// Show the log of acts that matter to security.
///
/// For administrators. Lines are added and never changed. A refused password is noted once for each account and minute.
#[utoipa::path(
    get, path = "/v1/admin/audit-log", tag = "admin", operation_id = "listAuditLog",
    params(
        PageQuery,
        Offset,
        ("action" = Option<String>, Query, description = "Only this action, such as `api_key.created`."),
        ("actor" = Option<String>, Query, description = "Only by this user, by its id; or `command_line`, or `unknown`."),
        ("target" = Option<String>, Query, max_length = 64, description = "Only what was done to this, by its id."),
    ),
    responses(
        (status = 200, description = "A page of the log.", body = List<View>),
    )
)]
pub(crate) async fn list(
    AsAdmin(identity): AsAdmin,
    PageQuery(page): PageQuery,
    offset: Offset,
    Query(parameters): Query<Parameters>,
) -> Result<Json<List<View>>> {
    let entries = identity.audit_log(&parameters.to_filter(offset)?, &page).await?;
    Ok(Json(List::new(entries.map(View::from), |view| &view.id)))
}
