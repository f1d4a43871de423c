//! The templates that the server brings along: one for each module, whether or not somebody ever changed it.

use std::sync::LazyLock;

use domain::{
    Timestamp,
    ids::PromptTemplateId,
    prompt_template::{BUILT_IN, PromptTemplate, PromptTemplateVersion},
};

use super::check::MODULES_CATEGORY;
use crate::prompt::module::{self, MODULES, Module};

/// Digits of an id behind its prefix.
const DIGITS: usize = 24;
/// When there was no change yet.
const NEVER: Timestamp = Timestamp::from_seconds(0);

/// All of them, as they are when nobody changed them.
pub(super) static ALL: LazyLock<Vec<PromptTemplate>> =
    LazyLock::new(|| MODULES.iter().filter_map(|module| template(module)).collect());

/// The one with this id.
pub(super) fn find(id: &PromptTemplateId) -> Option<&'static PromptTemplate> {
    ALL.iter().find(|template| template.id == *id)
}

/// A module's text as a version.
pub(super) fn version(key: &str) -> Option<PromptTemplateVersion> {
    let content = module::find(key)?.text.to_owned();
    Some(PromptTemplateVersion { version: BUILT_IN, content, created_by: None, created_at: NEVER })
}

fn template(module: &Module) -> Option<PromptTemplate> {
    Some(PromptTemplate {
        id: id(module.key)?,
        key: module.key.to_owned(),
        model: None,
        name: module.title.to_owned(),
        description: String::new(),
        category: MODULES_CATEGORY.to_owned(),
        enabled: true,
        active_version: BUILT_IN,
        last_version: 0,
        created_at: NEVER,
        updated_at: NEVER,
    })
}

/// The same on every server and in every release.
fn id(key: &str) -> Option<PromptTemplateId> {
    let name: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    PromptTemplateId::parse(&format!("{}{name:0<DIGITS$}", PromptTemplateId::PREFIX)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_module_has_a_template_with_an_id_of_its_own() {
        let mut ids: Vec<&PromptTemplateId> = ALL.iter().map(|template| &template.id).collect();
        assert_eq!(ids.len(), MODULES.len());
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), MODULES.len());
        let timing = id("timing").unwrap();
        assert_eq!(timing.as_str(), "pt_timing000000000000000000");
        assert_eq!(find(&timing).unwrap().key, "timing");
    }
}
