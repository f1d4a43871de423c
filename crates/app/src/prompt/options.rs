//! The configuration section of the prompt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a module may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Nowhere.
    Never,
    /// In chats of a conversation. A chat without one stays as its client wrote it.
    Conversations,
    /// In every chat.
    Always,
}

/// What is put before the messages of a chat, module by module: `never`, in `conversations`, or `always`. A chat that
/// belongs to no conversation is passed on untouched unless a module is set to `always` or the request itself asks for
/// one, by `deep_research`, `X-Prompt-Persona` or `X-Prompt-Memory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How to research, where a request has `deep_research: true`.
    pub deep_research: When,
    /// The date, and the language that the client prefers.
    pub timing: When,
    /// The instruction of the conversation's project.
    pub project_instruction: When,
    /// Style, name, occupation and instructions from the user's settings; the persona that a request asks for.
    pub user_profile: When,
    /// What the server remembers for the user, and what a request gives in `X-Prompt-Memory`.
    pub memory: When,
    /// How to use the tools that a request offers.
    pub tool_instructions: When,
    /// How to answer with code, where the question looks like one about code. A guess by its words.
    pub code_assistant: When,
    /// To think step by step, where the question looks complex. A guess by its words.
    pub chain_of_thought: When,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deep_research: When::Always,
            timing: When::Conversations,
            project_instruction: When::Conversations,
            user_profile: When::Conversations,
            memory: When::Conversations,
            tool_instructions: When::Never,
            code_assistant: When::Never,
            chain_of_thought: When::Never,
        }
    }
}

impl Options {
    /// Where this module may speak.
    pub(super) fn of(self, module: &str) -> When {
        match module {
            "deep_research" => self.deep_research,
            "timing" => self.timing,
            "project_instruction" => self.project_instruction,
            "user_profile" => self.user_profile,
            "memory" => self.memory,
            "tool_instructions" => self.tool_instructions,
            "code_assistant" => self.code_assistant,
            "chain_of_thought" => self.chain_of_thought,
            _ => When::Never,
        }
    }

    /// Whether a module speaks in every chat without being asked. Deep research waits to be asked.
    pub(super) fn speaks_unasked(self) -> bool {
        let unasked = [
            self.timing,
            self.user_profile,
            self.memory,
            self.tool_instructions,
            self.code_assistant,
            self.chain_of_thought,
        ];
        unasked.contains(&When::Always)
    }
}
