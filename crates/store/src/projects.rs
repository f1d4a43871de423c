//! The table `projects`. A deleted project stays as a row that nothing shows.

use domain::{
    Timestamp,
    ids::{ProjectId, UserId},
    page::{Page, PageRequest},
    project::{Filter, Project},
};

use crate::{Reader, Result, StoreError, Tx, row::row, statement::query, text};

const INSERT: &str = "INSERT INTO projects
    (id, user_id, name, description, instruction, is_favorite, archived_at, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
const GET: &str = "SELECT id, user_id, name, description, instruction, is_favorite, archived_at, created_at, updated_at
    FROM projects WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL";
const GET_COUNTED: &str = "SELECT p.id, p.user_id, p.name, p.description, p.instruction, p.is_favorite, p.archived_at,
        p.created_at, p.updated_at,
        (SELECT COUNT(*) FROM conversations c
            WHERE c.user_id = $1 AND c.project_id = p.id AND c.deleted_at IS NULL) AS conversations
    FROM projects p WHERE p.user_id = $1 AND p.id = $2 AND p.deleted_at IS NULL";
const COUNT: &str = "SELECT COUNT(*) FROM projects WHERE user_id = $1 AND deleted_at IS NULL
    AND ($2 IS NULL OR (archived_at IS NOT NULL) = $2) AND ($3 IS NULL OR is_favorite = $3)";
const EXISTS: &str = "SELECT COUNT(*) FROM projects WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL";
// The conversations are counted for the page's projects only, by an index that has all it takes.
const LIST_DOWN: &str = "SELECT p.*, (SELECT COUNT(*) FROM conversations c
            WHERE c.user_id = $1 AND c.project_id = p.id AND c.deleted_at IS NULL) AS conversations
    FROM (SELECT id, user_id, name, description, instruction, is_favorite, archived_at, created_at, updated_at
        FROM projects WHERE user_id = $1 AND deleted_at IS NULL
            AND ($2 IS NULL OR (archived_at IS NOT NULL) = $2) AND ($3 IS NULL OR is_favorite = $3)
            AND ($4 IS NULL OR id < $4)
        ORDER BY id DESC LIMIT $5) p
    ORDER BY p.id DESC";
const LIST_UP: &str = "SELECT p.*, (SELECT COUNT(*) FROM conversations c
            WHERE c.user_id = $1 AND c.project_id = p.id AND c.deleted_at IS NULL) AS conversations
    FROM (SELECT id, user_id, name, description, instruction, is_favorite, archived_at, created_at, updated_at
        FROM projects WHERE user_id = $1 AND deleted_at IS NULL
            AND ($2 IS NULL OR (archived_at IS NOT NULL) = $2) AND ($3 IS NULL OR is_favorite = $3)
            AND ($4 IS NULL OR id > $4)
        ORDER BY id LIMIT $5) p
    ORDER BY p.id";
const UPDATE: &str = "UPDATE projects SET name = $3, description = $4, instruction = $5, is_favorite = $6,
        archived_at = $7, updated_at = $8
    WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL";
const DELETE: &str = "UPDATE projects SET deleted_at = $3 WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL";
const HOLD: &str = "SELECT COUNT(*) FROM
    (SELECT id FROM projects WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL FOR SHARE) held";
const DETACH: &str =
    "UPDATE conversations SET project_id = NULL WHERE user_id = $1 AND project_id = $2 AND deleted_at IS NULL";
const DELETE_CONVERSATIONS: &str =
    "UPDATE conversations SET deleted_at = $3 WHERE user_id = $1 AND project_id = $2 AND deleted_at IS NULL";
// In one order, as for every other statement that locks several.
const LOCK_CONVERSATIONS: &str = "SELECT COUNT(*) FROM (SELECT key FROM conversations
    WHERE user_id = $1 AND project_id = $2 AND deleted_at IS NULL ORDER BY key FOR UPDATE) locked";
const PURGE_MEMORIES: &str = "DELETE FROM memories WHERE id IN (
    SELECT m.id FROM projects p JOIN memories m ON m.user_id = p.user_id AND m.project_id = p.id
    WHERE p.deleted_at <= $1 LIMIT $2)";
const PURGE: &str = "DELETE FROM projects WHERE id IN (
    SELECT p.id FROM projects p WHERE p.deleted_at <= $1
        AND NOT EXISTS (SELECT 1 FROM memories m WHERE m.user_id = p.user_id AND m.project_id = p.id)
    LIMIT $2)";

/// Another living project of the owner has the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTaken;

/// A project with the number of its conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedProject {
    /// The project.
    pub project: Project,
    /// How many living conversations it has.
    pub conversations: u64,
}

row! {
    struct ProjectRow {
        id: String,
        user_id: String,
        name: String,
        description: Option<String>,
        instruction: Option<String>,
        is_favorite: bool,
        archived_at: Option<i64>,
        created_at: i64,
        updated_at: i64,
    }
}

impl ProjectRow {
    fn into_project(self) -> Result<Project> {
        Ok(Project {
            id: text::id(&self.id, "projects.id")?,
            user_id: text::id(&self.user_id, "projects.user_id")?,
            name: self.name,
            description: self.description,
            instruction: self.instruction,
            is_favorite: self.is_favorite,
            archived_at: self.archived_at.map(Timestamp::from_micros),
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

row! {
    struct CountedRow {
        conversations: i64,
        ;
        project: ProjectRow,
    }
}

impl CountedRow {
    fn into_counted(self) -> Result<CountedProject> {
        Ok(CountedProject { project: self.project.into_project()?, conversations: self.conversations.unsigned_abs() })
    }
}

impl Reader {
    /// One of the owner's projects.
    pub async fn project(&mut self, owner: &UserId, id: &ProjectId) -> Result<Option<Project>> {
        let row: Option<ProjectRow> = query(GET).bind(owner.as_str()).bind(id.as_str()).fetch_optional(self).await?;
        row.map(ProjectRow::into_project).transpose()
    }

    /// One of the owner's projects, with the number of its conversations.
    pub async fn counted_project(&mut self, owner: &UserId, id: &ProjectId) -> Result<Option<CountedProject>> {
        let row: Option<CountedRow> =
            query(GET_COUNTED).bind(owner.as_str()).bind(id.as_str()).fetch_optional(self).await?;
        row.map(CountedRow::into_counted).transpose()
    }

    /// A page of the owner's projects, with the number of all that the filter lets through. `None` when `after` names
    /// none of the owner's projects.
    pub async fn projects(
        &mut self,
        owner: &UserId,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<Option<Page<CountedProject>>> {
        if let Some(after) = &page.after
            && !self.owns(EXISTS, owner, after).await?
        {
            return Ok(None);
        }
        let list = page.order.pick(LIST_UP, LIST_DOWN);
        let rows: Vec<CountedRow> = query(list)
            .bind(owner.as_str())
            .bind(filter.archived)
            .bind(filter.favorite)
            .bind(&page.after)
            .bind(page.lookahead())
            .fetch_all(self)
            .await?;
        let projects = rows.into_iter().map(CountedRow::into_counted).collect::<Result<Vec<_>>>()?;
        let mut page = Page::from_lookahead(projects, page.limit);
        page.total = Some(self.count_projects(owner, filter).await?);
        Ok(Some(page))
    }

    /// How many projects the owner has.
    pub async fn count_projects(&mut self, owner: &UserId, filter: &Filter) -> Result<u64> {
        let count: i64 =
            query(COUNT).bind(owner.as_str()).bind(filter.archived).bind(filter.favorite).fetch_one(self).await?;
        Ok(count.unsigned_abs())
    }

    /// Whether this is a living project of the owner's.
    pub async fn has_project(&mut self, owner: &UserId, id: &ProjectId) -> Result<bool> {
        self.owns(EXISTS, owner, id.as_str()).await
    }
}

impl Tx {
    /// Adds a project, unless another living one of the owner has its name.
    pub async fn insert_project(&mut self, project: &Project) -> Result<Result<(), NameTaken>> {
        let added = query(INSERT)
            .bind(project.id.as_str())
            .bind(project.user_id.as_str())
            .bind(&project.name)
            .bind(&project.description)
            .bind(&project.instruction)
            .bind(project.is_favorite)
            .bind(project.archived_at.map(Timestamp::micros))
            .bind(project.created_at.micros())
            .bind(project.updated_at.micros())
            .execute(self)
            .await?;
        Ok(if added > 0 { Ok(()) } else { Err(NameTaken) })
    }

    /// Writes what may change about a project; `false` when it was deleted meanwhile. When the name is taken, the
    /// transaction is good for nothing any more.
    pub async fn update_project(&mut self, project: &Project) -> Result<Result<bool, NameTaken>> {
        let done = query(UPDATE)
            .bind(project.user_id.as_str())
            .bind(project.id.as_str())
            .bind(&project.name)
            .bind(&project.description)
            .bind(&project.instruction)
            .bind(project.is_favorite)
            .bind(project.archived_at.map(Timestamp::micros))
            .bind(project.updated_at.micros())
            .execute(self)
            .await;
        match done {
            Ok(changed) => Ok(Ok(changed > 0)),
            // The only unique key that an update can break.
            Err(StoreError::Taken { .. }) => Ok(Err(NameTaken)),
            Err(error) => Err(error),
        }
    }

    /// Whether this is a living project of the owner's, which then stays one until this transaction ends: for what is
    /// about to be put into it. SQLite has one writer and needs no lock.
    pub async fn hold_project(&mut self, owner: &UserId, id: &ProjectId) -> Result<bool> {
        let statement = if self.is_postgres() { HOLD } else { EXISTS };
        self.owns(statement, owner, id.as_str()).await
    }

    /// Deletes a project, softly; `false` when the owner has no such project. Its conversations are the caller's to
    /// detach or delete in the same transaction.
    pub async fn delete_project(&mut self, owner: &UserId, id: &ProjectId, now: Timestamp) -> Result<bool> {
        let changed = query(DELETE).bind(owner.as_str()).bind(id.as_str()).bind(now.micros()).execute(self).await?;
        Ok(changed > 0)
    }

    /// Locks the conversations of a project, whatever is to become of them. SQLite has one writer.
    async fn lock_conversations_of_project(&mut self, owner: &UserId, project: &ProjectId) -> Result<()> {
        if self.is_postgres() {
            query(LOCK_CONVERSATIONS).bind(owner.as_str()).bind(project.as_str()).execute(self).await?;
        }
        Ok(())
    }

    /// Takes all conversations out of a project; says how many.
    pub async fn detach_conversations(&mut self, owner: &UserId, project: &ProjectId) -> Result<u64> {
        self.lock_conversations_of_project(owner, project).await?;
        query(DETACH).bind(owner.as_str()).bind(project.as_str()).long().execute(self).await
    }

    /// Deletes all conversations of a project, softly; says how many.
    pub async fn delete_conversations_of_project(
        &mut self,
        owner: &UserId,
        project: &ProjectId,
        now: Timestamp,
    ) -> Result<u64> {
        self.lock_conversations_of_project(owner, project).await?;
        query(DELETE_CONVERSATIONS)
            .bind(owner.as_str())
            .bind(project.as_str())
            .bind(now.micros())
            .long()
            .execute(self)
            .await
    }

    /// Removes what was deleted until `before` for good: at most `limit` memories, and when there are none left, at most
    /// `limit` projects. Says how many rows went; 0 when nothing is left to do.
    pub async fn purge_projects(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        for statement in [PURGE_MEMORIES, PURGE] {
            let gone = query(statement).bind(before.micros()).bind(i64::from(limit)).execute(self).await?;
            if gone > 0 {
                return Ok(gone);
            }
        }
        Ok(0)
    }
}
