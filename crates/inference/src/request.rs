//! What a caller asks of the engine and what it gets back. Knows no HTTP and no wire types.

use serde_json::Value;

use crate::error::Error;

/// One generation to perform.
#[derive(Debug, Clone)]
pub struct Request {
    /// Chat messages in OpenAI's form: an array of objects with `role` and `content`; text only.
    pub messages: Value,
    /// Tools in OpenAI's form: an array of `{"type": "function", "function": {…}}`.
    pub tools: Option<Value>,
    /// Whether tools may or must be called.
    pub tool_choice: ToolChoice,
    /// Whether an answer may call several tools; without, the first call ends it.
    pub parallel_tool_calls: bool,
    /// What the answer must look like.
    pub format: Format,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// The most tokens to generate; without it, as many as the context holds.
    pub max_tokens: Option<u32>,
    /// Texts that end the answer and do not appear in it; at most [`Request::MAX_STOPS`].
    pub stop: Vec<String>,
    /// Whose request this is. What was computed for one owner's prompt serves that owner's later prompts only: what is
    /// saved shows, and would tell others how a prompt begins.
    pub owner: String,
    /// Report each token's probability, with this many alternatives; at most [`Request::MAX_ALTERNATIVES`].
    pub logprobs: Option<u8>,
}

impl Request {
    /// The most stop texts a request may have.
    pub const MAX_STOPS: usize = 16;
    /// The most alternatives reported beside a token.
    pub const MAX_ALTERNATIVES: u8 = 20;

    /// A request for an answer to these messages, everything else at its default.
    pub fn new(messages: Value) -> Self {
        Self {
            messages,
            tools: None,
            tool_choice: ToolChoice::Auto,
            parallel_tool_calls: true,
            format: Format::Text,
            sampling: Sampling::default(),
            max_tokens: None,
            stop: Vec::new(),
            owner: String::new(),
            logprobs: None,
        }
    }
}

/// Whether the model may or must call a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// Tools are not offered.
    None,
    /// The model decides.
    #[default]
    Auto,
    /// The answer is a call of some tool.
    Required,
    /// The answer is a call of this function.
    Function(String),
}

/// What the text of an answer must be.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Format {
    /// Anything.
    #[default]
    Text,
    /// A JSON object.
    JsonObject,
    /// JSON that satisfies this schema.
    JsonSchema(Value),
}

/// How tokens are chosen. The defaults change nothing: plain sampling at temperature 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0 takes the most likely token; 1 samples from the model's distribution; at most 2.
    pub temperature: f32,
    /// Only the so many most likely tokens; 0 means all.
    pub top_k: u32,
    /// Only the most likely tokens that together have this probability; 1 means all.
    pub top_p: f32,
    /// Only tokens at least this likely relative to the most likely one; 0 means all.
    pub min_p: f32,
    /// Makes tokens of the prompt and the answer less likely, by division; 1 means no change.
    pub repetition_penalty: f32,
    /// Subtracted from the score of every token already in the answer; −2 to 2.
    pub presence_penalty: f32,
    /// Subtracted once per occurrence in the answer; −2 to 2.
    pub frequency_penalty: f32,
    /// Added to the scores of single tokens; −100 to 100.
    pub logit_bias: Vec<(u32, f32)>,
    /// The same seed and the same request give the same answer; without one, chance decides.
    pub seed: Option<u64>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: Vec::new(),
            seed: None,
        }
    }
}

impl Sampling {
    /// Whether any penalty changes anything.
    pub(crate) fn penalizes(&self) -> bool {
        (self.repetition_penalty, self.presence_penalty, self.frequency_penalty) != (1.0, 0.0, 0.0)
    }

    /// Names the first field that is out of its range.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let within = |param, value: f32, low: f32, high: f32| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(Error::request(param, format!("{value} is not between {low} and {high}")))
            }
        };
        within("temperature", self.temperature, 0.0, 2.0)?;
        within("top_p", self.top_p, 0.0, 1.0)?;
        within("min_p", self.min_p, 0.0, 1.0)?;
        within("repetition_penalty", self.repetition_penalty, 0.1, 10.0)?;
        within("presence_penalty", self.presence_penalty, -2.0, 2.0)?;
        within("frequency_penalty", self.frequency_penalty, -2.0, 2.0)?;
        self.logit_bias.iter().try_for_each(|(_, bias)| within("logit_bias", *bias, -100.0, 100.0))
    }
}

/// What happens during a generation, in order. The last one is `Finished` or `Failed`.
#[derive(Debug, Clone)]
pub enum Event {
    /// Work has begun.
    Started {
        /// Tokens of the rendered prompt.
        prompt_tokens: u32,
        /// How many of them needed no computing because an earlier prompt began alike.
        cached_tokens: u32,
    },
    /// More text of the answer; may be empty where only probabilities are reported.
    Text {
        /// Whole characters.
        text: String,
        /// The tokens' probabilities, if they were asked for.
        logprobs: Vec<TokenLogprob>,
    },
    /// A complete call of a tool.
    ToolCall {
        /// Its place among the answer's calls, from 0.
        index: u32,
        /// The function's name.
        name: String,
        /// The arguments, a JSON object as text.
        arguments: String,
    },
    /// The answer is complete.
    Finished {
        /// Why it ended.
        reason: Finish,
        /// Tokens generated, the one that ended the answer included.
        completion_tokens: u32,
    },
    /// The generation was given up.
    Failed(Error),
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it, or a stop text did.
    Stop,
    /// The limit on tokens, or the context, was reached.
    Length,
    /// It calls at least one tool.
    ToolCalls,
}

/// A generated token and how likely it was, before temperature and penalties.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogprob {
    /// The token as text; bytes that are no whole character are replaced.
    pub token: String,
    /// The token's bytes.
    pub bytes: Vec<u8>,
    /// The natural logarithm of its probability.
    pub logprob: f32,
    /// The most likely tokens at this place, likeliest first, each without alternatives of its own.
    pub top: Vec<TokenLogprob>,
}
