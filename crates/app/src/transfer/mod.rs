//! Taking everything along: a user's projects and conversations as a file, and from a file of this server or of `ChatGPT`
//! to a user.
//!
//! The file is JSON Lines; each line says what it is. A line with a conversation is what the endpoint that exports one
//! answers with, so that either can be imported.

mod chatgpt;
mod file;
mod mend;
mod own;
mod rebuild;
mod whole;

use std::{collections::HashMap, fs::File};

use bytes::Bytes;
use domain::{
    Clock, Error, Kind, Principal, Result,
    conversation::Sort,
    ids::{ConversationId, ProjectId, UserId},
    page::{MAX_LIMIT, Order, PageRequest},
    project::{Filter, Project},
};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use store::Store;
use tokio::sync::mpsc;

use crate::conversations::{Conversations, Export, FORMAT, ListRequest, Which, hold_project};
use whole::{Names, Whole};

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
    /// A line with a project.
    Project(Bytes),
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

    /// All projects and conversations of the caller's, oldest first. What is deleted meanwhile is left out.
    pub fn export(&self, caller: &Principal) -> impl Stream<Item = Result<Exported>> {
        let owner = caller.user_id.clone();
        let projects = self.projects(owner).and_then(async |project| {
            let mut line = serde_json::to_vec(&own::ProjectLine::from(project)).map_err(Error::internal)?;
            line.push(b'\n');
            Ok(Exported::Project(line.into()))
        });
        let caller = caller.clone();
        let conversations = self.ids(caller.clone()).try_filter_map(move |id| {
            let (conversations, caller) = (self.conversations.clone(), caller.clone());
            async move {
                match conversations.export(&caller, id.as_str(), Which::All).await {
                    Ok(export) => Ok(Some(Exported::Conversation(Box::new(export)))),
                    Err(error) if error.code() == "conversation_not_found" => Ok(None),
                    Err(error) => Err(error),
                }
            }
        });
        projects.chain(conversations)
    }

    fn projects(&self, owner: UserId) -> impl Stream<Item = Result<Project>> {
        let pages = stream::try_unfold(Some(whole_page()), move |page| {
            let owner = owner.clone();
            async move {
                let Some(page) = page else { return Ok(None) };
                let found = self.store.read().await?.projects(&owner, &Filter::default(), &page).await?;
                let found = found.map(|page| (page.items, page.has_more)).unwrap_or_default();
                let next = found.0.last().filter(|_| found.1).map(|last| after(&last.project.id.to_string()));
                Ok::<_, Error>(Some((stream::iter(found.0.into_iter().map(|found| Ok(found.project))), next)))
            }
        });
        pages.try_flatten()
    }

    fn ids(&self, caller: Principal) -> impl Stream<Item = Result<ConversationId>> {
        let pages = stream::try_unfold(Some(whole_page()), move |page| {
            let caller = caller.clone();
            async move {
                let Some(page) = page else { return Ok(None) };
                let request = ListRequest { page, sort: Sort::Created, ..ListRequest::default() };
                let found = self.conversations.list(&caller, &request).await?;
                let ids: Vec<_> = found.items.into_iter().map(|conversation| conversation.id).collect();
                let next = ids.last().filter(|_| found.has_more).map(|last| after(last.as_str()));
                Ok::<_, Error>(Some((stream::iter(ids.into_iter().map(Ok)), next)))
            }
        });
        pages.try_flatten()
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
        let mut of_name = std::pin::pin!(self.projects(owner.clone()));
        while let Some(other) = of_name.try_next().await? {
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
}

fn whole_page() -> PageRequest {
    PageRequest { limit: MAX_LIMIT, after: None, order: Order::Asc }
}

fn after(id: &str) -> PageRequest {
    PageRequest { after: Some(id.to_owned()), ..whole_page() }
}

/// What cannot be read as what it says it is.
fn invalid(error: &serde_json::Error) -> Error {
    Error::invalid("invalid_file", format!("It cannot be read: {error}."))
}
