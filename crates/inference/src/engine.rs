//! The engine as its users see it: load a file, submit requests, read events.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures_util::Stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::answer::{Answer, Output};
use crate::constraint::{self, Constraint, Constraints};
use crate::error::Error;
use crate::gguf::{Gguf, Value as Metadata};
use crate::kernel::Pool;
use crate::model::{Model, Shape};
use crate::request::{Event, Format, Request, ToolChoice};
use crate::sampler::Sampler;
use crate::scheduler::{Job, Place, Queue, Scheduler};
use crate::stop::StopFilter;
use crate::template::{Template, map_texts, normalize};
use crate::tokenizer::{Tokenizer, Utf8Stream};
use crate::tools::{FORCED_PREFIX, ToolFilter, Tools, instructions};

/// The longest stop text, in bytes.
const MAX_STOP_BYTES: usize = 1024;
/// The most threads an engine uses, whatever is asked for.
const MAX_THREADS: usize = 256;

/// How an engine works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// Threads that compute; without a number, one per available core.
    pub threads: Option<usize>,
    /// Requests answered at the same time; at least 1.
    pub max_parallel: usize,
    /// Requests that may wait beyond those.
    pub queue: usize,
    /// The most tokens of a prompt and its answer together; never more than the model was made for.
    pub context: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { threads: None, max_parallel: 4, queue: 32, context: 8192 }
    }
}

/// What a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// The architecture's name in the file, such as `qwen2`.
    pub architecture: String,
    /// The model's own name, if the file has one.
    pub name: Option<String>,
    /// The number of weights.
    pub parameters: u64,
    /// The most tokens of a prompt and its answer together.
    pub context_length: usize,
    /// The number of different tokens.
    pub vocabulary: usize,
}

/// A loaded model, ready to answer. Clones share it; it is unloaded with the last of them.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    info: ModelInfo,
    tokenizer: Arc<Tokenizer>,
    template: Template,
    constraints: OnceLock<Result<Constraints, Error>>,
    queue: Arc<Queue>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.stop();
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("info", &self.inner.info).finish_non_exhaustive()
    }
}

impl Engine {
    /// Loads a GGUF file and starts the engine's threads.
    ///
    /// Blocks for about a second per gigabyte: call it from `spawn_blocking`.
    pub fn load(path: &Path, options: &EngineOptions) -> Result<Self, Error> {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = options.threads.unwrap_or_else(cores).clamp(1, MAX_THREADS);
        let mut file = Gguf::open(path)?;
        let name = file.text("general.name").map(str::to_owned);
        let parameters = file.parameters();
        let source = match file.take("tokenizer.chat_template") {
            Some(Metadata::Text(source)) => Some(source),
            _ => None,
        };
        let shape = Shape::read(&file)?;
        let tokenizer = Arc::new(Tokenizer::load(&mut file)?);
        if shape.vocabulary != tokenizer.len() {
            let message = format!("{} embeddings for {} tokens", shape.vocabulary, tokenizer.len());
            return Err(Error::file(message));
        }
        let template = Template::new(source, tokenizer.begin_text(), tokenizer.end_text())?;
        let model = Model::load(&mut file, shape, threads)?;
        model.level.report();
        let info = ModelInfo {
            architecture: model.shape.architecture.to_owned(),
            name,
            parameters,
            context_length: options.context.min(model.shape.context),
            vocabulary: model.shape.vocabulary,
        };
        let queue = Arc::new(Queue::new(options.max_parallel.max(1), options.queue));
        let scheduler = Scheduler::new(Arc::clone(&queue), Arc::new(model), Pool::new(threads)?);
        let thread = std::thread::Builder::new().name("model-0".to_owned()).stack_size(constraint::STACK);
        thread.spawn(move || scheduler.run())?;
        let inner = Inner { info, tokenizer, template, constraints: OnceLock::new(), queue };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Begins an answer. Everything that can be wrong with the request is told here, before any event.
    ///
    /// Preparation (template, tokens, grammar) happens on tokio's blocking threads: call it from within a
    /// runtime. Dropping the [`Generation`] cancels the work.
    pub async fn submit(&self, request: Request) -> Result<Generation, Error> {
        let place = self.inner.queue.enter()?;
        let inner = Arc::clone(&self.inner);
        let prepared = tokio::task::spawn_blocking(move || {
            let (job, events) = inner.prepare(request, place)?;
            inner.queue.submit(job);
            Ok(Generation { events, _engine: inner })
        });
        prepared.await.map_err(|e| Error::Internal(e.to_string()))?
    }

    /// What the model is.
    pub fn info(&self) -> &ModelInfo {
        &self.inner.info
    }

    /// Whether this token ends an answer.
    pub fn is_end(&self, token: u32) -> bool {
        self.inner.tokenizer.is_end(token)
    }

    /// The number of tokens of a text by itself.
    pub fn count_tokens(&self, text: &str) -> usize {
        self.inner.tokenizer.encode(text).len()
    }
}

impl Inner {
    fn prepare(&self, request: Request, place: Place) -> Result<(Job, mpsc::Receiver<Event>), Error> {
        check(&request, self.tokenizer.len())?;
        let tools = match &request.tools {
            Some(list) if request.tool_choice != ToolChoice::None => Some((Tools::read(list)?, list)),
            _ => None,
        };
        let tools = tools.filter(|(tools, _)| !tools.is_empty());
        let forced = match &tools {
            Some((tools, _)) => tools.forced(&request.tool_choice)?,
            None if matches!(request.tool_choice, ToolChoice::None | ToolChoice::Auto) => None,
            None => return Err(Error::request("tool_choice", "it asks for a tool, and there are no `tools`")),
        };

        let prompt = self.prompt(&request.messages, tools.as_ref().map(|(_, list)| *list), forced.is_some())?;
        let tokens = self.tokenizer.encode_prompt(&prompt);
        let limit = self.info.context_length.saturating_sub(1);
        if tokens.len() > limit {
            return Err(Error::PromptTooLong { tokens: tokens.len(), limit });
        }
        if tokens.is_empty() {
            return Err(Error::request("messages", "they render to an empty prompt"));
        }

        // A constrained answer is read as what it was constrained to, and a free one as the model likes.
        let (names, is_forced) = match (&tools, &forced, &request.format) {
            (Some((tools, _)), Some(_), _) => (tools.names(), true),
            (Some((tools, _)), None, Format::Text) => (tools.names(), false),
            _ => (Vec::new(), false),
        };
        let constraint = match (forced, request.format) {
            (Some(schema), _) => Some(self.constraint(schema, "tools")?),
            (None, Format::JsonSchema(schema)) => Some(self.constraint(schema, "response_format")?),
            (None, Format::JsonObject) => Some(self.constraint(json!({"type": "object"}), "response_format")?),
            (None, Format::Text) => None,
        };
        let room = self.info.context_length - tokens.len();
        let most = request.max_tokens.map_or(room, |n| room.min(n as usize));
        let (output, events) = Output::new(most);
        let answer = Answer {
            tokenizer: Arc::clone(&self.tokenizer),
            sampler: Sampler::new(request.sampling, &tokens),
            constraint,
            stop: StopFilter::new(request.stop),
            tools: ToolFilter::new(names, is_forced),
            single_call: !request.parallel_tool_calls,
            most,
            logprobs: request.logprobs,
            output,
            utf8: Utf8Stream::default(),
            generated: 0,
        };
        Ok((Job { tokens, owner: request.owner, answer, place }, events))
    }

    /// The text of the prompt, in which only the template's own special tokens are special.
    fn prompt(&self, messages: &Value, tools: Option<&Value>, forced: bool) -> Result<String, Error> {
        let escape = |text: &str| self.tokenizer.escape(text);
        let mut messages = normalize(messages, &escape)?;
        let mut tools = tools.map(|tools| map_texts(tools.clone(), &escape));
        if !self.template.knows_tools()
            && let Some(tools) = tools.take()
        {
            add_instructions(&mut messages, &escape(&instructions(&tools)));
        }
        let mut prompt = self.template.render(&messages, tools.as_ref())?;
        if forced {
            prompt += FORCED_PREFIX;
        }
        Ok(prompt)
    }

    fn constraint(&self, schema: Value, param: &'static str) -> Result<Constraint, Error> {
        // Made when first needed: it takes a tenth of a second and some memory.
        let constraints = self.constraints.get_or_init(|| Constraints::new(&self.tokenizer));
        constraints.as_ref().map_err(Clone::clone)?.schema(schema, param)
    }
}

/// Appends a text to the system message, or begins with one.
fn add_instructions(messages: &mut Value, text: &str) {
    let Some(list) = messages.as_array_mut() else { return };
    let is_system = |message: &&mut Value| message["role"] == "system";
    match list.first_mut().filter(is_system).and_then(|message| message.get_mut("content")) {
        Some(Value::String(content)) => {
            content.push_str("\n\n");
            content.push_str(text);
        }
        _ => list.insert(0, json!({"role": "system", "content": text})),
    }
}

fn check(request: &Request, vocabulary: usize) -> Result<(), Error> {
    request.sampling.check()?;
    if let Some((token, _)) = request.sampling.logit_bias.iter().find(|(t, _)| *t as usize >= vocabulary) {
        return Err(Error::request("logit_bias", format!("there is no token {token}")));
    }
    if request.max_tokens == Some(0) {
        return Err(Error::request("max_tokens", "at least 1"));
    }
    if request.stop.len() > Request::MAX_STOPS || request.stop.iter().any(|s| s.len() > MAX_STOP_BYTES) {
        let message = format!("at most {} texts of at most {MAX_STOP_BYTES} bytes are accepted", Request::MAX_STOPS);
        return Err(Error::request("stop", message));
    }
    if request.logprobs.is_some_and(|n| n > Request::MAX_ALTERNATIVES) {
        return Err(Error::request("top_logprobs", format!("at most {}", Request::MAX_ALTERNATIVES)));
    }
    Ok(())
}

/// An answer being generated: a stream of events. Dropping it cancels the work.
pub struct Generation {
    events: mpsc::Receiver<Event>,
    /// An engine lives as long as its answers.
    _engine: Arc<Inner>,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation").finish_non_exhaustive()
    }
}

impl Generation {
    /// The next event; nothing after `Finished` or `Failed`.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Stream for Generation {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.events.poll_recv(context)
    }
}
