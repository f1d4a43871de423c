//! The table `memories`.

use domain::{
    Timestamp,
    ids::{MemoryId, ProjectId, UserId},
    memory::{Meaning, Memory, MemoryKind, MemorySource},
    page::{Page, PageRequest},
};

use crate::{Reader, Result, StoreError, Tx, row::row, statement::query, text};

/// A statement about memories, without those of deleted projects.
macro_rules! live {
    ($select:literal $($rest:literal)*) => {
        concat!(
            $select,
            " FROM memories WHERE user_id = $1 AND NOT EXISTS
                (SELECT 1 FROM projects p WHERE p.id = memories.project_id AND p.deleted_at IS NOT NULL)",
            $($rest,)*
        )
    };
}

const GET: &str = live!(
    "SELECT id, user_id, project_id, kind, content, source, embedder, vector, created_at, updated_at" " AND id = $2"
);
const LIST_DOWN: &str = live!(
    "SELECT id, user_id, project_id, kind, content, source, NULL AS embedder, NULL AS vector, created_at, updated_at"
    " AND ($2 IS NULL OR project_id = $2) AND ($3 IS NULL OR kind = $3) AND ($4 IS NULL OR id < $4)
    ORDER BY id DESC LIMIT $5"
);
const LIST_UP: &str = live!(
    "SELECT id, user_id, project_id, kind, content, source, NULL AS embedder, NULL AS vector, created_at, updated_at"
    " AND ($2 IS NULL OR project_id = $2) AND ($3 IS NULL OR kind = $3) AND ($4 IS NULL OR id > $4)
    ORDER BY id LIMIT $5"
);
const ALL: &str = live!(
    "SELECT id, user_id, project_id, kind, content, source, embedder, vector, created_at, updated_at"
    " ORDER BY id DESC LIMIT $2"
);
const COUNT: &str = live!("SELECT COUNT(*)");
const KNOWN: &str = "SELECT id FROM memories WHERE user_id = $1 AND project_id = $2 AND digest = $3";
const INSERT: &str = "INSERT INTO memories
    (id, user_id, project_id, kind, content, digest, source, embedder, vector, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
const UPDATE: &str = "UPDATE memories
    SET kind = $3, content = $4, digest = $5, embedder = $6, vector = $7, updated_at = $8
    WHERE user_id = $1 AND id = $2";
const PUT_MEANING: &str = "UPDATE memories SET embedder = $4, vector = $5
    WHERE user_id = $1 AND id = $2 AND updated_at = $3";
const DELETE: &str = "DELETE FROM memories WHERE user_id = $1 AND id = $2";
const DELETE_ALL: &str = "DELETE FROM memories WHERE user_id = $1 AND ($2 IS NULL OR project_id = $2)";

/// Where memories belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemoryPlace {
    /// To no project.
    Everywhere,
    /// To this project.
    Project(ProjectId),
}

/// Which memories; all by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryFilter {
    /// Only those that belong here.
    pub place: Option<MemoryPlace>,
    /// Only those of this kind.
    pub kind: Option<MemoryKind>,
}

row! {
    struct MemoryRow {
        id: String,
        user_id: String,
        project_id: String,
        kind: String,
        content: String,
        source: String,
        embedder: Option<String>,
        vector: Option<Vec<u8>>,
        created_at: i64,
        updated_at: i64,
    }
}

impl MemoryRow {
    fn into_memory(self) -> Result<Memory> {
        let corrupt = |column| StoreError::Corrupt { column };
        let project = Some(self.project_id).filter(|id| !id.is_empty());
        Ok(Memory {
            id: text::id(&self.id, "memories.id")?,
            user_id: text::id(&self.user_id, "memories.user_id")?,
            project_id: project.map(|id| text::id(&id, "memories.project_id")).transpose()?,
            kind: MemoryKind::parse(&self.kind).ok_or_else(|| corrupt("memories.kind"))?,
            content: self.content,
            source: MemorySource::parse(&self.source).ok_or_else(|| corrupt("memories.source"))?,
            meaning: self.embedder.zip(self.vector).map(|(embedder, bytes)| from_columns(embedder, &bytes)),
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

fn from_columns(embedder: String, bytes: &[u8]) -> Meaning {
    let vector = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    Meaning { embedder, vector }
}

fn to_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn project_column(project: Option<&ProjectId>) -> &str {
    project.map(ProjectId::as_str).unwrap_or_default()
}

fn place_column(place: &MemoryPlace) -> &str {
    match place {
        MemoryPlace::Everywhere => project_column(None),
        MemoryPlace::Project(id) => project_column(Some(id)),
    }
}

impl Reader {
    /// One of the owner's memories.
    pub async fn memory(&mut self, owner: &UserId, id: &MemoryId) -> Result<Option<Memory>> {
        let row: Option<MemoryRow> = query(GET).bind(owner.as_str()).bind(id.as_str()).fetch_optional(self).await?;
        row.map(MemoryRow::into_memory).transpose()
    }

    /// A page of the owner's memories, without what they mean.
    pub async fn memories(
        &mut self,
        owner: &UserId,
        filter: &MemoryFilter,
        page: &PageRequest,
    ) -> Result<Page<Memory>> {
        let list = page.order.pick(LIST_UP, LIST_DOWN);
        let rows: Vec<MemoryRow> = query(list)
            .bind(owner.as_str())
            .bind(filter.place.as_ref().map(place_column))
            .bind(filter.kind.map(MemoryKind::as_str))
            .bind(&page.after)
            .bind(page.lookahead())
            .fetch_all(self)
            .await?;
        let page = Page::from_lookahead(rows, page.limit);
        let items = page.items.into_iter().map(MemoryRow::into_memory).collect::<Result<_>>()?;
        Ok(Page { items, has_more: page.has_more, total: None })
    }

    /// The owner's newest memories, with what they mean.
    pub async fn all_memories(&mut self, owner: &UserId, limit: u32) -> Result<Vec<Memory>> {
        let rows: Vec<MemoryRow> = query(ALL).bind(owner.as_str()).bind(i64::from(limit)).fetch_all(self).await?;
        rows.into_iter().map(MemoryRow::into_memory).collect()
    }

    /// How many memories the owner has.
    pub async fn count_memories(&mut self, owner: &UserId) -> Result<u64> {
        let count: i64 = query(COUNT).bind(owner.as_str()).fetch_one(self).await?;
        Ok(count.try_into().unwrap_or(0))
    }

    /// The owner's memory that says the same, by its digest.
    pub async fn memory_by_digest(
        &mut self,
        owner: &UserId,
        project: Option<&ProjectId>,
        digest: &[u8; 32],
    ) -> Result<Option<MemoryId>> {
        let id: Option<String> = query(KNOWN)
            .bind(owner.as_str())
            .bind(project_column(project))
            .bind(&digest[..])
            .fetch_optional(self)
            .await?;
        id.map(|id| text::id(&id, "memories.id")).transpose()
    }
}

impl Tx {
    /// Adds a memory; says whether it did, or the owner has one that says the same.
    pub async fn insert_memory(&mut self, memory: &Memory, digest: &[u8; 32]) -> Result<bool> {
        let meaning = memory.meaning.as_ref();
        let added = query(INSERT)
            .bind(memory.id.as_str())
            .bind(memory.user_id.as_str())
            .bind(project_column(memory.project_id.as_ref()))
            .bind(memory.kind.as_str())
            .bind(&memory.content)
            .bind(&digest[..])
            .bind(memory.source.as_str())
            .bind(meaning.map(|meaning| meaning.embedder.as_str()))
            .bind(meaning.map(|meaning| to_bytes(&meaning.vector)))
            .bind(memory.created_at.micros())
            .bind(memory.updated_at.micros())
            .execute(self)
            .await?;
        Ok(added > 0)
    }

    /// Changes a memory's kind and text; says whether there is one. A text that another memory has fails by the
    /// unique key.
    pub async fn update_memory(&mut self, owner: &UserId, memory: &Memory, digest: &[u8; 32]) -> Result<bool> {
        let meaning = memory.meaning.as_ref();
        let changed = query(UPDATE)
            .bind(owner.as_str())
            .bind(memory.id.as_str())
            .bind(memory.kind.as_str())
            .bind(&memory.content)
            .bind(&digest[..])
            .bind(meaning.map(|meaning| meaning.embedder.as_str()))
            .bind(meaning.map(|meaning| to_bytes(&meaning.vector)))
            .bind(memory.updated_at.micros())
            .execute(self)
            .await?;
        Ok(changed > 0)
    }

    /// Notes what a memory means, unless it was changed meanwhile.
    pub async fn put_memory_meaning(&mut self, owner: &UserId, memory: &Memory, meaning: &Meaning) -> Result<()> {
        query(PUT_MEANING)
            .bind(owner.as_str())
            .bind(memory.id.as_str())
            .bind(memory.updated_at.micros())
            .bind(&meaning.embedder)
            .bind(to_bytes(&meaning.vector))
            .execute(self)
            .await?;
        Ok(())
    }

    /// Removes one of the owner's memories; says whether there was one.
    pub async fn delete_memory(&mut self, owner: &UserId, id: &MemoryId) -> Result<bool> {
        let deleted = query(DELETE).bind(owner.as_str()).bind(id.as_str()).execute(self).await?;
        Ok(deleted > 0)
    }

    /// Removes all of the owner's memories, or those of a project; gives their number.
    pub async fn delete_memories(&mut self, owner: &UserId, project: Option<&ProjectId>) -> Result<u64> {
        query(DELETE_ALL).bind(owner.as_str()).bind(project.map(ProjectId::as_str)).long().execute(self).await
    }
}
