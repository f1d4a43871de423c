//! The texts of the prompt, as administrators see and change them: those that the server brings along, others in their
//! place for all models or one, and personas. Each version of a text is kept.

mod built_in;
mod check;
mod preview;

use domain::{
    Clock, Error, Kind, Result, Timestamp,
    audit::{Act, Entry, Origin},
    ids::{AuditId, PromptTemplateId, UserId},
    page::{Order, Page, PageRequest},
    prompt_template::{BUILT_IN, MAX_TEMPLATES, MAX_VERSIONS, PromptTemplate, PromptTemplateVersion},
};
use store::{Reader, Store, Tx};

use crate::prompt::{Texts, module};

/// The use-cases. Clones share everything.
#[derive(Clone)]
pub struct PromptTemplates {
    store: Store,
    texts: Texts,
    clock: Clock,
}

/// A template as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The template.
    pub template: PromptTemplate,
    /// The text in use.
    pub content: String,
    /// Whether the server brings it along: then it can be changed but not removed.
    pub is_system: bool,
}

impl Current {
    /// A template with the text in use: one of its own, or the one that the server brings along.
    fn of(template: PromptTemplate, own: Option<String>) -> Self {
        let built_in = || built_in::version(&template.key).map(|built_in| built_in.content);
        let content = own.or_else(built_in).unwrap_or_default();
        Self { is_system: built_in::find(&template.id).is_some(), template, content }
    }

    /// What the text may use, each with what it is.
    pub fn variables(&self) -> &'static [(&'static str, &'static str)] {
        module::find(&self.template.key).map_or(&[], |module| module.variables)
    }
}

/// Which templates; all by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateFilter {
    /// Only those for this part of the prompt.
    pub key: Option<String>,
    /// Only those for this model.
    pub model: Option<String>,
    /// Only those that the server brings along, or only others.
    pub is_system: Option<bool>,
}

impl TemplateFilter {
    fn lets_through(&self, template: &PromptTemplate) -> bool {
        self.key.as_ref().is_none_or(|key| *key == template.key)
            && self.model.as_ref().is_none_or(|model| Some(model) == template.model.as_ref())
            && self.is_system.is_none_or(|is_system| is_system == built_in::find(&template.id).is_some())
    }
}

/// A template to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTemplate {
    /// A module's name, or `persona.` and a name of one's own.
    pub key: String,
    /// The only model it is for.
    pub model: Option<String>,
    /// Its title.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its text.
    pub content: String,
    /// Whether it is used.
    pub enabled: bool,
}

/// What of a template is to be changed; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateChange {
    /// Its title.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it is used.
    pub enabled: Option<bool>,
    /// A new version of its text, which is then in use.
    pub content: Option<String>,
    /// The version to use.
    pub active_version: Option<u32>,
}

/// Who changes templates, and from where.
#[derive(Clone, Debug, Default)]
pub struct By(pub Origin);

impl By {
    fn user(&self) -> Option<&UserId> {
        self.0.actor.user()
    }
}

impl PromptTemplates {
    /// The templates in `store`.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { texts: Texts::new(store.clone(), clock.clone()), store, clock }
    }

    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// A page of templates, those that the server brings along among them.
    ///
    /// # Errors
    /// `invalid_cursor`.
    pub async fn list(&self, filter: &TemplateFilter, page: &PageRequest) -> Result<Page<Current>> {
        let mut reader = self.store.read().await?;
        let mut templates = reader.prompt_templates(MAX_TEMPLATES).await?;
        let is_untouched = |one: &&PromptTemplate| templates.iter().all(|other| other.id != one.id);
        let untouched: Vec<_> = built_in::ALL.iter().filter(is_untouched).cloned().collect();
        templates.extend(untouched);
        templates.sort_by(|a, b| a.id.cmp(&b.id));
        if page.order == Order::Desc {
            templates.reverse();
        }
        if let Some(after) = &page.after {
            let at = templates.iter().position(|template| template.id.as_str() == after);
            let unknown = || Error::invalid("invalid_cursor", "after names no template.").param("after");
            templates.drain(..=at.ok_or_else(unknown)?);
        }
        templates.retain(|template| filter.lets_through(template));
        let page = Page::from_lookahead(templates, page.limit);
        let ids: Vec<&PromptTemplateId> = page.items.iter().map(|template| &template.id).collect();
        let mut texts = reader.prompt_template_texts(&ids).await?;
        Ok(page.map(|template| {
            let text = texts.remove(&template.id);
            Current::of(template, text)
        }))
    }

    /// The template with this id.
    ///
    /// # Errors
    /// `prompt_template_not_found`.
    pub async fn get(&self, id: &PromptTemplateId) -> Result<Current> {
        let mut reader = self.store.read().await?;
        let template = find(&mut reader, id).await?;
        current(&mut reader, template).await
    }

    /// Makes a template: a text for one model in the place of a module's, or a persona's.
    ///
    /// # Errors
    /// 400 that names the field; `prompt_template_exists`; `prompt_template_limit_reached`.
    pub async fn create(&self, new: NewTemplate, by: &By) -> Result<Current> {
        check::key(&new.key)?;
        let model = new.model.as_deref().map(check::model).transpose()?;
        check::content(&new.key, &new.content)?;
        let now = self.clock.now();
        let template = PromptTemplate {
            id: PromptTemplateId::new(&self.clock),
            name: check::name(new.name.as_deref().unwrap_or(&new.key))?,
            description: check::description(new.description.as_deref().unwrap_or_default())?,
            category: check::category(&new.key).to_owned(),
            key: new.key,
            model,
            enabled: new.enabled,
            active_version: 1,
            last_version: 1,
            created_at: now,
            updated_at: now,
        };
        if template.model.is_none() && module::find(&template.key).is_some() {
            return Err(exists());
        }
        let _changing = self.texts.changing();
        let mut tx = self.store.write().await?;
        if tx.count_prompt_templates().await? >= u64::from(MAX_TEMPLATES) {
            let message = format!("There are at most {MAX_TEMPLATES} templates.");
            return Err(Error::invalid("prompt_template_limit_reached", message));
        }
        if !tx.insert_prompt_template(&template).await? {
            return Err(exists());
        }
        tx.insert_prompt_template_version(&template.id, &version(1, &new.content, by, now)).await?;
        self.note(&mut tx, Act::TemplateCreated, by, &template, None).await?;
        tx.commit().await?;
        Ok(Current { template, content: new.content, is_system: false })
    }

    /// Changes a template. Another text becomes a version of its own.
    ///
    /// # Errors
    /// `prompt_template_not_found`; 400 that names the field; `prompt_template_changed` when somebody else was faster.
    pub async fn change(&self, id: &PromptTemplateId, change: TemplateChange, by: &By) -> Result<Current> {
        let now = self.clock.now();
        let _changing = self.texts.changing();
        let mut tx = self.store.write().await?;
        let stored = tx.prompt_template(id).await?;
        let before = match &stored {
            Some(stored) => stored.clone(),
            None => built_in::find(id).cloned().ok_or_else(not_found)?,
        };
        let mut after = before.clone();
        let mut changed = Vec::new();
        if let Some(name) = &change.name {
            after.name = check::name(name)?;
            changed.push("name".to_owned());
        }
        if let Some(description) = &change.description {
            after.description = check::description(description)?;
            changed.push("description".to_owned());
        }
        if let Some(enabled) = change.enabled {
            after.enabled = enabled;
            changed.push(format!("enabled {enabled}"));
        }
        if change.content.is_some() && change.active_version.is_some() {
            let message = "A new content is in use at once: give content or active_version.";
            return Err(Error::invalid_parameter("active_version", message));
        }
        let mut added = None;
        if let Some(content) = &change.content {
            check::content(&before.key, content)?;
            if current(&mut tx, before.clone()).await?.content != *content {
                if before.last_version >= MAX_VERSIONS {
                    let message = format!("A template has at most {MAX_VERSIONS} versions.");
                    return Err(Error::invalid("prompt_template_limit_reached", message));
                }
                after.last_version += 1;
                after.active_version = after.last_version;
                changed.push(format!("version {}", after.last_version));
                added = Some(version(after.last_version, content, by, now));
            }
        }
        if let Some(number) = change.active_version {
            check_version(&mut tx, &before, number).await?;
            after.active_version = number;
            changed.push(format!("active_version {number}"));
        }
        if after == before {
            return current(&mut tx, before).await;
        }
        after.updated_at = now;
        if stored.is_none() {
            after.created_at = now;
        }
        let done = match stored {
            Some(_) => tx.update_prompt_template(&before, &after).await?,
            None => tx.insert_prompt_template(&after).await?,
        };
        if !done {
            return Err(changed_meanwhile());
        }
        if let Some(added) = &added {
            tx.insert_prompt_template_version(&after.id, added).await?;
        }
        self.note(&mut tx, Act::TemplateUpdated, by, &after, Some(changed.join(", "))).await?;
        let current = current(&mut tx, after).await?;
        tx.commit().await?;
        Ok(current)
    }

    /// Removes a template with all of its versions.
    ///
    /// # Errors
    /// `prompt_template_not_found`; `prompt_template_protected` for one that the server brings along.
    pub async fn delete(&self, id: &PromptTemplateId, by: &By) -> Result<()> {
        if built_in::find(id).is_some() {
            let message = "What the server brings along stays: disable it, or make version 0 the active one.";
            return Err(Error::new(Kind::Conflict, "prompt_template_protected", message));
        }
        let _changing = self.texts.changing();
        let mut tx = self.store.write().await?;
        let template = tx.prompt_template(id).await?.ok_or_else(not_found)?;
        if !tx.delete_prompt_template(id).await? {
            return Err(not_found());
        }
        self.note(&mut tx, Act::TemplateDeleted, by, &template, None).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A template's versions before `before`, newest first; the text that the server brings along is version 0.
    ///
    /// # Errors
    /// `prompt_template_not_found`.
    pub async fn versions(
        &self,
        id: &PromptTemplateId,
        before: Option<u32>,
        limit: u32,
    ) -> Result<(Current, Page<PromptTemplateVersion>)> {
        let mut reader = self.store.read().await?;
        let template = find(&mut reader, id).await?;
        let before = before.unwrap_or(u32::MAX);
        let mut versions = reader.prompt_template_versions(id, before, limit + 1).await?;
        if before > BUILT_IN {
            versions.extend(built_in::version(&template.key));
        }
        let current = current(&mut reader, template).await?;
        Ok((current, Page::from_lookahead(versions, limit)))
    }

    async fn note(
        &self,
        tx: &mut Tx,
        act: Act,
        by: &By,
        template: &PromptTemplate,
        changed: Option<String>,
    ) -> Result<()> {
        let model = template.model.as_ref().map(|model| format!(" for {model}")).unwrap_or_default();
        let changed = changed.map(|changed| format!(": {changed}")).unwrap_or_default();
        let entry = Entry {
            id: AuditId::new(&self.clock),
            created_at: self.clock.now(),
            act,
            origin: by.0.clone(),
            target: Some(template.id.to_string()),
            detail: Some(format!("{}{model}{changed}", template.key)),
        };
        Ok(tx.insert_audit(&entry).await?)
    }
}

async fn find(reader: &mut Reader, id: &PromptTemplateId) -> Result<PromptTemplate> {
    let stored = reader.prompt_template(id).await?;
    stored.or_else(|| built_in::find(id).cloned()).ok_or_else(not_found)
}

/// The template with the text in use.
async fn current(reader: &mut Reader, template: PromptTemplate) -> Result<Current> {
    let own = match template.active_version {
        BUILT_IN => None,
        version => reader.prompt_template_version(&template.id, version).await?,
    };
    Ok(Current::of(template, own.map(|own| own.content)))
}

async fn check_version(reader: &mut Reader, template: &PromptTemplate, number: u32) -> Result<()> {
    let exists = match number {
        BUILT_IN => built_in::version(&template.key).is_some(),
        number => reader.prompt_template_version(&template.id, number).await?.is_some(),
    };
    if exists { Ok(()) } else { Err(Error::invalid_parameter("active_version", "There is no such version.")) }
}

fn version(number: u32, content: &str, by: &By, now: Timestamp) -> PromptTemplateVersion {
    PromptTemplateVersion {
        version: number,
        content: content.to_owned(),
        created_by: by.user().cloned(),
        created_at: now,
    }
}

#[cold]
fn not_found() -> Error {
    Error::not_found("prompt_template_not_found", "There is no such template.")
}

#[cold]
fn exists() -> Error {
    let message = "There is a template for this key and model: change that one.";
    Error::new(Kind::Conflict, "prompt_template_exists", message).param("key")
}

#[cold]
fn changed_meanwhile() -> Error {
    let message = "Somebody else changed the template meanwhile: look at it again.";
    Error::new(Kind::Conflict, "prompt_template_changed", message)
}
