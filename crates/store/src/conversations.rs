//! The table `conversations`. A deleted one stays as a row that nothing shows, until it is purged.

use std::collections::BTreeMap;

use domain::{
    Timestamp,
    conversation::Conversation,
    ids::{ConversationId, ProjectId, UserId},
    item::{Item, NewItem},
};

use crate::{
    Reader, Result, Tx,
    history::FIRST_LINE,
    items::Place,
    row::row,
    search::Entry,
    statement::{Json, query},
    text,
};

const INSERT: &str = "INSERT INTO conversations
    (id, user_id, title, project_id, referrer, metadata, is_private, active_line, active_branch, item_count, next_line,
        next_sequence, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $11, 1, 1 + $11, $9, $10)";
const GET: &str =
    "SELECT key, id, user_id, title, project_id, referrer, metadata, is_private, active_branch, item_count,
        created_at, updated_at
    FROM conversations WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL";
const GET_LOCKED: &str =
    "SELECT key, id, user_id, title, project_id, referrer, metadata, is_private, active_branch, item_count,
        created_at, updated_at
    FROM conversations WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL FOR UPDATE";
const UPDATE: &str = "UPDATE conversations
    SET title = $3, project_id = $4, referrer = $5, metadata = $6, is_private = $7, updated_at = $8
    WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING key";
const DELETE: &str = "UPDATE conversations SET deleted_at = $3 WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL";
// The `+` leads SQLite to those that are named, where it would go through all of the owner's.
const DELETE_MANY_SQLITE: &str = "UPDATE conversations SET deleted_at = $3
    WHERE +user_id = $1 AND id IN (SELECT value FROM json_each($2)) AND deleted_at IS NULL RETURNING id";
const DELETE_MANY_POSTGRES: &str = "UPDATE conversations SET deleted_at = $3
    WHERE user_id = $1 AND id = ANY($2) AND deleted_at IS NULL RETURNING id";
const DELETE_ALL: &str = "UPDATE conversations SET deleted_at = $2 WHERE user_id = $1 AND deleted_at IS NULL";
// Rows are locked in one order: transactions that lock some of the same would wait for each other otherwise.
const LOCK_MANY: &str = "SELECT key FROM conversations
    WHERE user_id = $1 AND id = ANY($2) AND deleted_at IS NULL ORDER BY key FOR UPDATE";
const LOCK_ALL: &str = "SELECT COUNT(*) FROM
    (SELECT key FROM conversations WHERE user_id = $1 AND deleted_at IS NULL ORDER BY key FOR UPDATE) locked";
const PURGE_ITEMS: &str = "DELETE FROM conversation_items WHERE key IN (
    SELECT i.key FROM conversations c JOIN conversation_items i ON i.conversation = c.key
    WHERE c.deleted_at <= $1 LIMIT $2)";
const PURGE: &str = "DELETE FROM conversations WHERE key IN (
    SELECT c.key FROM conversations c WHERE c.deleted_at <= $1
        AND NOT EXISTS (SELECT 1 FROM conversation_items i WHERE i.conversation = c.key)
    LIMIT $2)";

row! {
    /// A row of the table.
    pub(crate) struct ConversationRow {
        pub(crate) key: i64,
        id: String,
        user_id: String,
        title: Option<String>,
        project_id: Option<String>,
        referrer: Option<String>,
        metadata: Json<BTreeMap<String, String>>,
        is_private: bool,
        active_branch: String,
        item_count: i64,
        created_at: i64,
        updated_at: i64,
    }
}

impl ConversationRow {
    pub(crate) fn into_conversation(self) -> Result<Conversation> {
        let project_id = self.project_id.map(|id| text::id(&id, "conversations.project_id")).transpose()?;
        Ok(Conversation {
            id: text::id(&self.id, "conversations.id")?,
            user_id: text::id(&self.user_id, "conversations.user_id")?,
            title: self.title,
            project_id,
            referrer: self.referrer,
            metadata: self.metadata.0,
            is_private: self.is_private,
            active_branch: self.active_branch,
            item_count: self.item_count.unsigned_abs(),
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

impl Reader {
    /// The owner's conversation, unless it was deleted.
    pub async fn conversation(&mut self, owner: &UserId, id: &ConversationId) -> Result<Option<Conversation>> {
        let row: Option<ConversationRow> =
            query(GET).bind(owner.as_str()).bind(id.as_str()).fetch_optional(self).await?;
        row.map(ConversationRow::into_conversation).transpose()
    }
}

impl Tx {
    /// The owner's conversation; other transactions that change it wait for this one. SQLite has one writer and needs no
    /// lock (nor knows `FOR UPDATE`).
    pub async fn lock_conversation(&mut self, owner: &UserId, id: &ConversationId) -> Result<Option<Conversation>> {
        let statement = if self.is_postgres() { GET_LOCKED } else { GET };
        let row: Option<ConversationRow> =
            query(statement).bind(owner.as_str()).bind(id.as_str()).fetch_optional(self).await?;
        row.map(ConversationRow::into_conversation).transpose()
    }

    /// Adds a conversation with its first items; its active branch is the first.
    pub async fn insert_conversation(&mut self, conversation: &Conversation, items: Vec<NewItem>) -> Result<Vec<Item>> {
        let key = query(INSERT)
            .bind(conversation.id.as_str())
            .bind(conversation.user_id.as_str())
            .bind(&conversation.title)
            .bind(conversation.project_id.as_ref().map(ProjectId::as_str))
            .bind(&conversation.referrer)
            .bind(Json(&conversation.metadata))
            .bind(conversation.is_private)
            .bind(&conversation.active_branch)
            .bind(conversation.created_at.micros())
            .bind(conversation.updated_at.micros())
            .bind(i64::try_from(items.len()).unwrap_or(i64::MAX))
            .insert(self)
            .await?;
        let (owner, branch) = (&conversation.user_id, &conversation.active_branch);
        let title = conversation.title.as_deref();
        self.insert_items(&Place { owner, conversation: key, title, line: FIRST_LINE, branch, first: 1 }, items).await
    }

    /// Writes the fields that clients change, and `updated_at`; `false` when the owner has no such conversation.
    pub async fn update_conversation(&mut self, conversation: &Conversation) -> Result<bool> {
        let key: Option<i64> = query(UPDATE)
            .bind(conversation.user_id.as_str())
            .bind(conversation.id.as_str())
            .bind(&conversation.title)
            .bind(conversation.project_id.as_ref().map(ProjectId::as_str))
            .bind(&conversation.referrer)
            .bind(Json(&conversation.metadata))
            .bind(conversation.is_private)
            .bind(conversation.updated_at.micros())
            .fetch_optional(self)
            .await?;
        let Some(key) = key else { return Ok(false) };
        let title = Entry::title(key, conversation.title.as_deref().unwrap_or_default());
        self.index(&conversation.user_id, &[title]).await?;
        Ok(true)
    }

    /// Deletes the owner's conversation; `false` when there is none, or none any more. What is shared of it is to be
    /// found through it and so is gone too.
    pub async fn delete_conversation(&mut self, owner: &UserId, id: &ConversationId, now: Timestamp) -> Result<bool> {
        let deleted = query(DELETE).bind(owner.as_str()).bind(id.as_str()).bind(now.micros()).execute(self).await?;
        Ok(deleted > 0)
    }

    /// Deletes those of the owner's conversations that are named, in one statement; says which.
    pub async fn delete_conversations(
        &mut self,
        owner: &UserId,
        ids: &[ConversationId],
        now: Timestamp,
    ) -> Result<Vec<ConversationId>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = ids.iter().map(ConversationId::as_str).collect();
        let mut delete = DELETE_MANY_SQLITE;
        if self.is_postgres() {
            query(LOCK_MANY).bind(owner.as_str()).bind(ids.clone()).execute(self).await?;
            delete = DELETE_MANY_POSTGRES;
        }
        let deleted: Vec<String> =
            query(delete).bind(owner.as_str()).bind(ids).bind(now.micros()).fetch_all(self).await?;
        deleted.iter().map(|id| text::id(id, "conversations.id")).collect()
    }

    /// Deletes all of the owner's conversations; says how many those were.
    pub async fn delete_all_conversations(&mut self, owner: &UserId, now: Timestamp) -> Result<u64> {
        if self.is_postgres() {
            query(LOCK_ALL).bind(owner.as_str()).execute(self).await?;
        }
        query(DELETE_ALL).bind(owner.as_str()).bind(now.micros()).long().execute(self).await
    }

    /// Removes what was deleted until `before` for good: at most `limit` items, and when there are none left, at most
    /// `limit` conversations. Says how many rows went; 0 when nothing is left to do.
    pub async fn purge_conversations(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        for statement in [PURGE_ITEMS, PURGE] {
            let gone = query(statement).bind(before.micros()).bind(i64::from(limit)).long().execute(self).await?;
            if gone > 0 {
                return Ok(gone);
            }
        }
        Ok(0)
    }
}
