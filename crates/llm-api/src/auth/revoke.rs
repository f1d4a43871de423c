//! `POST /auth/revoke`: take a token back, in the manners of RFC 7009 (E06).

use axum::response::IntoResponse;
use domain::{Error, Kind};
use http::header;
use http_kit::{Json, MaybeJson, OfSession, Result};
use identity::Identity;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::offered::Offered;
use crate::acting::Acting;

/// The token to take back; the presented access token when there is none.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = RevokeRequest)]
pub(crate) struct Request {
    /// A refresh token.
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    /// A refresh token or an access token.
    #[schema(nullable = false)]
    token: Option<String>,
}

/// The token is not good any more.
#[derive(Serialize, ToSchema)]
#[schema(as = Revoked)]
pub(crate) struct View {
    #[schema(example = "The token is revoked.")]
    message: &'static str,
}

/// Revoke a token.
///
/// Ends the session that the token belongs to, with all of its tokens. Who has a token may revoke it, so the one in the
/// body needs no further credentials; a token that is unknown, lapsed or revoked before is answered in the same way.
#[utoipa::path(
    post, path = "/auth/revoke", tag = "auth", operation_id = "revokeToken",
    request_body(content = Option<Request>, description = "The token; empty for the presented access token."),
    responses((status = 200, description = "The token is not good any more, if it ever was.", body = View))
)]
pub(crate) async fn revoke(
    _: OfSession,
    Acting(identity): Acting,
    offered: Offered,
    MaybeJson(body): MaybeJson<Request>,
) -> Result<impl IntoResponse> {
    let Request { refresh_token, token } = body.unwrap_or_default();
    let named = [("refresh_token", refresh_token), ("token", token)];
    let mut named = named.into_iter().filter_map(|(field, text)| Some((field, text.filter(|text| !text.is_empty())?)));
    match named.next() {
        None => identity.end_session(offered.header()?).await?,
        Some(first) => {
            for (field, text) in std::iter::once(first).chain(named) {
                forget(&identity, field, &text).await?;
            }
        }
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(View { message: "The token is revoked." })))
}

/// Takes a token back, if it is one.
async fn forget(identity: &Identity, field: &'static str, text: &str) -> Result<()> {
    if text.starts_with("sk_") {
        // "Revoked" would leave its owner believing that the key is gone.
        let message = "An API key is no token. Revoke it with DELETE /auth/api-keys/{id}.";
        return Err(Error::invalid_parameter(field, message).into());
    }
    match identity.end_session(text).await {
        Err(error) if error.kind() != Kind::Unauthenticated => Err(error.into()),
        _ => Ok(()),
    }
}
