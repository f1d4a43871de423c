//! What this server exported.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use domain::{
    Error, Result, Timestamp,
    conversation::MAIN,
    ids::{ConversationId, ItemId, ProjectId, UserId},
    item::Head,
    project::Project,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wire::openai::items::read_shown;

use super::{
    invalid,
    whole::{Course, Piece, Whole},
};
use crate::{
    conversations::{MetadataChange, branches, read_referrer, read_title},
    projects,
};

/// What an exported project says it is.
pub(super) const PROJECT: &str = "jan-server.project";

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    conversation: ConversationIn<'a>,
    #[serde(borrow)]
    branches: Vec<BranchIn<'a>>,
}

#[derive(Deserialize)]
struct ConversationIn<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    title: Option<String>,
    referrer: Option<String>,
    project_id: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    created_at: i64,
    updated_at: i64,
}

#[derive(Deserialize)]
struct BranchIn<'a> {
    name: String,
    description: Option<String>,
    parent_branch: Option<String>,
    forked_from_item_id: Option<String>,
    #[serde(default)]
    is_active: bool,
    created_at: i64,
    updated_at: i64,
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

/// Reads an exported conversation.
///
/// # Errors
/// 400 that names the field.
pub(super) fn conversation(json: &str) -> Result<Whole> {
    let file: File<'_> = serde_json::from_str(json).map_err(|error| invalid(&error))?;
    let head = file.conversation;
    let mut metadata = BTreeMap::new();
    MetadataChange::Replace(head.metadata).apply(&mut metadata)?;
    let mut courses: Vec<Course> = Vec::with_capacity(file.branches.len());
    for (at, branch) in file.branches.into_iter().enumerate() {
        let parent = courses.iter().position(|course| Some(&course.name) == branch.parent_branch.as_ref());
        courses.push(course(branch, parent, &format!("branches[{at}]"))?);
    }
    let whole = Whole {
        source: head.id.clone().into_owned(),
        id: ConversationId::parse(&head.id).ok(),
        title: head.title.as_deref().map(read_title).transpose()?.flatten(),
        referrer: head.referrer.as_deref().map(read_referrer).transpose()?.flatten(),
        project: head.project_id.and_then(|id| ProjectId::parse(&id).ok()),
        metadata,
        created_at: time(head.created_at),
        updated_at: time(head.updated_at),
        courses: with_main(courses)?,
        left_out: 0,
    };
    Ok(whole)
}

fn course(branch: BranchIn<'_>, parent: Option<usize>, path: &str) -> Result<Course> {
    let name = branches::read_name(&branch.name).map_err(|error| error.param(format!("{path}.name")))?;
    let mut items = Vec::with_capacity(branch.items.len());
    for (at, item) in branch.items.into_iter().enumerate() {
        items.push(Arc::new(piece(item, &format!("{path}.items[{at}]"), time(branch.created_at))?));
    }
    Ok(Course {
        name,
        description: branch.description,
        parent,
        forked_from: branch.forked_from_item_id.and_then(|id| ItemId::parse(&id).ok()),
        is_active: branch.is_active,
        created_at: time(branch.created_at),
        updated_at: time(branch.updated_at),
        items,
    })
}

fn piece(item: &RawValue, path: &str, otherwise: Timestamp) -> Result<Piece> {
    let shown = read_shown(item, path)?;
    let source = shown.id.unwrap_or_else(|| path.to_owned());
    Ok(Piece {
        id: ItemId::parse(&source).ok(),
        source,
        head: Head {
            kind: shown.item.kind.to_owned(),
            role: shown.item.role.map(str::to_owned),
            status: shown.item.status.map(str::to_owned),
            call_id: shown.item.call_id,
        },
        body: shown.item.body,
        text: shown.item.text,
        making: shown.making,
        rating: shown.rating,
        created_at: shown.created_at.unwrap_or(otherwise),
        ended_at: shown.ended_at,
        edited_at: shown.edited_at,
    })
}

/// The branches, one of which is called `MAIN` and one is active: a file may hold only one of several.
fn with_main(mut courses: Vec<Course>) -> Result<Vec<Course>> {
    let names: HashSet<&str> = courses.iter().map(|course| &*course.name).collect();
    if names.len() < courses.len() || courses.len() > branches::MAX_BRANCHES {
        let text = format!("branches may hold {} branches at most, no two of one name.", branches::MAX_BRANCHES);
        return Err(Error::invalid_parameter("branches", text));
    }
    let has_main = names.contains(MAIN);
    let active = courses.iter().position(|course| course.is_active);
    let Some(last) = courses.len().checked_sub(1) else {
        return Err(Error::invalid_parameter("branches", "branches must hold a branch."));
    };
    let active = active.unwrap_or(last);
    for (at, course) in courses.iter_mut().enumerate() {
        course.is_active = at == active;
    }
    if !has_main {
        MAIN.clone_into(&mut courses[active].name);
    }
    Ok(courses)
}

/// A project, as a line of an exported file.
#[derive(Serialize, Deserialize)]
pub(super) struct ProjectLine {
    format: String,
    version: u32,
    project: ProjectFields,
}

#[derive(Serialize, Deserialize)]
struct ProjectFields {
    id: ProjectId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instruction: Option<String>,
    is_favorite: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

impl From<Project> for ProjectLine {
    fn from(project: Project) -> Self {
        Self {
            format: PROJECT.to_owned(),
            version: super::VERSION,
            project: ProjectFields {
                id: project.id,
                name: project.name,
                description: project.description,
                instruction: project.instruction,
                is_favorite: project.is_favorite,
                archived_at: project.archived_at.map(Timestamp::seconds),
                created_at: project.created_at.seconds(),
                updated_at: project.updated_at.seconds(),
            },
        }
    }
}

/// Reads an exported project, which is to be this user's.
///
/// # Errors
/// 400 that names the field.
pub(super) fn project(json: &str, owner: &UserId) -> Result<Project> {
    let line: ProjectLine = serde_json::from_str(json).map_err(|error| invalid(&error))?;
    let fields = line.project;
    let text = |text: Option<String>, field, most| {
        text.map(|text| projects::read_text(text, field, most)).transpose().map(Option::flatten)
    };
    Ok(Project {
        id: fields.id,
        user_id: owner.clone(),
        name: projects::read_name(&fields.name)?,
        description: text(fields.description, "description", projects::MAX_DESCRIPTION)?,
        instruction: text(fields.instruction, "instruction", projects::MAX_INSTRUCTION)?,
        is_favorite: fields.is_favorite,
        archived_at: fields.archived_at.map(time),
        created_at: time(fields.created_at),
        updated_at: time(fields.updated_at),
    })
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}
