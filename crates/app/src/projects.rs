//! Projects: conversations that belong together. A project that is deleted lets its conversations go, or takes them along.

use domain::{
    Clock, Error, Kind, Principal, Result,
    ids::ProjectId,
    length::check_length,
    page::{Page, PageRequest},
    project::{Filter, Project},
};
use store::{CountedProject, NameTaken, Store};

use crate::text::is_invisible;

/// Longest name, in characters.
pub const MAX_NAME: usize = 120;
/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 2_000;
/// Longest instruction, in characters.
pub const MAX_INSTRUCTION: usize = 32_768;

/// Keeps projects. Clones share everything.
#[derive(Clone)]
pub struct Projects {
    store: Store,
    clock: Clock,
}

/// What is to change about a project, or what a new one is to be; what is not given stays, or is as by default. An
/// empty text is none.
#[derive(Clone, Debug, Default)]
pub struct ProjectChange {
    /// The name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What the model is told first.
    pub instruction: Option<String>,
    /// Whether it is a favourite.
    pub is_favorite: Option<bool>,
    /// Whether it is put away.
    pub is_archived: Option<bool>,
}

impl Projects {
    /// Projects that are kept in `store`.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// A page of the caller's projects.
    ///
    /// # Errors
    /// `invalid_cursor`.
    pub async fn list(&self, caller: &Principal, filter: &Filter, page: &PageRequest) -> Result<Page<CountedProject>> {
        let found = self.store.read().await?.projects(&caller.user_id, filter, page).await?;
        found.ok_or_else(|| Error::invalid("invalid_cursor", "after names no project of yours.").param("after"))
    }

    /// One of the caller's projects.
    ///
    /// # Errors
    /// `project_not_found`.
    pub async fn get(&self, caller: &Principal, id: &str) -> Result<CountedProject> {
        let id = read_id(id)?;
        let found = self.store.read().await?.counted_project(&caller.user_id, &id).await?;
        found.ok_or_else(not_found)
    }

    /// Makes a project.
    ///
    /// # Errors
    /// 400 that names the field, `project_name_exists`.
    pub async fn create(&self, caller: &Principal, wish: ProjectChange) -> Result<CountedProject> {
        let now = self.clock.now();
        let mut project = Project {
            id: ProjectId::new(&self.clock),
            user_id: caller.user_id.clone(),
            name: String::new(),
            description: None,
            instruction: None,
            is_favorite: false,
            archived_at: None,
            created_at: now,
            updated_at: now,
        };
        if wish.name.is_none() {
            return Err(Error::invalid("missing_parameter", "name is required.").param("name"));
        }
        self.apply(&mut project, wish)?;
        let mut tx = self.store.write().await?;
        tx.insert_project(&project).await?.map_err(name_exists)?;
        tx.commit().await?;
        Ok(CountedProject { project, conversations: 0 })
    }

    /// Changes a project of the caller's.
    ///
    /// # Errors
    /// 400 that names the field, `project_not_found`, `project_name_exists`.
    pub async fn update(&self, caller: &Principal, id: &str, change: ProjectChange) -> Result<CountedProject> {
        let id = read_id(id)?;
        let mut tx = self.store.write().await?;
        // Two tabs that change two fields at once both get their way.
        tx.lock_user(&caller.user_id).await?;
        let mut found = tx.counted_project(&caller.user_id, &id).await?.ok_or_else(not_found)?;
        let before = found.project.clone();
        self.apply(&mut found.project, change)?;
        if found.project != before {
            found.project.updated_at = self.clock.now();
            if !tx.update_project(&found.project).await?.map_err(name_exists)? {
                return Err(not_found());
            }
            tx.commit().await?;
        }
        Ok(found)
    }

    /// Deletes a project of the caller's; its conversations are let go, or deleted too.
    ///
    /// # Errors
    /// `project_not_found`.
    pub async fn delete(&self, caller: &Principal, id: &str, with_conversations: bool) -> Result<ProjectId> {
        let (owner, id, now) = (&caller.user_id, read_id(id)?, self.clock.now());
        let mut tx = self.store.write().await?;
        // First the project: whoever is putting a conversation into it has finished by then or finds it gone.
        if !tx.delete_project(owner, &id, now).await? {
            return Err(not_found());
        }
        if with_conversations {
            tx.delete_conversations_of_project(owner, &id, now).await?;
        } else {
            tx.detach_conversations(owner, &id).await?;
        }
        tx.commit().await?;
        Ok(id)
    }

    fn apply(&self, project: &mut Project, change: ProjectChange) -> Result<()> {
        if let Some(name) = change.name {
            project.name = read_name(&name)?;
        }
        if let Some(text) = change.description {
            project.description = read_text(text, "description", MAX_DESCRIPTION)?;
        }
        if let Some(text) = change.instruction {
            project.instruction = read_text(text, "instruction", MAX_INSTRUCTION)?;
        }
        if let Some(favorite) = change.is_favorite {
            project.is_favorite = favorite;
        }
        match change.is_archived {
            Some(true) => project.archived_at = project.archived_at.or_else(|| Some(self.clock.now())),
            Some(false) => project.archived_at = None,
            None => {}
        }
        Ok(())
    }
}

/// An id that is none of this kind's is one that nobody has.
fn read_id(id: &str) -> Result<ProjectId> {
    ProjectId::parse(id).map_err(|_| not_found())
}

pub(crate) fn read_name(name: &str) -> Result<String> {
    let name = name.replace(is_invisible, "");
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME {
        return Err(Error::invalid_parameter("name", format!("name has 1 to {MAX_NAME} characters.")));
    }
    if name.contains(char::is_control) {
        return Err(Error::invalid_parameter("name", "name holds a control character."));
    }
    Ok(name.to_owned())
}

pub(crate) fn read_text(text: String, field: &'static str, most: usize) -> Result<Option<String>> {
    check_length(&text, most, field)?;
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

#[cold]
pub(crate) fn not_found() -> Error {
    Error::not_found("project_not_found", "There is no such project of yours.")
}

fn name_exists(NameTaken: NameTaken) -> Error {
    Error::new(Kind::Conflict, "project_name_exists", "You have another project with this name.").param("name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(read_name("  Ada's \u{1f469}\u{200d}\u{1f680} ").unwrap(), "Ada's \u{1f469}\u{200d}\u{1f680}");
        assert!(read_name(&"\u{e9}".repeat(MAX_NAME)).is_ok());
        for bad in ["", " \n ", "a\u{7}b", "a\nb", &"\u{e9}".repeat(MAX_NAME + 1)] {
            assert_eq!(read_name(bad).unwrap_err().param_name(), Some("name"), "{bad:?}");
        }
    }

    #[test]
    fn texts_are_bounded_and_blank_ones_are_none() {
        assert_eq!(read_text(" \n".to_owned(), "instruction", 5).unwrap(), None);
        assert_eq!(read_text(" a\n".to_owned(), "instruction", 5).unwrap().as_deref(), Some(" a\n"));
        assert_eq!(read_text("123456".to_owned(), "instruction", 5).unwrap_err().param_name(), Some("instruction"));
    }
}
