//! The tables `prompt_templates` and `prompt_template_versions`. They are the server's, not somebody's.

use std::collections::HashMap;

use domain::{
    Timestamp,
    ids::{PromptTemplateId, UserId},
    prompt_template::{PromptTemplate, PromptTemplateVersion},
};

use crate::{Reader, Result, StoreError, Tx, row::row, statement::query, text};

const LIST: &str = "SELECT id, template_key, model, name, description, category, enabled, active_version, last_version,
        created_at, updated_at
    FROM prompt_templates ORDER BY id LIMIT $1";
const GET: &str = "SELECT id, template_key, model, name, description, category, enabled, active_version, last_version,
        created_at, updated_at
    FROM prompt_templates WHERE id = $1";
const COUNT: &str = "SELECT COUNT(*) FROM prompt_templates";
const ACTIVE: &str = "SELECT t.template_key, t.model, t.enabled, v.content
    FROM prompt_templates t
    LEFT JOIN prompt_template_versions v ON v.template_id = t.id AND v.version = t.active_version
    ORDER BY t.id LIMIT $1";
const TEXTS_SQLITE: &str = "SELECT t.id, v.content
    FROM prompt_templates t
    JOIN prompt_template_versions v ON v.template_id = t.id AND v.version = t.active_version
    WHERE t.id IN (SELECT value FROM json_each($1))";
const TEXTS_POSTGRES: &str = "SELECT t.id, v.content
    FROM prompt_templates t
    JOIN prompt_template_versions v ON v.template_id = t.id AND v.version = t.active_version
    WHERE t.id = ANY($1)";
const VERSIONS: &str = "SELECT version, content, created_by, created_at FROM prompt_template_versions
    WHERE template_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3";
const VERSION: &str = "SELECT version, content, created_by, created_at FROM prompt_template_versions
    WHERE template_id = $1 AND version = $2";
const INSERT: &str = "INSERT INTO prompt_templates
    (id, template_key, model, name, description, category, enabled, active_version, last_version, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
/// Of two who change a template at once, the second sees that it is not what it was.
const UPDATE: &str = "UPDATE prompt_templates
    SET name = $4, description = $5, category = $6, enabled = $7, active_version = $8, last_version = $9, updated_at = $10
    WHERE id = $1 AND last_version = $2 AND updated_at = $3";
const ADD_VERSION: &str = "INSERT INTO prompt_template_versions (template_id, version, content, created_by, created_at)
    VALUES ($1, $2, $3, $4, $5)";
const DELETE: &str = "DELETE FROM prompt_templates WHERE id = $1";

row! {
    struct TemplateRow {
        id: String,
        template_key: String,
        model: String,
        name: String,
        description: String,
        category: String,
        enabled: bool,
        active_version: i64,
        last_version: i64,
        created_at: i64,
        updated_at: i64,
    }
}

impl TemplateRow {
    fn into_template(self) -> Result<PromptTemplate> {
        Ok(PromptTemplate {
            id: text::id(&self.id, "prompt_templates.id")?,
            key: self.template_key,
            model: Some(self.model).filter(|model| !model.is_empty()),
            name: self.name,
            description: self.description,
            category: self.category,
            enabled: self.enabled,
            active_version: number(self.active_version, "prompt_templates.active_version")?,
            last_version: number(self.last_version, "prompt_templates.last_version")?,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

row! {
    struct VersionRow {
        version: i64,
        content: String,
        created_by: Option<String>,
        created_at: i64,
    }
}

impl VersionRow {
    fn into_version(self) -> Result<PromptTemplateVersion> {
        let column = "prompt_template_versions.created_by";
        Ok(PromptTemplateVersion {
            version: number(self.version, "prompt_template_versions.version")?,
            content: self.content,
            created_by: self.created_by.map(|id| text::id(&id, column)).transpose()?,
            created_at: Timestamp::from_micros(self.created_at),
        })
    }
}

fn number(value: i64, column: &'static str) -> Result<u32> {
    u32::try_from(value).map_err(|_| StoreError::Corrupt { column })
}

row! {
    /// What a template says now.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ActivePromptTemplate {
        /// Which part of the prompt it is for.
        pub key: String = "template_key",
        /// The only model it is for; empty for all.
        pub model: String,
        /// Whether it is used at all.
        pub enabled: bool,
        /// Its text; none for the one that the server brings along.
        pub content: Option<String>,
    }
}

impl Reader {
    /// The first templates by id; there are few.
    pub async fn prompt_templates(&mut self, limit: u32) -> Result<Vec<PromptTemplate>> {
        let rows: Vec<TemplateRow> = query(LIST).bind(i64::from(limit)).fetch_all(self).await?;
        rows.into_iter().map(TemplateRow::into_template).collect()
    }

    /// The template with this id.
    pub async fn prompt_template(&mut self, id: &PromptTemplateId) -> Result<Option<PromptTemplate>> {
        let row: Option<TemplateRow> = query(GET).bind(id.as_str()).fetch_optional(self).await?;
        row.map(TemplateRow::into_template).transpose()
    }

    /// How many templates there are.
    pub async fn count_prompt_templates(&mut self) -> Result<u64> {
        let count: i64 = query(COUNT).fetch_one(self).await?;
        Ok(count.try_into().unwrap_or(0))
    }

    /// What each template says now: what prompts are made of.
    pub async fn active_prompt_templates(&mut self, limit: u32) -> Result<Vec<ActivePromptTemplate>> {
        query(ACTIVE).bind(i64::from(limit)).fetch_all(self).await
    }

    /// The texts in use of those templates that have one of their own.
    pub async fn prompt_template_texts(
        &mut self,
        ids: &[&PromptTemplateId],
    ) -> Result<HashMap<PromptTemplateId, String>> {
        let statement = if self.is_postgres() { TEXTS_POSTGRES } else { TEXTS_SQLITE };
        let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
        let rows: Vec<(String, String)> = query(statement).bind(ids).fetch_all(self).await?;
        rows.into_iter().map(|(id, text)| Ok((text::id(&id, "prompt_templates.id")?, text))).collect()
    }

    /// A template's versions before this one, newest first.
    pub async fn prompt_template_versions(
        &mut self,
        id: &PromptTemplateId,
        before: u32,
        limit: u32,
    ) -> Result<Vec<PromptTemplateVersion>> {
        let rows: Vec<VersionRow> =
            query(VERSIONS).bind(id.as_str()).bind(i64::from(before)).bind(i64::from(limit)).fetch_all(self).await?;
        rows.into_iter().map(VersionRow::into_version).collect()
    }

    /// One version of a template.
    pub async fn prompt_template_version(
        &mut self,
        id: &PromptTemplateId,
        version: u32,
    ) -> Result<Option<PromptTemplateVersion>> {
        let row: Option<VersionRow> =
            query(VERSION).bind(id.as_str()).bind(i64::from(version)).fetch_optional(self).await?;
        row.map(VersionRow::into_version).transpose()
    }
}

impl Tx {
    /// Adds a template; says whether it did, or there is one for its key and model.
    pub async fn insert_prompt_template(&mut self, template: &PromptTemplate) -> Result<bool> {
        let added = query(INSERT)
            .bind(template.id.as_str())
            .bind(&template.key)
            .bind(template.model.as_deref().unwrap_or_default())
            .bind(&template.name)
            .bind(&template.description)
            .bind(&template.category)
            .bind(template.enabled)
            .bind(i64::from(template.active_version))
            .bind(i64::from(template.last_version))
            .bind(template.created_at.micros())
            .bind(template.updated_at.micros())
            .execute(self)
            .await?;
        Ok(added > 0)
    }

    /// Changes a template that still is what it was `before`; says whether it did.
    pub async fn update_prompt_template(&mut self, before: &PromptTemplate, template: &PromptTemplate) -> Result<bool> {
        let changed = query(UPDATE)
            .bind(before.id.as_str())
            .bind(i64::from(before.last_version))
            .bind(before.updated_at.micros())
            .bind(&template.name)
            .bind(&template.description)
            .bind(&template.category)
            .bind(template.enabled)
            .bind(i64::from(template.active_version))
            .bind(i64::from(template.last_version))
            .bind(template.updated_at.micros())
            .execute(self)
            .await?;
        Ok(changed > 0)
    }

    /// Adds a version to a template.
    pub async fn insert_prompt_template_version(
        &mut self,
        id: &PromptTemplateId,
        version: &PromptTemplateVersion,
    ) -> Result<()> {
        query(ADD_VERSION)
            .bind(id.as_str())
            .bind(i64::from(version.version))
            .bind(&version.content)
            .bind(version.created_by.as_ref().map(UserId::as_str))
            .bind(version.created_at.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Removes a template with all of its versions; says whether there was one.
    pub async fn delete_prompt_template(&mut self, id: &PromptTemplateId) -> Result<bool> {
        let deleted = query(DELETE).bind(id.as_str()).execute(self).await?;
        Ok(deleted > 0)
    }
}
