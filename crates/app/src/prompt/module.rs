//! What a module is: a name, a text, and a small function that decides whether to speak.

use minijinja::Value;

use super::Inputs;

/// A part of the prompt.
pub(crate) struct Module {
    /// Its name, in the answer's header and as the key of its template.
    pub(crate) key: &'static str,
    /// Its title for administrators.
    pub(crate) title: &'static str,
    /// The text that the server brings along.
    pub(crate) text: &'static str,
    /// What the text may use, each with what it is.
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// What the text is filled with; `None` when the module has nothing to say.
    pub(crate) fill: fn(&Inputs<'_>) -> Option<Value>,
}

/// Every module, in the order in which they speak.
pub(crate) const MODULES: &[&Module] = &[
    &super::deep_research::MODULE,
    &super::timing::MODULE,
    &super::project_instruction::MODULE,
    &super::user_profile::MODULE,
    &super::memory::MODULE,
    &super::tool_instructions::MODULE,
    &super::code_assistant::MODULE,
    &super::chain_of_thought::MODULE,
];

/// The module of this name.
pub(crate) fn find(key: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.key == key).copied()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::LazyLock;

    use domain::Timestamp;
    use wire::settings::Settings;

    use super::*;
    use crate::prompt::{inputs::Facts, sandbox};

    static SETTINGS: LazyLock<Settings> = LazyLock::new(Settings::default);

    /// A plain question in a conversation of somebody who changed nothing.
    pub(crate) fn inputs() -> Inputs<'static> {
        Inputs {
            settings: &SETTINGS,
            project_instruction: None,
            memories: &[],
            request: Facts {
                conversation: true,
                model: "m",
                reasons: None,
                question: "Hello".to_owned(),
                tools: Vec::new(),
                deep_research: false,
                enable_thinking: true,
                persona: None,
                language: None,
            },
            now: Timestamp::from_seconds(1_800_000_000),
        }
    }

    /// What the module says.
    pub(crate) fn render(module: &Module, inputs: &Inputs<'_>) -> Option<String> {
        Some(sandbox::render(module.text, &(module.fill)(inputs)?).unwrap())
    }

    #[test]
    fn names_are_unique_and_texts_use_what_is_declared() {
        for module in MODULES {
            assert_eq!(MODULES.iter().filter(|other| other.key == module.key).count(), 1);
            let names: Vec<&str> = module.variables.iter().map(|(name, _)| *name).collect();
            sandbox::check(module.text, &names).unwrap();
        }
    }
}
