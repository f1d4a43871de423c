//! `GET /v1/conversations/{conv_id}/export`: a conversation as a file.

use std::fmt::Write as _;

use app::conversations::{Conversations, Export, Which, markdown};
use axum::{body::Body, extract::State, response::Response};
use bytes::Bytes;
use domain::{Error, conversation::Conversation, scope::ConversationsRead};
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderValue, header};
use http_kit::{Caller, Path, Query, Result};
use serde::Deserialize;

/// Longest name of a file, in characters.
const MAX_NAME: usize = 80;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    format: Option<String>,
    branch: Option<String>,
}

/// Export a conversation.
///
/// As `json` all branches, each with its items as the list of items shows them; as `markdown` a text for people: one branch,
/// without thoughts. The file comes as it is read: one that breaks off is not whole.
#[utoipa::path(
    get, path = "/v1/conversations/{conv_id}/export", tag = "conversations", operation_id = "exportConversation",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("format" = Option<String>, Query, pattern = "^(json|markdown)$", description = "`json` (when not given) or `markdown`."),
        ("branch" = Option<String>, Query, description = "The only branch that is exported. When not given, all are as JSON, \
            and the active one as Markdown."),
    ),
    responses(
        (status = 200, description = "The file.", content((Object = "application/json"), (String = "text/markdown"))),
        (status = 400, description = "The id is of another form (`invalid_id`), or `format` is none of these."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            branch (`branch_not_found`)."),
    )
)]
pub(crate) async fn export(
    caller: Caller<ConversationsRead>,
    State(conversations): State<Conversations>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response> {
    let branch = parameters.branch.as_deref().filter(|name| !name.is_empty());
    match parameters.format.as_deref() {
        None | Some("json") => {
            let export = conversations.export(&caller, &id, branch.map_or(Which::All, Which::Named)).await?;
            Ok(file(&export.conversation.clone(), "json", "application/json", export.json()))
        }
        Some("markdown") => {
            let export = conversations.export(&caller, &id, branch.map_or(Which::Active, Which::Named)).await?;
            Ok(file(&export.conversation.clone(), "md", "text/markdown; charset=utf-8", text(export)))
        }
        Some(_) => Err(Error::invalid_parameter("format", "format must be json or markdown.").into()),
    }
}

/// An answer that browsers keep as a file. What fails breaks it off: nothing looks like its end.
fn file<S>(conversation: &Conversation, ending: &str, kind: &'static str, pieces: S) -> Response
where
    S: Stream<Item = Result<Bytes, Error>> + Send + 'static,
{
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(name) = HeaderValue::try_from(disposition(conversation, ending)) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

/// Two names (RFC 6266): the conversation's id, and its title for those who can read it.
fn disposition(conversation: &Conversation, ending: &str) -> String {
    let mut disposition = format!("attachment; filename=\"{}.{ending}\"", conversation.id);
    let title = conversation.title.as_deref().unwrap_or_default();
    let title: String = title.chars().map(|letter| if letter.is_alphanumeric() { letter } else { ' ' }).collect();
    let title: String = title.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_NAME).collect();
    if !title.is_empty() {
        disposition.push_str("; filename*=UTF-8''");
        for byte in title.trim_end().bytes() {
            if byte.is_ascii_alphanumeric() {
                disposition.push(byte.into());
            } else {
                _ = write!(disposition, "%{byte:02X}");
            }
        }
        disposition.extend([".", ending]);
    }
    disposition
}

fn text(export: Export) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let head = Bytes::from(markdown::beginning(&export.conversation));
    let pages = export.pages().map(|page| Ok(page?.items.iter().map(markdown::item).collect::<String>().into()));
    stream::iter([Ok(head)]).chain(pages)
}
