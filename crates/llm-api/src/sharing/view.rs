//! A share as its maker sees it.

use app::sharing::Sharing;
use domain::{Timestamp, share::Share};
use serde::Serialize;
use utoipa::ToSchema;

/// A share. Times are seconds since the Unix epoch.
#[derive(Serialize, ToSchema)]
#[schema(as = Share)]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
pub(crate) struct View {
    #[schema(example = "shr_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    pub(super) id: String,
    /// The same as `id`.
    share_id: String,
    /// Always `share`.
    #[schema(example = "share")]
    object: &'static str,
    /// What the link holds: whoever has it sees the share.
    #[schema(example = "3kTMd9sLqX0aZbYcWvUe1f")]
    slug: String,
    /// The link.
    #[schema(example = "https://jan.example/v1/share/3kTMd9sLqX0aZbYcWvUe1f")]
    share_url: String,
    /// The same as `share_url`.
    url: String,
    #[schema(example = "Why is the sky blue?")]
    title: String,
    #[schema(example = "conv_0mhk2v1qs5x3n8r7")]
    conversation_id: String,
    /// `conversation`, or `item` for a single answer.
    #[schema(example = "conversation")]
    scope: &'static str,
    /// The single answer.
    #[schema(required)]
    item_id: Option<String>,
    /// Always `unlisted`: whoever has the link sees it, and nobody else is told.
    #[schema(example = "unlisted")]
    visibility: &'static str,
    /// Always true.
    read_only: bool,
    /// Always 1.
    snapshot_version: u32,
    share_options: OptionsView,
    /// How often it was looked at, a second or two ago.
    view_count: u64,
    #[schema(required)]
    last_viewed_at: Option<i64>,
    /// From when on nobody sees it; null for never.
    #[schema(required)]
    expires_at: Option<i64>,
    /// When it was taken back.
    #[schema(required)]
    revoked_at: Option<i64>,
    #[schema(example = 1_800_000_000)]
    created_at: i64,
    #[schema(example = 1_800_000_000)]
    updated_at: i64,
}

/// What is part of the share beside the messages.
#[derive(Serialize, ToSchema)]
#[schema(as = ShareOptions)]
struct OptionsView {
    include_images: bool,
    include_context_messages: bool,
}

impl View {
    pub(super) fn new(sharing: &Sharing, share: Share) -> Self {
        let address = sharing.address(&share);
        Self {
            id: share.id.to_string(),
            share_id: share.id.to_string(),
            object: "share",
            slug: share.slug.to_string(),
            share_url: address.clone(),
            url: address,
            title: share.title,
            conversation_id: share.conversation_id.to_string(),
            scope: if share.item_id.is_some() { "item" } else { "conversation" },
            item_id: share.item_id.map(|id| id.to_string()),
            visibility: "unlisted",
            read_only: true,
            snapshot_version: 1,
            share_options: OptionsView {
                include_images: share.include_images,
                include_context_messages: share.include_context,
            },
            view_count: share.view_count,
            last_viewed_at: share.last_viewed_at.map(Timestamp::seconds),
            expires_at: share.expires_at.map(Timestamp::seconds),
            revoked_at: share.revoked_at.map(Timestamp::seconds),
            created_at: share.created_at.seconds(),
            updated_at: share.updated_at.seconds(),
        }
    }
}
