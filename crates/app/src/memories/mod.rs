//! What the server remembers for users: written by them, or by a chat in which they asked for it; found again by what it
//! has to do with a question.

mod lexical;
mod recall;
mod remember;
mod similarity;
mod text;

use std::sync::Arc;

use domain::{
    Clock, Error, Kind, Result,
    ids::{MemoryId, ProjectId, UserId},
    memory::{MAX_OF_USER, Meaning, Memory, MemoryKind, MemorySource},
    page::{Page, PageRequest},
};
use store::{MemoryFilter, MemoryPlace, Reader, StoreError};

use crate::{conversations::project_not_found, prompt::People};

pub use similarity::{BoxFuture, Embedder};
pub(crate) use text::{check, digest};

/// The use-cases. Clones share everything.
#[derive(Clone)]
pub struct Memories {
    people: People,
    embedder: Option<Arc<dyn Embedder>>,
}

/// A memory to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMemory {
    /// The text.
    pub content: String,
    /// When it is told.
    pub kind: MemoryKind,
    /// The only project that it is for.
    pub project: Option<ProjectId>,
    /// Who writes it.
    pub source: MemorySource,
}

/// What of a memory is to be changed; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryChange {
    /// The text.
    pub content: Option<String>,
    /// When it is told.
    pub kind: Option<MemoryKind>,
}

/// A memory that was kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Kept {
    /// It is new.
    New(Memory),
    /// There was one that says the same.
    Known(Memory),
}

/// What came of a message that may ask to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does not.
    NotAsked,
    /// It is remembered.
    Remembered,
    /// It is too long, or there is no room for more.
    NoRoom,
}

impl Memories {
    /// The memories of `people`, compared by what `embedder` says they mean, or by their words without one.
    pub fn new(people: People, embedder: Option<Arc<dyn Embedder>>) -> Self {
        Self { people, embedder }
    }

    /// The users that prompts are made for.
    pub fn people(&self) -> &People {
        &self.people
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.people.clock()
    }

    /// A page of the owner's memories.
    ///
    /// # Errors
    /// `invalid_cursor`, `project_not_found`.
    pub async fn list(&self, owner: &UserId, filter: &MemoryFilter, page: &PageRequest) -> Result<Page<Memory>> {
        let unknown = || Error::invalid("invalid_cursor", "after names no memory of yours.").param("after");
        let after = page.after.as_deref().map(MemoryId::parse).transpose().map_err(|_| unknown())?;
        let mut reader = self.people.store().read().await?;
        if let Some(after) = &after
            && reader.memory(owner, after).await?.is_none()
        {
            return Err(unknown());
        }
        if let Some(MemoryPlace::Project(project)) = &filter.place {
            check_project(&mut reader, owner, project).await?;
        }
        Ok(reader.memories(owner, filter, page).await?)
    }

    /// One of the owner's memories.
    ///
    /// # Errors
    /// `memory_not_found`.
    pub async fn get(&self, owner: &UserId, id: &MemoryId) -> Result<Memory> {
        self.people.store().read().await?.memory(owner, id).await?.ok_or_else(not_found)
    }

    /// Keeps a memory; one that says the same is not kept twice.
    ///
    /// # Errors
    /// `invalid_parameter` for a text that is empty or too long; `project_not_found`; `memory_limit_reached`.
    pub async fn create(&self, owner: &UserId, new: NewMemory) -> Result<Kept> {
        let content = text::check(&new.content)?;
        let digest = text::digest(&content);
        let meaning = self.meaning(&content).await;
        let now = self.clock().now();
        let _changing = self.people.changing(owner);
        let mut tx = self.people.store().write().await?;
        // What is counted stays true until this is committed.
        tx.lock_user(owner).await?;
        let project = new.project.as_ref();
        if let Some(project) = project {
            check_project(&mut tx, owner, project).await?;
        }
        if let Some(known) = tx.memory_by_digest(owner, project, &digest).await? {
            let known = tx.memory(owner, &known).await?.ok_or_else(not_found)?;
            return Ok(Kept::Known(known));
        }
        if tx.count_memories(owner).await? >= u64::from(MAX_OF_USER) {
            return Err(limit_reached());
        }
        let memory = Memory {
            id: MemoryId::new(self.clock()),
            user_id: owner.clone(),
            project_id: new.project,
            kind: new.kind,
            content,
            source: new.source,
            meaning,
            created_at: now,
            updated_at: now,
        };
        if !tx.insert_memory(&memory, &digest).await? {
            return Err(known_already());
        }
        tx.commit().await?;
        Ok(Kept::New(memory))
    }

    /// Changes a memory.
    ///
    /// # Errors
    /// `memory_not_found`; `invalid_parameter` for a text that is empty or too long; `memory_exists` for a text that
    /// another memory has.
    pub async fn change(&self, owner: &UserId, id: &MemoryId, change: MemoryChange) -> Result<Memory> {
        let content = change.content.as_deref().map(text::check).transpose()?;
        let meaning = match &content {
            Some(content) => self.meaning(content).await,
            None => None,
        };
        let _changing = self.people.changing(owner);
        let mut tx = self.people.store().write().await?;
        tx.lock_user(owner).await?;
        let mut memory = tx.memory(owner, id).await?.ok_or_else(not_found)?;
        if let Some(content) = content {
            (memory.content, memory.meaning) = (content, meaning);
        }
        memory.kind = change.kind.unwrap_or(memory.kind);
        memory.updated_at = self.clock().now();
        let digest = text::digest(&memory.content);
        let same = tx.memory_by_digest(owner, memory.project_id.as_ref(), &digest).await?;
        if same.is_some_and(|same| same != *id) {
            return Err(known_already());
        }
        if !tx.update_memory(owner, &memory, &digest).await? {
            return Err(not_found());
        }
        tx.commit().await?;
        Ok(memory)
    }

    /// Forgets a memory.
    ///
    /// # Errors
    /// `memory_not_found`.
    pub async fn delete(&self, owner: &UserId, id: &MemoryId) -> Result<()> {
        let _changing = self.people.changing(owner);
        let mut tx = self.people.store().write().await?;
        if !tx.delete_memory(owner, id).await? {
            return Err(not_found());
        }
        tx.commit().await?;
        Ok(())
    }

    /// Forgets everything of the owner's, or of one project; gives the number.
    ///
    /// # Errors
    /// `project_not_found`.
    pub async fn delete_all(&self, owner: &UserId, project: Option<&ProjectId>) -> Result<u64> {
        let _changing = self.people.changing(owner);
        let mut tx = self.people.store().write().await?;
        if let Some(project) = project {
            check_project(&mut tx, owner, project).await?;
        }
        let deleted = tx.delete_memories(owner, project).await?;
        tx.commit().await?;
        Ok(deleted)
    }

    /// Remembers what a message asks to have remembered.
    pub(crate) async fn remember(&self, owner: &UserId, project: Option<&ProjectId>, message: &str) -> Result<Outcome> {
        let Some(content) = remember::asked_for(message) else { return Ok(Outcome::NotAsked) };
        let (content, project) = (content.to_owned(), project.cloned());
        let new = NewMemory { content, kind: MemoryKind::Fact, project, source: MemorySource::Chat };
        match self.create(owner, new).await {
            Ok(_) => Ok(Outcome::Remembered),
            Err(error) if matches!(error.kind(), Kind::Invalid | Kind::NotFound) => Ok(Outcome::NoRoom),
            Err(error) => Err(error),
        }
    }

    async fn meaning(&self, content: &str) -> Option<Meaning> {
        let embedder = self.embedder.as_ref()?;
        let vector = embedder.embed(vec![content.to_owned()]).await?.pop()?;
        Some(Meaning { embedder: embedder.name().to_owned(), vector })
    }

    /// Notes what memories mean that were kept while there was no embedder.
    async fn put_meanings(&self, owner: &UserId, meanings: &[(&Memory, Meaning)]) -> Result<(), StoreError> {
        let _changing = self.people.changing(owner);
        let mut tx = self.people.store().write().await?;
        for (memory, meaning) in meanings {
            tx.put_memory_meaning(owner, memory, meaning).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn check_project(reader: &mut Reader, owner: &UserId, project: &ProjectId) -> Result<()> {
    if reader.has_project(owner, project).await? { Ok(()) } else { Err(project_not_found()) }
}

#[cold]
fn not_found() -> Error {
    Error::not_found("memory_not_found", "There is no such memory.")
}

#[cold]
fn known_already() -> Error {
    Error::new(Kind::Conflict, "memory_exists", "Another memory says the same.").param("content")
}

#[cold]
pub(crate) fn limit_reached() -> Error {
    let message = format!("A user has at most {MAX_OF_USER} memories: forget some first.");
    Error::invalid("memory_limit_reached", message)
}
