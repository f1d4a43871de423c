//! What modules look at. They look at nothing else: no clock, no database, no request.

use domain::{Result, Timestamp};
use wire::{openai::chat::request::ChatRequest, settings::Settings};

use super::hints::Hints;

/// Everything that a prompt is made of.
#[derive(Clone, Debug)]
pub struct Inputs<'a> {
    /// What the user wants; the defaults where nothing of the user is to be looked at.
    pub settings: &'a Settings,
    /// The instruction of the conversation's project.
    pub project_instruction: Option<&'a str>,
    /// What is remembered and has to do with the question, most important first.
    pub memories: &'a [String],
    /// What the request says.
    pub request: Facts<'a>,
    /// The time.
    pub now: Timestamp,
}

/// What a request says, as far as modules care.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Whether the chat belongs to a conversation.
    pub conversation: bool,
    /// The model's public id.
    pub model: &'a str,
    /// Whether the model reasons, where that is known.
    pub reasons: Option<bool>,
    /// What the user said last; empty when the last message is somebody else's.
    pub question: String,
    /// The tools that the model may use: their names, and what they do.
    pub tools: Vec<(&'a str, Option<&'a str>)>,
    /// Whether to research at length.
    pub deep_research: bool,
    /// Whether to think before answering.
    pub enable_thinking: bool,
    /// How to act, as the client wants it.
    pub persona: Option<&'a str>,
    /// The language that the client prefers, as its tag.
    pub language: Option<&'a str>,
}

impl<'a> Facts<'a> {
    /// The facts of a request. What it leaves open, the settings say in a conversation.
    ///
    /// # Errors
    /// `invalid_parameter` for deep research with a model that is known not to reason.
    pub fn of(
        request: &'a ChatRequest,
        hints: &'a Hints,
        settings: &Settings,
        conversation: bool,
        reasons: Option<bool>,
    ) -> Result<Self> {
        let prefers = |name: &str, otherwise: bool| {
            let preference = settings.preferences.get(name).and_then(serde_json::Value::as_bool);
            if conversation { preference.unwrap_or(otherwise) } else { otherwise }
        };
        if request.deep_research == Some(true) && reasons == Some(false) {
            let message = "Deep research needs a model that reasons; this one does not.";
            return Err(domain::Error::invalid_parameter("deep_research", message));
        }
        Ok(Self {
            conversation,
            model: &request.model,
            reasons,
            question: question(request),
            tools: tools(request),
            deep_research: request.deep_research.unwrap_or_else(|| prefers("enable_deep_research", false)),
            enable_thinking: request.enable_thinking.unwrap_or_else(|| prefers("enable_thinking", true)),
            persona: hints.persona.as_deref(),
            language: hints.language.as_deref(),
        })
    }
}

/// What the user said last.
pub(crate) fn question(request: &ChatRequest) -> String {
    use wire::openai::chat::request::Role;
    let last = request.messages.last().filter(|message| message.role == Role::User);
    last.and_then(|message| message.content.as_ref())
        .map(wire::openai::chat::request::Content::text)
        .unwrap_or_default()
}

fn tools(request: &ChatRequest) -> Vec<(&str, Option<&str>)> {
    let forbidden = request.tool_choice.as_ref().is_some_and(|choice| choice.get() == "\"none\"");
    let tools = request.tools.iter().flatten().filter(|_| !forbidden);
    let functions = tools.filter_map(|tool| tool.function.as_ref());
    functions.map(|function| (function.name.as_str(), function.description.as_deref())).collect()
}
