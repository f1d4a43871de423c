//! Taking everything along: a user's settings, projects, memories and conversations as a file, and from a file of this
//! server or of `ChatGPT` to a user.
//!
//! The file is JSON Lines; each line says what it is. A line with a conversation is what the endpoint that exports one
//! answers with, so that either can be imported.

mod chatgpt;
mod file;
mod mend;
mod own;
mod personal;
mod rebuild;
mod whole;

use std::{collections::HashMap, fs::File};

use bytes::Bytes;
use domain::{
    Clock, Error, Kind, Principal, Result,
    conversation::Sort,
    ids::{ConversationId, ProjectId, UserId},
    memory::{MAX_OF_USER, Memory},
    page::{MAX_LIMIT, Order, PageRequest},
    project::{Filter, Project},
};
use futures_util::{Stream, StreamExt as _, TryFutureExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Map, Value, value::RawValue};
use store::{ChangedSettings, Store};
use tokio::sync::mpsc;

use self::{
    personal::{MemoryLine, SettingsLine},
    whole::{Names, Whole},
};
use crate::{
    conversations::{Conversations, Export, FORMAT, ListRequest, Which, hold_project},
    memories,
};

/// The newest form of lines that is read and written.
const VERSION: u32 = 1;
/// Most bytes of one conversation.
const MAX_CONVERSATION: u64 = 256 * 1024 * 1024;
/// How many sets of ids are tried before a conversation counts as one that cannot be kept.
const NAMES: u32 = 8;

/// The use-cases. Clones share everything.
#[derive(Clone)]
pub struct Transfer {
    store: Store,
    clock: Clock,
    conversations: Conversations,
}

/// A part of an exported file.
pub enum Exported {
    /// A line with the settings.
    Settings(Bytes),
    /// A line with a project.
    Project(Bytes),
    /// A line with a memory.
    Memory(Bytes),
    /// A conversation, whose [JSON](Export::json) is a line.
    Conversation(Box<Export>),
}

/// What became of a part of a file.
#[derive(Debug)]
pub enum Imported {
    /// The conversation is there.
    Conversation {
        /// By this id.
        id: ConversationId,
        /// So many of its messages are not, being of no use to a reader.
        left_out: usize,
    },
    /// The project is there.
    Project,
    /// It is remembered.
    Memory,
    /// The settings are the user's.
    Settings,
    /// It was there before, and is as it was.
    Known,
    /// It could not be read or kept.
    Refused {
        /// Which of the file's values it is, from 1.
        number: u64,
        /// Why.
        error: Error,
    },
}

/// What a value of a file says it is.
#[derive(Deserialize)]
struct Probe {
    format: Option<String>,
    version: Option<u32>,
    mapping: Option<IgnoredAny>,
}

impl Transfer {
    /// What is kept in `store`.
    pub fn new(store: Store, clock: Clock) -> Self {
        let conversations = Conversations::new(store.clone(), clock.clone());
        Self { store, clock, conversations }
    }

    /// The caller's settings, projects, memories and conversations, each oldest first. What is deleted meanwhile is left out.
    pub fn export(&self, caller: &Principal) -> impl Stream<Item = Result<Exported>> {
        let caller = caller.clone();
        let lines = self.lines(caller.user_id.clone()).map_ok(|lines| stream::iter(lines.into_iter().map(Ok)));
        let ids = self.ids(caller.clone()).map_ok(|ids| stream::iter(ids.into_iter().map(Ok)));
        let conversations = ids.try_flatten_stream().try_filter_map(move |id| {
            let (conversations, caller) = (self.conversations.clone(), caller.clone());
            async move {
                match conversations.export(&caller, id.as_str(), Which::All).await {
                    Ok(export) => Ok(Some(Exported::Conversation(Box::new(export)))),
                    Err(error) if error.code() == "conversation_not_found" => Ok(None),
                    Err(error) => Err(error),
                }
            }
        });
        lines.try_flatten_stream().chain(conversations)
    }

    /// Everything but the conversations.
    async fn lines(&self, owner: UserId) -> Result<Vec<Exported>> {
        let mut lines = Vec::new();
        let mut reader = self.store.read().await?;
        let (settings, memories) =
            (reader.user_settings(&owner).await?, reader.all_memories(&owner, MAX_OF_USER).await?);
        drop(reader);
        if let Some(changed) = settings {
            lines.push(Exported::Settings(line(&SettingsLine::from(changed.changes))?));
        }
        for project in self.projects(&owner).await? {
            lines.push(Exported::Project(line(&own::ProjectLine::from(project))?));
        }
        // Behind the projects that they are for.
        for memory in memories.into_iter().rev() {
            lines.push(Exported::Memory(line(&MemoryLine::from(memory))?));
        }
        Ok(lines)
    }

    async fn projects(&self, owner: &UserId) -> Result<Vec<Project>> {
        let page = async |request: PageRequest| {
            let found = self.store.read().await?.projects(owner, &Filter::default(), &request).await?;
            Ok(found.map(|page| (page.items.into_iter().map(|found| found.project).collect(), page.has_more)))
        };
        all(page, |project: &Project| project.id.as_str()).await
    }

    async fn ids(&self, caller: Principal) -> Result<Vec<ConversationId>> {
        let page = async |page: PageRequest| {
            let request = ListRequest { page, sort: Sort::Created, ..ListRequest::default() };
            match self.conversations.list(&caller, &request).await {
                Ok(page) => Ok(Some((page.items.into_iter().map(|found| found.id).collect(), page.has_more))),
                Err(error) if error.code() == "invalid_cursor" => Ok(None),
                Err(error) => Err(error),
            }
        };
        all(page, |id: &ConversationId| id.as_str()).await
    }

    /// Gives everything that a file holds to a user; what became of each part is told as it goes. What was imported
    /// before is known again, so that an import that broke off can be done once more.
    ///
    /// # Errors
    /// `invalid_file` where it cannot be read further, and when the database does not answer: what was told is kept.
    pub async fn import(&self, owner: &UserId, file: File, mut tell: impl FnMut(Imported)) -> Result<()> {
        let (send, mut values) = mpsc::channel(1);
        let hand_over = move |value| send.blocking_send(value).is_ok();
        let reading = tokio::task::spawn_blocking(move || file::values(file, MAX_CONVERSATION, hand_over));
        let mut projects = HashMap::new();
        let mut number = 0;
        while let Some(value) = values.recv().await {
            number += 1;
            match self.import_value(owner, &value, &mut projects).await {
                Ok(imported) => tell(imported),
                Err(error) if matches!(error.kind(), Kind::Invalid | Kind::Conflict) => {
                    tell(Imported::Refused { number, error });
                }
                Err(error) => return Err(error),
            }
        }
        reading.await.map_err(Error::internal)?
    }

    async fn import_value(
        &self,
        owner: &UserId,
        value: &RawValue,
        projects: &mut HashMap<ProjectId, ProjectId>,
    ) -> Result<Imported> {
        let json = mend::mend(value.get());
        let probe: Probe = wire::json::parse(json.as_bytes())?;
        if probe.format.is_some() && probe.version.is_none_or(|version| version > VERSION) {
            return Err(Error::invalid_parameter("version", "A newer server wrote this: import it with one."));
        }
        match probe.format.as_deref() {
            Some(FORMAT) => self.import_conversation(owner, &own::conversation(&json)?, projects).await,
            Some(own::PROJECT) => self.import_project(owner, own::project(&json, owner)?, projects).await,
            Some(personal::MEMORY) => {
                self.import_memory(owner, personal::memory(&json, owner, &self.clock)?, projects).await
            }
            Some(personal::SETTINGS) => self.import_settings(owner, personal::settings(&json)?).await,
            None if probe.mapping.is_some() => {
                let whole = chatgpt::conversation(&json, self.clock.now())?;
                self.import_conversation(owner, &whole, projects).await
            }
            _ => Err(Error::invalid_parameter("format", "This is nothing that can be imported.")),
        }
    }

    async fn import_conversation(
        &self,
        owner: &UserId,
        whole: &Whole,
        projects: &HashMap<ProjectId, ProjectId>,
    ) -> Result<Imported> {
        let project = whole.project.as_ref().map(|project| projects.get(project).unwrap_or(project));
        // By any of its ids: the first may have been taken then, and be free again.
        let mut reader = self.store.read().await?;
        for nth in 0..NAMES {
            if reader.conversation(owner, &Names { owner, nth }.conversation(whole)).await?.is_some() {
                return Ok(Imported::Known);
            }
        }
        drop(reader);
        for nth in 0..NAMES {
            let names = Names { owner, nth };
            let mut tx = self.store.write().await?;
            if tx.conversation(owner, &names.conversation(whole)).await?.is_some() {
                return Ok(Imported::Known);
            }
            // A project that is none of the owner's, or is none any more, is none.
            let project = match project {
                Some(project) if hold_project(&mut tx, owner, Some(project)).await.is_ok() => Some(project.clone()),
                _ => None,
            };
            if let Some(id) = rebuild::write(&mut tx, whole, names, project).await? {
                tx.commit().await?;
                return Ok(Imported::Conversation { id, left_out: whole.left_out });
            }
        }
        Err(Error::invalid("id_taken", "Somebody else has all of the ids that it could have."))
    }

    async fn import_project(
        &self,
        owner: &UserId,
        mut project: Project,
        known: &mut HashMap<ProjectId, ProjectId>,
    ) -> Result<Imported> {
        let source = project.id.clone();
        for other in self.projects(owner).await? {
            if other.id == source || other.name.to_lowercase() == project.name.to_lowercase() {
                known.insert(source, other.id);
                return Ok(Imported::Known);
            }
        }
        for id in [source.clone(), ProjectId::new(&self.clock)] {
            project.id = id;
            let mut tx = self.store.write().await?;
            if tx.insert_project(&project).await?.is_ok() {
                tx.commit().await?;
                known.insert(source, project.id);
                return Ok(Imported::Project);
            }
        }
        Err(Error::invalid("id_taken", "A project of this name was made at the same moment."))
    }

    async fn import_memory(
        &self,
        owner: &UserId,
        mut memory: Memory,
        projects: &HashMap<ProjectId, ProjectId>,
    ) -> Result<Imported> {
        memory.project_id = memory.project_id.map(|project| projects.get(&project).cloned().unwrap_or(project));
        let project = memory.project_id.as_ref();
        let digest = memories::digest(&memory.content);
        let mut tx = self.store.write().await?;
        tx.lock_user(owner).await?;
        if let Some(project) = project
            && !tx.has_project(owner, project).await?
        {
            return Err(Error::invalid_parameter("project_id", "The project that it is remembered for is not there."));
        }
        if tx.memory_by_digest(owner, project, &digest).await?.is_some() {
            return Ok(Imported::Known);
        }
        if tx.count_memories(owner).await? >= u64::from(MAX_OF_USER) {
            return Err(memories::limit_reached());
        }
        if !tx.insert_memory(&memory, &digest).await? {
            return Ok(Imported::Known);
        }
        tx.commit().await?;
        Ok(Imported::Memory)
    }

    /// Keeps settings where the user has none but the usual ones.
    async fn import_settings(&self, owner: &UserId, changes: Map<String, Value>) -> Result<Imported> {
        let mut tx = self.store.write().await?;
        tx.lock_user(owner).await?;
        if tx.user_settings(owner).await?.is_some() {
            return Ok(Imported::Known);
        }
        tx.put_user_settings(owner, &ChangedSettings { changes, updated_at: self.clock.now() }).await?;
        tx.commit().await?;
        Ok(Imported::Settings)
    }
}

/// A line of a file.
fn line(value: &impl Serialize) -> Result<Bytes> {
    let mut line = serde_json::to_vec(value).map_err(Error::internal)?;
    line.push(b'\n');
    Ok(line.into())
}

/// All of a list, oldest first, page by page: none comes when what it would begin behind is deleted, and then it begins behind
/// what was before that.
async fn all<T>(
    page: impl AsyncFn(PageRequest) -> Result<Option<(Vec<T>, bool)>>,
    id: impl Fn(&T) -> &str,
) -> Result<Vec<T>> {
    let mut all: Vec<T> = Vec::new();
    loop {
        let after = all.last().map(|last| id(last).to_owned());
        let Some((found, has_more)) = page(PageRequest { limit: MAX_LIMIT, after, order: Order::Asc }).await? else {
            if all.pop().is_none() {
                return Ok(all);
            }
            continue;
        };
        all.extend(found);
        if !has_more {
            return Ok(all);
        }
    }
}

/// What cannot be read as what it says it is.
fn invalid(error: &serde_json::Error) -> Error {
    Error::invalid("invalid_file", format!("It cannot be read: {error}."))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test]
    async fn a_list_is_whole_though_the_last_of_a_page_is_deleted() {
        let rows = RefCell::new((100..350).map(|number| number.to_string()).collect::<Vec<_>>());
        let page = async |request: PageRequest| {
            let mut rows = rows.borrow_mut();
            let from = match &request.after {
                None => Some(0),
                Some(after) => rows.iter().position(|row| row == after).map(|at| at + 1),
            };
            let Some(from) = from else { return Ok(None) };
            let found: Vec<_> = rows[from..].iter().take(MAX_LIMIT as usize).cloned().collect();
            let has_more = from + found.len() < rows.len();
            if request.after.is_none() {
                // The last two that it showed.
                rows.drain(from + found.len() - 2..from + found.len());
            }
            Ok(Some((found, has_more)))
        };
        let all = all(page, |row: &String| row.as_str()).await.unwrap();
        assert_eq!(all, *rows.borrow());
    }
}
