//! What a template would say.

use std::collections::BTreeMap;

use domain::{Error, Result, Timestamp, ids::PromptTemplateId};
use minijinja::{Value, value::Serde};
use serde_json::Map;
use wire::settings::{BaseStyle, ProfileSettings, Settings};

use super::{Current, PromptTemplates, check};
use crate::prompt::{Facts, Inputs, module, sandbox};

impl PromptTemplates {
    /// What a template says, or would say with another text; with samples for the variables that are not given.
    ///
    /// # Errors
    /// `prompt_template_not_found`; `invalid_template`; `invalid_parameter` for a variable that there is not.
    pub async fn preview(
        &self,
        id: &PromptTemplateId,
        content: Option<&str>,
        variables: &Map<String, serde_json::Value>,
    ) -> Result<String> {
        let current = self.get(id).await?;
        if let Some(content) = content {
            check::content(&current.template.key, content)?;
        }
        let content = content.unwrap_or(&current.content);
        let filled = fill(&current, variables)?;
        sandbox::render(content, &filled)
            .map_err(|problem| Error::invalid("invalid_template", problem).param("content"))
    }
}

/// The samples, with what is given in their place.
fn fill(current: &Current, given: &Map<String, serde_json::Value>) -> Result<Value> {
    let known = current.variables();
    if let Some(name) = given.keys().find(|name| known.iter().all(|(known, _)| known != name)) {
        return Err(Error::invalid_parameter(format!("variables.{name}"), "The template has no such variable."));
    }
    let samples = sample(&current.template.key).unwrap_or(Value::from(()));
    let mut filled: BTreeMap<String, Value> = BTreeMap::new();
    for (name, _) in known {
        let value = match given.get(*name) {
            Some(given) => Value::from(Serde(given)),
            None => samples.get_attr(name).unwrap_or_default(),
        };
        filled.insert((*name).to_owned(), value);
    }
    Ok(Value::from(filled))
}

/// Samples of a module's variables.
pub(super) fn sample(key: &str) -> Option<Value> {
    let profile_settings = ProfileSettings {
        base_style: BaseStyle::Concise,
        custom_instructions: "Use metric units.".to_owned(),
        nick_name: "Ada".to_owned(),
        occupation: "baker".to_owned(),
        more_about_you: "Likes old maps.".to_owned(),
    };
    let settings = Settings { profile_settings, ..Settings::default() };
    let memories = ["Has a dog called Rex".to_owned(), "Is allergic to nuts".to_owned()];
    let request = Facts {
        conversation: true,
        model: "jan-small",
        reasons: None,
        question: "Compare these two functions".to_owned(),
        tools: vec![("search", Some("Looks things up")), ("clock", None)],
        deep_research: true,
        enable_thinking: true,
        persona: Some("a patient teacher"),
        language: Some("de-CH"),
    };
    (module::find(key)?.fill)(&Inputs {
        settings: &settings,
        project_instruction: Some("Answer for beginners."),
        memories: &memories,
        request,
        now: Timestamp::from_seconds(1_800_000_000),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_has_a_sample() {
        for module in module::MODULES {
            let sample = sample(module.key).unwrap();
            for (name, _) in module.variables {
                let value = sample.get_attr(name).unwrap();
                assert!(value.is_true(), "{}.{name} is {value}", module.key);
            }
            check::content(module.key, module.text).unwrap();
        }
    }
}
