//! What a template may be.

use domain::{Error, Result, length::check_length, prompt_template::MAX_CONTENT};
use minijinja::Value;

use crate::prompt::{module, sandbox, texts::PERSONA};

/// Longest name, description, model and persona's name, in characters.
const LONGEST_NAME: usize = 100;
const LONGEST_DESCRIPTION: usize = 1_000;
const LONGEST_MODEL: usize = 256;
const LONGEST_PERSONA: usize = 48;

/// What modules belong to, and what personas do.
pub(super) const MODULES_CATEGORY: &str = "orchestration";
const PERSONAS_CATEGORY: &str = "persona";

/// What a template with this key belongs to.
pub(super) fn category(key: &str) -> &'static str {
    if key.starts_with(PERSONA) { PERSONAS_CATEGORY } else { MODULES_CATEGORY }
}

pub(super) fn key(key: &str) -> Result<()> {
    let is_name = |name: &str| {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        (1..=LONGEST_PERSONA).contains(&name.len()) && name.bytes().all(allowed)
    };
    if module::find(key).is_some() || key.strip_prefix(PERSONA).is_some_and(is_name) {
        return Ok(());
    }
    let names: Vec<&str> = module::MODULES.iter().map(|module| module.key).collect();
    let message = format!(
        "key is one of {}; or persona. and a name of at most {LONGEST_PERSONA} of a-z, 0-9, _ and -.",
        names.join(", ")
    );
    Err(Error::invalid_parameter("key", message))
}

pub(super) fn model(model: &str) -> Result<String> {
    let model = model.trim();
    if model.is_empty() || model.chars().count() > LONGEST_MODEL || model.contains(char::is_control) {
        let message = format!("model is a model's id of at most {LONGEST_MODEL} characters.");
        return Err(Error::invalid_parameter("model", message));
    }
    Ok(model.to_owned())
}

pub(super) fn name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.contains(char::is_control) {
        return Err(Error::invalid_parameter("name", format!("name has 1 to {LONGEST_NAME} characters.")));
    }
    Ok(name.to_owned())
}

pub(super) fn description(description: &str) -> Result<String> {
    check_length(description, LONGEST_DESCRIPTION, "description")?;
    Ok(description.to_owned())
}

/// A text is tried out before it is kept.
pub(super) fn content(key: &str, content: &str) -> Result<()> {
    let invalid = |message: String| Err(Error::invalid("invalid_template", message).param("content"));
    if content.trim().is_empty() {
        return invalid("content needs a text. To say nothing, disable the template.".to_owned());
    }
    if content.len() > MAX_CONTENT {
        return invalid(format!("content has at most {MAX_CONTENT} bytes."));
    }
    let variables: Vec<&str> =
        module::find(key).map_or_else(Vec::new, |module| module.variables.iter().map(|(name, _)| *name).collect());
    if let Err(problem) = sandbox::check(content, &variables) {
        return invalid(problem);
    }
    let sample = super::preview::sample(key).unwrap_or(Value::from(()));
    match sandbox::render(content, &sample) {
        Ok(_) => Ok(()),
        Err(problem) => invalid(problem),
    }
}
