//! What is put before the messages of a chat.
//!
//! Modules speak one after the other, each a small pure function of [`Inputs`]: it fills in a text or declines. What they
//! say becomes one system message. [`compose`] does that and nothing else; [`Prompt`] gathers what it needs: the user's
//! settings, memories, the texts of administrators. A chat without a conversation that asks for nothing costs a
//! comparison, unless the operator wants modules in every chat.

mod chain_of_thought;
mod code_assistant;
mod deep_research;
pub mod hints;
pub mod inputs;
mod memory;
mod merge;
pub(crate) mod module;
mod options;
pub(crate) mod people;
mod project_instruction;
pub(crate) mod sandbox;
pub(crate) mod texts;
mod timing;
mod tool_instructions;
mod user_profile;
mod words;

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    Clock, Result,
    ids::{ProjectId, UserId},
};
use store::Store;
use wire::{
    openai::chat::ChatRequest,
    settings::{ProfileSettings, Settings},
};

use self::{module::MODULES, texts::Table};
use crate::{
    chat::body::RawMessage,
    memories::{Embedder, Memories, Outcome},
    prompt_templates::PromptTemplates,
};

pub use hints::{Hints, MemoryAccess};
pub use inputs::{Facts, Inputs};
pub use options::{Options, When};
pub use people::People;
pub(crate) use texts::Texts;

/// In the answer's header when something was remembered because the message asked for it; or was not, because it is too
/// long or there is no room.
const MEMORY_SAVED: &str = "memory_saved";
const MEMORY_NOT_SAVED: &str = "memory_not_saved";

/// What modules say, and which did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composed {
    /// The system text; empty when no module speaks.
    pub text: String,
    /// The names for `X-Applied-Prompt-Modules`, in order.
    pub applied: Vec<&'static str>,
    /// Whether the user prefers answers without thinking, and the request does not say.
    pub forgoes_thinking: bool,
}

impl Composed {
    /// Puts the text before the messages of `request`, and of `body`, which is the request as it came. A system message
    /// of the client's stays after it. Without a text, both stay as they are.
    ///
    /// # Errors
    /// `internal_error` for a body that is not the request's.
    pub fn put_before(&self, request: &mut ChatRequest, body: Bytes) -> Result<Bytes> {
        if self.text.is_empty() {
            return Ok(body);
        }
        merge::put_before(&self.text, request, &body)
    }

    /// Puts the text before these messages.
    ///
    /// # Errors
    /// `internal_error` for what is no message.
    pub(crate) fn put_into(&self, messages: &mut Vec<RawMessage>) -> Result<()> {
        if self.text.is_empty() { Ok(()) } else { merge::put_into(&self.text, messages) }
    }

    /// The value of `X-Applied-Prompt-Modules`; `None` when there is nothing to name.
    pub fn header(&self) -> Option<String> {
        (!self.applied.is_empty()).then(|| self.applied.join(","))
    }
}

/// What the modules say to these inputs.
pub(crate) fn compose(table: &Table, options: Options, inputs: &Inputs<'_>) -> Composed {
    let mut composed = Composed::default();
    for module in MODULES.iter().filter(|module| may_speak(module.key, options, inputs)) {
        let said = (module.fill)(inputs).and_then(|variables| table.say(module, inputs.request.model, &variables));
        let Some(said) = said.filter(|said| !said.trim().is_empty()) else { continue };
        if !composed.text.is_empty() {
            composed.text.push_str("\n\n");
        }
        composed.text.push_str(said.trim());
        composed.applied.push(module.key);
    }
    composed
}

fn may_speak(module: &str, options: Options, inputs: &Inputs<'_>) -> bool {
    match options.of(module) {
        When::Never => false,
        When::Always => true,
        When::Conversations => match module {
            // What the request itself brings along was asked for.
            "user_profile" if inputs.request.persona.is_some() => true,
            "memory" if !inputs.memories.is_empty() => true,
            _ => inputs.request.conversation,
        },
    }
}

/// A conversation that a chat belongs to, as far as its prompt is concerned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bound<'a> {
    /// Its project.
    pub project: Option<&'a ProjectId>,
    /// The project's instruction.
    pub instruction: Option<&'a str>,
    /// Whether what is said may be kept: not so in a temporary chat, or when the request says `store: false`.
    pub keep: bool,
}

/// Composes prompts. Clones share everything.
#[derive(Clone)]
pub struct Prompt(Arc<Inner>);

struct Inner {
    options: Options,
    templates: PromptTemplates,
    memories: Memories,
    clock: Clock,
}

impl Prompt {
    /// Prompts as `options` say, of what is in `store`. Memories are compared by what `embedder` says they mean, or by
    /// their words without one.
    pub fn new(options: Options, store: Store, clock: Clock, embedder: Option<Arc<dyn Embedder>>) -> Self {
        let templates = PromptTemplates::new(store.clone(), clock.clone());
        let memories = Memories::new(People::new(store, clock.clone()), embedder);
        Self(Arc::new(Inner { options, templates, memories, clock }))
    }

    /// The texts that prompts are made of.
    pub fn templates(&self) -> &PromptTemplates {
        &self.0.templates
    }

    /// What is remembered.
    pub fn memories(&self) -> &Memories {
        &self.0.memories
    }

    /// Puts a prompt before a chat that belongs to no conversation, if the operator or the request wants one; otherwise the
    /// body stays what it is, and that costs a few comparisons. Gives the body, and the value of
    /// `X-Applied-Prompt-Modules`. `reasons` as for [`Prompt::compose`].
    ///
    /// # Errors
    /// What [`ChatRequest::check`] and [`Prompt::compose`] refuse.
    pub async fn put_before(
        &self,
        caller: &UserId,
        hints: &Hints,
        request: &mut ChatRequest,
        body: Bytes,
        reasons: impl Fn(&str) -> Option<bool>,
    ) -> Result<(Bytes, Option<String>)> {
        if !self.0.options.speaks_unasked() && !hints.ask() && request.deep_research != Some(true) {
            return Ok((body, None));
        }
        request.check()?;
        // Behind a pointer: who wants no prompt does not carry its state.
        let composed = Box::pin(self.compose(caller, None, hints, request, reasons(&request.model))).await?;
        let body = composed.put_before(request, body)?;
        Ok((body, composed.header()))
    }

    /// Composes the prompt of a chat: with `bound` of one in a conversation, else of one by itself.
    ///
    /// `hints` are what the client says beside the body, and what the conversation's metadata adds
    /// ([`Hints::add_metadata`]); `reasons` is whether the model reasons, where that is known. A message that begins
    /// with “remember that” is remembered here, durably, if the user wants a memory.
    ///
    /// # Errors
    /// `invalid_parameter` for `deep_research` with a model that does not reason; what the database's failures mean.
    pub async fn compose(
        &self,
        caller: &UserId,
        bound: Option<Bound<'_>>,
        hints: &Hints,
        request: &ChatRequest,
        reasons: Option<bool>,
    ) -> Result<Composed> {
        let Inner { options, templates, memories, clock } = &*self.0;
        let personal = bound.is_some() || options.speaks_unasked();
        let person = if personal { Some(memories.people().get(caller).await?) } else { None };
        let defaults;
        let settings = match &person {
            // What a user set is told where the operator lets the module speak, and nowhere else.
            Some(person) if bound.is_some() || options.user_profile == When::Always => &person.settings,
            Some(person) => {
                defaults = Settings { profile_settings: ProfileSettings::default(), ..person.settings.clone() };
                &defaults
            }
            None => {
                defaults = Settings::default();
                &defaults
            }
        };
        let mut facts = Facts::of(request, hints, settings, bound.is_some(), reasons)?;
        let forgoes_thinking = request.enable_thinking.is_none() && !facts.enable_thinking;
        let table = templates.texts().table().await;
        let persona = facts.persona.and_then(|name| table.persona(name, facts.model));
        facts.persona = persona.as_deref().or(facts.persona);

        let mut applied = Vec::new();
        let mut told = hints.memories.clone();
        let remembers = match options.memory {
            When::Never => false,
            When::Conversations => bound.is_some(),
            When::Always => true,
        };
        if let Some(person) = person.as_ref().filter(|_| remembers) {
            let project = bound.and_then(|bound| bound.project);
            if hints.memory.remember && bound.is_none_or(|bound| bound.keep) {
                applied.extend(self.remember(caller, settings, project, &facts.question).await?);
            }
            if hints.memory.recall {
                told.extend(memories.recall(person, project, &facts.question).await);
            }
        }
        let inputs = Inputs {
            settings,
            project_instruction: bound.and_then(|bound| bound.instruction),
            memories: &told,
            request: facts,
            now: clock.now(),
        };
        let mut composed = compose(&table, *options, &inputs);
        composed.applied.append(&mut applied);
        composed.forgoes_thinking = forgoes_thinking;
        Ok(composed)
    }

    async fn remember(
        &self,
        caller: &UserId,
        settings: &Settings,
        project: Option<&ProjectId>,
        question: &str,
    ) -> Result<Option<&'static str>> {
        let config = &settings.memory_config;
        if !config.enabled || !config.observe_enabled {
            return Ok(None);
        }
        Ok(match self.0.memories.remember(caller, project, question).await? {
            Outcome::NotAsked => None,
            Outcome::Remembered => Some(MEMORY_SAVED),
            Outcome::NoRoom => Some(MEMORY_NOT_SAVED),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{module::tests::inputs, *};

    fn all(when: When) -> Options {
        Options {
            deep_research: when,
            timing: when,
            project_instruction: when,
            user_profile: when,
            memory: when,
            tool_instructions: when,
            code_assistant: when,
            chain_of_thought: when,
        }
    }

    /// Inputs to which every module has something to say.
    fn talkative(memories: &[String]) -> Inputs<'_> {
        let mut inputs = inputs();
        inputs.project_instruction = Some("Speak Latin.");
        inputs.memories = memories;
        inputs.request.deep_research = true;
        inputs.request.persona = Some("a pirate");
        inputs.request.tools = vec![("search", None)];
        inputs.request.question = "Compare these functions".to_owned();
        inputs
    }

    #[test]
    fn modules_speak_in_order_each_with_its_switch() {
        let table = Table::new(Vec::new());
        let memories = ["Likes tea".to_owned()];
        let inputs = talkative(&memories);
        let composed = compose(&table, all(When::Always), &inputs);
        let names: Vec<&str> = MODULES.iter().map(|module| module.key).collect();
        assert_eq!(composed.applied, names);
        assert_eq!(composed.header().unwrap(), names.join(","));
        assert!(composed.text.starts_with("Research this question"), "{}", composed.text);
        assert_eq!(composed.text.matches("\n\n").count(), names.len() - 1, "{}", composed.text);
        assert_eq!(compose(&table, all(When::Never), &inputs), Composed::default());
        for name in names {
            let mut options = serde_json::to_value(all(When::Always)).unwrap();
            options[name] = "never".into();
            let options: Options = serde_json::from_value(options).unwrap();
            let applied = compose(&table, options, &inputs).applied;
            assert!(applied.len() == MODULES.len() - 1 && !applied.contains(&name), "{applied:?}");
        }
    }

    #[test]
    fn without_a_conversation_only_what_was_asked_for_speaks() {
        let table = Table::new(Vec::new());
        let memories = ["Likes tea".to_owned()];
        let mut inputs = talkative(&memories);
        inputs.request.conversation = false;
        let applied = compose(&table, Options::default(), &inputs).applied;
        assert_eq!(applied, ["deep_research", "user_profile", "memory"]);
        inputs.request.deep_research = false;
        inputs.request.persona = None;
        inputs.memories = &[];
        assert_eq!(compose(&table, Options::default(), &inputs), Composed::default());
    }

    #[test]
    fn a_conversation_gets_the_modules_that_guess_nothing() {
        let table = Table::new(Vec::new());
        let memories = ["Likes tea".to_owned()];
        let applied = compose(&table, Options::default(), &talkative(&memories)).applied;
        assert_eq!(applied, ["deep_research", "timing", "project_instruction", "user_profile", "memory"]);
    }
}
