//! The tables `shares`, `share_snapshots` and `share_images`.
//!
//! What is seen of a share depends on its conversation and its owner, too: statements ask for them, so that deleting a
//! conversation or disabling a user needs nothing done here.

use domain::{
    Timestamp,
    ids::{ConversationId, ItemId, ShareId, UserId},
    page::{Page, PageRequest},
    share::{Image, Name, Share, Slug},
};

use crate::{Reader, Result, StoreError, Tx, row::row, statement::query, text};

/// A share's columns, without a condition.
macro_rules! select {
    ($($rest:literal)*) => {
        concat!(
            "SELECT s.id, s.slug, s.user_id, s.conversation_id, s.item_id, s.title, s.include_images, s.include_context,
                s.view_count, s.last_viewed_at, s.created_at, s.updated_at, s.expires_at, s.revoked_at
            FROM shares s JOIN conversations c ON c.id = s.conversation_id AND c.deleted_at IS NULL ",
            $($rest,)*
        )
    };
}

const INSERT: &str = "INSERT INTO shares (id, slug, user_id, conversation_id, item_id, title, include_images,
        include_context, view_count, created_at, updated_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $9, $10)";
const INSERT_SNAPSHOT: &str = "INSERT INTO share_snapshots (share_id, content) VALUES ($1, $2)";
const INSERT_IMAGE: &str = "INSERT INTO share_images (share_id, number, mime_type, content) VALUES ($1, $2, $3, $4)";
const OPEN: &str = select!("JOIN users u ON u.id = s.user_id AND u.disabled_at IS NULL WHERE s.id = $1 OR s.slug = $1");
const WAS_THERE: &str = "SELECT s.id FROM shares s JOIN users u ON u.id = s.user_id AND u.disabled_at IS NULL
    WHERE s.id = $1 OR s.slug = $1";
const SNAPSHOT: &str = "SELECT content FROM share_snapshots WHERE share_id = $1";
const IMAGE: &str = "SELECT mime_type, content FROM share_images WHERE share_id = $1 AND number = $2";
const COUNT_LIVE: &str = "SELECT COUNT(*) FROM shares
    WHERE user_id = $1 AND conversation_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)";
const EXISTS: &str = select!("WHERE s.user_id = $1 AND s.id = $2 AND ($3 IS NULL OR s.conversation_id = $3)");
const LIST_DOWN: &str = select!(
    "WHERE s.user_id = $1 AND ($2 IS NULL OR s.conversation_id = $2)
        AND ($3 OR (s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > $4)))
        AND ($5 IS NULL OR s.id < $5)
    ORDER BY s.id DESC LIMIT $6"
);
const LIST_UP: &str = select!(
    "WHERE s.user_id = $1 AND ($2 IS NULL OR s.conversation_id = $2)
        AND ($3 OR (s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > $4)))
        AND ($5 IS NULL OR s.id > $5)
    ORDER BY s.id LIMIT $6"
);
const REVOKE: &str = "UPDATE shares SET revoked_at = $3, updated_at = $3
    WHERE user_id = $1 AND (id = $2 OR slug = $2) AND ($4 IS NULL OR conversation_id = $4) AND revoked_at IS NULL
        AND EXISTS (SELECT 1 FROM conversations c WHERE c.id = shares.conversation_id AND c.deleted_at IS NULL)
    RETURNING id";
const REVOKE_ALL: &str = "UPDATE shares SET revoked_at = $3, updated_at = $3
    WHERE user_id = $1 AND conversation_id = $2 AND revoked_at IS NULL";
// In one order, as views are counted: transactions that lock some of the same would wait for each other otherwise.
const LOCK_ALL: &str = "SELECT id FROM shares
    WHERE user_id = $1 AND conversation_id = $2 AND revoked_at IS NULL ORDER BY id FOR UPDATE";
const VIEWED: &str = "UPDATE shares SET view_count = view_count + $2,
        last_viewed_at = CASE WHEN last_viewed_at > $3 THEN last_viewed_at ELSE $3 END
    WHERE id = $1";
/// Deletes the rows of dead shares in this table: of ended ones, and of those whose conversation is deleted.
macro_rules! forget {
    ($table:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE share_id IN (
                SELECT s.id FROM shares s JOIN ",
            $table,
            " n ON n.share_id = s.id
                    WHERE s.revoked_at <= $1 OR s.expires_at <= $1
                UNION ALL
                SELECT s.id FROM conversations c JOIN shares s ON s.conversation_id = c.id
                    JOIN ",
            $table,
            " n ON n.share_id = s.id
                    WHERE c.deleted_at <= $1
                LIMIT $2)"
        )
    };
}
const FORGET_SNAPSHOTS: &str = forget!("share_snapshots");
const FORGET_IMAGES: &str = forget!("share_images");

/// Which of an owner's shares a list shows.
#[derive(Clone, Copy, Debug)]
pub struct ShareFilter<'a> {
    /// Only those of this conversation.
    pub conversation: Option<&'a ConversationId>,
    /// Those that were taken back or have expired, too.
    pub all: bool,
    /// The moment that decides about the latter.
    pub now: Timestamp,
}

/// What somebody finds at a share's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenShare {
    /// The share, live or not.
    Share(Box<Share>),
    /// One whose conversation is deleted.
    Deleted,
    /// Nothing, or what somebody shared who is not allowed in any more.
    Nothing,
}

row! {
    struct ShareRow {
        id: String,
        slug: String,
        user_id: String,
        conversation_id: String,
        item_id: Option<String>,
        title: String,
        include_images: bool,
        include_context: bool,
        view_count: i64,
        last_viewed_at: Option<i64>,
        created_at: i64,
        updated_at: i64,
        expires_at: Option<i64>,
        revoked_at: Option<i64>,
    }
}

impl ShareRow {
    fn into_share(self) -> Result<Share> {
        Ok(Share {
            id: text::id(&self.id, "shares.id")?,
            slug: Slug::parse(&self.slug).ok_or(StoreError::Corrupt { column: "shares.slug" })?,
            user_id: text::id(&self.user_id, "shares.user_id")?,
            conversation_id: text::id(&self.conversation_id, "shares.conversation_id")?,
            item_id: self.item_id.map(|id| text::id(&id, "shares.item_id")).transpose()?,
            title: self.title,
            include_images: self.include_images,
            include_context: self.include_context,
            view_count: self.view_count.unsigned_abs(),
            last_viewed_at: self.last_viewed_at.map(Timestamp::from_micros),
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
            expires_at: self.expires_at.map(Timestamp::from_micros),
            revoked_at: self.revoked_at.map(Timestamp::from_micros),
        })
    }
}

impl Reader {
    /// What is at a share's address, for anybody: there is no owner to begin with.
    pub async fn open_share(&mut self, name: &Name) -> Result<OpenShare> {
        let row: Option<ShareRow> = query(OPEN).bind(name.as_str()).fetch_optional(self).await?;
        if let Some(row) = row {
            return Ok(OpenShare::Share(Box::new(row.into_share()?)));
        }
        let was_there: Option<String> = query(WAS_THERE).bind(name.as_str()).fetch_optional(self).await?;
        Ok(if was_there.is_some() { OpenShare::Deleted } else { OpenShare::Nothing })
    }

    /// A share's snapshot, for whoever may see the share.
    pub async fn share_snapshot(&mut self, share: &ShareId) -> Result<Option<String>> {
        query(SNAPSHOT).bind(share.as_str()).fetch_optional(self).await
    }

    /// One of a share's images, for whoever may see the share.
    pub async fn share_image(&mut self, share: &ShareId, number: u32) -> Result<Option<Image>> {
        let row: Option<(String, Vec<u8>)> =
            query(IMAGE).bind(share.as_str()).bind(i64::from(number)).fetch_optional(self).await?;
        Ok(row.map(|(mime_type, content)| Image { mime_type, content }))
    }

    /// How many live shares the owner's conversation has.
    pub async fn count_live_shares(
        &mut self,
        owner: &UserId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<u64> {
        let count: i64 = query(COUNT_LIVE)
            .bind(owner.as_str())
            .bind(conversation.as_str())
            .bind(now.micros())
            .fetch_one(self)
            .await?;
        Ok(count.unsigned_abs())
    }

    /// A page of the owner's shares. `None` when `after` names none of those.
    pub async fn shares(
        &mut self,
        owner: &UserId,
        filter: ShareFilter<'_>,
        page: &PageRequest,
    ) -> Result<Option<Page<Share>>> {
        let conversation = filter.conversation.map(ConversationId::as_str);
        if let Some(after) = &page.after {
            let found: Option<ShareRow> =
                query(EXISTS).bind(owner.as_str()).bind(after).bind(conversation).fetch_optional(self).await?;
            if found.is_none() {
                return Ok(None);
            }
        }
        let list = page.order.pick(LIST_UP, LIST_DOWN);
        let rows: Vec<ShareRow> = query(list)
            .bind(owner.as_str())
            .bind(conversation)
            .bind(filter.all)
            .bind(filter.now.micros())
            .bind(&page.after)
            .bind(page.lookahead())
            .fetch_all(self)
            .await?;
        let shares = rows.into_iter().map(ShareRow::into_share).collect::<Result<Vec<_>>>()?;
        Ok(Some(Page::from_lookahead(shares, page.limit)))
    }
}

impl Tx {
    /// Adds a share with its snapshot and its images, which are numbered from 1 on.
    pub async fn insert_share(&mut self, share: &Share, snapshot: &str, images: &[Image]) -> Result<()> {
        query(INSERT)
            .bind(share.id.as_str())
            .bind(share.slug.as_str())
            .bind(share.user_id.as_str())
            .bind(share.conversation_id.as_str())
            .bind(share.item_id.as_ref().map(ItemId::as_str))
            .bind(&share.title)
            .bind(share.include_images)
            .bind(share.include_context)
            .bind(share.created_at.micros())
            .bind(share.expires_at.map(Timestamp::micros))
            .execute(self)
            .await?;
        query(INSERT_SNAPSHOT).bind(share.id.as_str()).bind(snapshot).execute(self).await?;
        for (number, image) in (1i64..).zip(images) {
            query(INSERT_IMAGE)
                .bind(share.id.as_str())
                .bind(number)
                .bind(&image.mime_type)
                .bind(&image.content)
                .execute(self)
                .await?;
        }
        Ok(())
    }

    /// Takes a share of the owner's back, if it is of that conversation; its id, or none when there is none to take back.
    pub async fn revoke_share(
        &mut self,
        owner: &UserId,
        conversation: Option<&ConversationId>,
        name: &Name,
        now: Timestamp,
    ) -> Result<Option<ShareId>> {
        let revoked: Option<String> = query(REVOKE)
            .bind(owner.as_str())
            .bind(name.as_str())
            .bind(now.micros())
            .bind(conversation.map(ConversationId::as_str))
            .fetch_optional(self)
            .await?;
        revoked.map(|id| text::id(&id, "shares.id")).transpose()
    }

    /// Takes all shares of the owner's conversation back; says how many.
    pub async fn revoke_shares(
        &mut self,
        owner: &UserId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<u64> {
        if self.is_postgres() {
            query(LOCK_ALL).bind(owner.as_str()).bind(conversation.as_str()).execute(self).await?;
        }
        query(REVOKE_ALL).bind(owner.as_str()).bind(conversation.as_str()).bind(now.micros()).execute(self).await
    }

    /// Adds to the views of a share; never moves the time of the last one back.
    pub async fn count_share_views(&mut self, share: &ShareId, views: u64, last: Timestamp) -> Result<()> {
        query(VIEWED)
            .bind(share.as_str())
            .bind(i64::try_from(views).unwrap_or(i64::MAX))
            .bind(last.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Removes what at most `limit` shares showed that were taken back or expired before `before`; says how many.
    pub async fn forget_dead_snapshots(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        let mut forgotten = 0;
        for statement in [FORGET_SNAPSHOTS, FORGET_IMAGES] {
            let gone = query(statement).bind(before.micros()).bind(i64::from(limit)).long().execute(self).await?;
            forgotten = forgotten.max(gone);
        }
        Ok(forgotten)
    }
}
