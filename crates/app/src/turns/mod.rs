//! Turns of a conversation: a question, the model's answer, and both kept.
//!
//! The history is put before the question and the prompt before both, as far as the model has room ([`trim`]); the answer
//! is passed on as it comes; then question and answer are kept in one transaction ([`keep`]), and only then does the
//! answer end. Whoever sees an answer's end can rely on it; whoever leaves before finds what was said so far, marked as
//! incomplete. A chat without a conversation passes through untouched.

mod answer;
mod images;
mod keep;
mod mark;
mod messages;
mod question;
mod recent;
mod regenerate;
mod stream;
mod trim;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use domain::{
    Clock, Error, Principal, Result,
    conversation::Conversation,
    ids::{ConversationId, UserId},
    item::Making,
};
use futures_util::Stream;
use store::Store;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use wire::openai::{
    chat::{ChatRequest, request::ConversationRef},
    items::ItemIn,
};

use self::{
    answer::{Ending, Gathered},
    keep::{Destination, Kept, Turn},
    messages::{Messages, PromptMessage},
    recent::{Recent, recent},
    stream::Report,
    trim::Fitted,
};
pub use self::{
    regenerate::{Again, Outcome, Regenerated, Show},
    stream::KeptEvents,
};
use crate::{
    chat::{
        Chat, Completion, Events, Notes,
        body::{Fields, RawMessage},
        dialect,
    },
    conversations::{self, Conversations},
    models::{Model, Models},
    prompt::{Bound, Composed, Hints, Prompt},
};

/// What a request says to this server and not to the model's.
const OURS: [&str; 4] = ["conversation", "store", "store_reasoning", "deep_research"];
/// The same in a chat without a conversation: whether it is stored is then for the upstream to understand.
const OURS_ALWAYS: [&str; 2] = ["store_reasoning", "deep_research"];

/// The use-case. Clones share everything.
#[derive(Clone)]
pub struct Turns(Arc<Inner>);

struct Inner {
    chat: Chat,
    models: Models,
    prompt: Prompt,
    conversations: Conversations,
    store: Store,
    clock: Clock,
    tasks: TaskTracker,
}

/// An answer.
pub struct Answer {
    /// The answer itself.
    pub reply: Reply,
    /// The value of `X-Applied-Prompt-Modules`.
    pub applied: Option<String>,
    /// The conversation it belongs to.
    pub conversation: Option<ConversationId>,
}

/// An answer, whole or as it is made.
pub enum Reply {
    /// The whole answer, a `chat.completion` object as JSON.
    Whole(Bytes),
    /// The answer's events.
    Stream(ReplyEvents),
}

/// The events of an answer, each ready to be sent.
pub enum ReplyEvents {
    /// Nobody keeps them.
    Passed(Events),
    /// They are kept.
    Kept(KeptEvents),
}

impl Stream for ReplyEvents {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        match self.get_mut() {
            Self::Passed(events) => Pin::new(events).poll_next(cx),
            Self::Kept(events) => Pin::new(events).poll_next(cx),
        }
    }
}

/// What a turn goes on from.
struct Ground {
    /// The conversation; none in a temporary chat.
    conversation: Option<Conversation>,
    /// Where the turn goes; none when it is not to be kept.
    destination: Option<Destination>,
    /// What was said, as far as a model could be told.
    history: Recent,
}

/// What a model is to be asked.
struct Ask<'a> {
    /// The request, whose messages are in the other fields.
    request: ChatRequest,
    /// Its fields as they came.
    fields: Fields<'a>,
    /// What the client says to the model on top of everything.
    instructions: Vec<RawMessage>,
    /// What was said, the question at its end.
    said: Vec<PromptMessage>,
    /// Whether nothing was said before that.
    is_all: bool,
    /// How many messages the question has.
    question: usize,
    hints: Hints,
}

/// Whether a chat goes on with a conversation that is there: the model is told what was said.
pub fn goes_on(request: &ChatRequest) -> bool {
    request.conversation.as_ref().is_some_and(|wish| named(wish).is_some_and(|id| id != conversations::TEMPORARY))
}

/// The id that a wish for a conversation names.
fn named(wish: &ConversationRef) -> Option<&str> {
    wish.id.as_deref().filter(|id| !id.is_empty())
}

/// What is done with an answer.
struct Plan {
    /// The conversation it belongs to.
    conversation: Option<Conversation>,
    /// The turn, if it is to be kept.
    turn: Option<Turn>,
    /// What the end of a stream says of the turn.
    report: Option<Report>,
}

impl Turns {
    /// Turns of conversations in `store`, answered by `chat`. What is begun to be kept when a client leaves is on `tasks`.
    pub fn new(
        chat: Chat,
        models: Models,
        prompt: Prompt,
        conversations: Conversations,
        store: Store,
        clock: Clock,
        tasks: TaskTracker,
    ) -> Self {
        Self(Arc::new(Inner { chat, models, prompt, conversations, store, clock, tasks }))
    }

    /// The chats behind the turns.
    pub fn chat(&self) -> &Chat {
        &self.0.chat
    }

    /// What is put before the messages of turns.
    pub fn prompt(&self) -> &Prompt {
        &self.0.prompt
    }

    /// The conversations that turns belong to.
    pub fn conversations(&self) -> &Conversations {
        &self.0.conversations
    }

    /// Answers a chat, and keeps it if it belongs to a conversation. `body` is `request` as it came; `referrer` labels a
    /// conversation that is made.
    ///
    /// # Errors
    /// What [`Chat::complete`] and [`Prompt::compose`] refuse; `invalid_id`, `conversation_not_found`,
    /// `branch_not_found`, `context_length_exceeded`.
    pub async fn answer(
        &self,
        caller: &Principal,
        hints: &Hints,
        referrer: Option<&str>,
        mut request: Box<ChatRequest>,
        body: Bytes,
        notes: impl Notes,
    ) -> Result<Answer> {
        let owner = &caller.user_id;
        let body = dialect::translate(&mut request, body)?;
        if request.conversation.is_none() {
            let reasons = |model: &str| self.0.models.resolve(model).ok()?.reasons();
            let (mut body, applied) = self.0.prompt.put_before(owner, hints, &mut request, body, reasons).await?;
            if request.deep_research.is_some() || request.store_reasoning.is_some() {
                body = Fields::of_body(&body)?.without(&OURS_ALWAYS);
            }
            let reply = match self.0.chat.complete(owner, request, body, notes).await? {
                Completion::Whole(answer) => Reply::Whole(answer),
                Completion::Stream(events) => Reply::Stream(ReplyEvents::Passed(events)),
            };
            return Ok(Answer { reply, applied, conversation: None });
        }
        // Behind a pointer: a chat without a conversation does not carry its state.
        Box::pin(self.turn(caller, hints.clone(), referrer, *request, body, notes)).await
    }

    /// Answers a chat that belongs to a conversation.
    async fn turn(
        &self,
        caller: &Principal,
        hints: Hints,
        referrer: Option<&str>,
        request: ChatRequest,
        body: Bytes,
        notes: impl Notes,
    ) -> Result<Answer> {
        request.check()?;
        let Ground { conversation, destination, history } = self.ground(caller, &request, referrer).await?;
        let fields = Fields::of_body(&body)?;
        let sent: Vec<question::Sent<'_>> = request.messages.iter().zip(fields.messages()?).collect();
        let Recent { items: history, is_all } = &history;
        let new = question::new_messages(&sent, history);
        let mut question = question::items(new)?;
        let mut history = history.as_slice();
        if let Some(at) = question::kept_at(&question, history) {
            question.clear();
            history = &history[..at];
        }

        let mut told = Messages::default();
        for item in history {
            told.item(item);
        }
        let asked = new.iter().filter(|(sent, _)| !question::is_instruction(sent));
        let copy = |(sent, raw): &question::Sent<'_>| RawMessage { message: (*sent).clone(), json: (*raw).to_owned() };
        asked.clone().for_each(|sent| told.sent(copy(sent)));
        let asked = asked.count();
        let instructions = sent.iter().filter(|(sent, _)| question::is_instruction(sent)).map(copy).collect();
        let said = told.finish();
        let ask = Ask { instructions, said, is_all: *is_all, question: asked, fields, request, hints };
        let mut conversation = conversation;
        let title = question::title(&question);
        let turn = destination.zip(conversation.as_mut()).map(|(mut destination, conversation)| {
            let title = title.filter(|_| conversation.title.is_none());
            if title.is_some() {
                conversation.title.clone_from(&title);
            }
            if let Destination::New(made) = &mut destination {
                made.title.clone_from(&title);
            }
            let question = self.0.conversations.new_items(question);
            Turn { owner: caller.user_id.clone(), conversation: conversation.id.clone(), destination, question, title }
        });
        let plan = Plan { conversation, turn, report: None };
        self.ask(&caller.user_id, ask, plan, notes).await.map(|(answer, _)| answer)
    }

    /// Asks the model, and sees to it that the turn is kept: before a whole answer is given, and before a stream ends.
    async fn ask(&self, owner: &UserId, ask: Ask<'_>, plan: Plan, notes: impl Notes) -> Result<(Answer, Option<Kept>)> {
        let Ask { mut request, mut fields, instructions, said, is_all, question, mut hints } = ask;
        let model = self.0.models.resolve(&request.model)?;
        let fitted = fit(&model, said, question).await?;
        let composed =
            self.compose(owner, plan.conversation.as_ref(), plan.turn.is_some(), &mut hints, &request).await?;
        let mut messages = instructions;
        for said in fitted.messages {
            messages.push(said.into_raw()?);
        }
        composed.put_into(&mut messages)?;
        if composed.forgoes_thinking {
            fields.set("enable_thinking", "false");
            request.enable_thinking = Some(false);
        }
        let body = fields.with_messages(&messages, &OURS);
        request.messages = messages.into_iter().map(|told| told.message).collect();
        let with_thoughts = request.store_reasoning.unwrap_or(false);
        let conversation = plan.conversation.as_ref();
        let id = conversation.map(|conversation| conversation.id.clone());
        let mark =
            mark::fields(id.as_ref(), conversation.and_then(|it| it.title.as_deref()), fitted.trimmed || !is_all);
        let mut unanswered = Unanswered { turns: self, turn: plan.turn };
        let completion = self.0.chat.complete(owner, Box::new(request), body, notes).await;
        let turn = unanswered.turn.take();
        let mut kept = None;
        let reply = match (completion?, turn) {
            (Completion::Whole(answer), None) => Reply::Whole(mark::put_on(&answer, &mark)),
            (Completion::Stream(events), None) => Reply::Stream(ReplyEvents::Passed(events)),
            (Completion::Whole(answer), Some(turn)) => {
                let keeping = self.keep_whole(turn, &answer, with_thoughts, &model.id);
                kept = Some(keeping.await.unwrap_or_else(|gone| Err(Error::internal(gone)))?);
                Reply::Whole(mark::put_on(&answer, &mark))
            }
            (Completion::Stream(events), Some(turn)) => {
                let events = KeptEvents::new(self.clone(), turn, events, mark, with_thoughts, plan.report);
                Reply::Stream(ReplyEvents::Kept(events))
            }
        };
        Ok((Answer { reply, applied: composed.header(), conversation: id }, kept))
    }

    /// What is put before everything else.
    async fn compose(
        &self,
        owner: &UserId,
        conversation: Option<&Conversation>,
        keep: bool,
        hints: &mut Hints,
        request: &ChatRequest,
    ) -> Result<Composed> {
        if let Some(conversation) = conversation {
            hints.add_metadata(conversation.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        }
        let project = match conversation.and_then(|conversation| conversation.project_id.as_ref()) {
            Some(id) => self.0.store.read().await?.project(owner, id).await?,
            None => None,
        };
        let bound = Bound {
            project: project.as_ref().map(|project| &project.id),
            instruction: project.as_ref().and_then(|project| project.instruction.as_deref()),
            keep,
        };
        let reasons = self.0.models.resolve(&request.model)?.reasons();
        self.0.prompt.compose(owner, Some(bound), hints, request, reasons).await
    }

    /// What a chat goes on from, and where it goes.
    async fn ground(&self, caller: &Principal, request: &ChatRequest, referrer: Option<&str>) -> Result<Ground> {
        let wish = request.conversation.clone().unwrap_or_default();
        let keeps = request.store.unwrap_or(true);
        let id = named(&wish);
        if id == Some(conversations::TEMPORARY) {
            return Ok(Ground { conversation: None, destination: None, history: Recent::none() });
        }
        let Some(id) = id else {
            let mut made =
                Conversation::new(ConversationId::new(&self.0.clock), caller.user_id.clone(), self.0.clock.now());
            made.referrer = referrer.map(conversations::read_referrer).transpose()?.flatten();
            let destination = keeps.then(|| Destination::New(Box::new(made.clone())));
            return Ok(Ground { conversation: keeps.then_some(made), destination, history: Recent::none() });
        };
        let window = self.0.models.resolve(&request.model)?.window().unwrap_or(trim::USUAL_WINDOW);
        let mut reader = self.0.store.read().await?;
        let id = ConversationId::parse(id).map_err(|error| error.param("conversation"))?;
        let found = conversations::history(&mut reader, &caller.user_id, &id, wish.branch.as_deref()).await;
        let (conversation, history) = found.map_err(|error| error.param("conversation"))?;
        let recent = recent(&mut reader, &history, None, window).await?;
        let destination = keeps.then_some(Destination::End(history));
        Ok(Ground { conversation: Some(conversation), destination, history: recent })
    }

    /// Begins to keep a turn; that goes on with nobody waiting for it.
    fn keep(&self, turn: Turn, answer: Vec<ItemIn>, making: &Making) -> JoinHandle<Result<Kept>> {
        let mut answer = self.0.conversations.new_items(answer);
        for item in &mut answer {
            item.making = making.clone();
        }
        let inner = Arc::clone(&self.0);
        // Behind a pointer: a task is moved about until it runs, and once more when it has ended.
        self.0.tasks.spawn(Box::pin(async move {
            let kept = inner.keep(turn, answer).await;
            if let Err(error) = &kept {
                tracing::warn!(%error, "A turn of a conversation was not kept");
            }
            kept
        }))
    }

    fn keep_whole(&self, turn: Turn, answer: &Bytes, with_thoughts: bool, model: &str) -> JoinHandle<Result<Kept>> {
        let mut gathered = Gathered::default();
        let usage = gathered.whole(answer);
        let making = Making { model: Some(model.to_owned()), usage, finish_reason: gathered.finish_reason.clone() };
        self.keep(turn, gathered.into_items(Ending::Whole, with_thoughts), &making)
    }
}

/// What `model` has room for, as it counts itself if it can: with that on a thread that no other request waits for.
async fn fit(model: &Arc<Model>, said: Vec<PromptMessage>, question: usize) -> Result<Fitted> {
    let window = model.window().unwrap_or(trim::USUAL_WINDOW);
    if model.count_tokens("").is_none() {
        return trim::fit(said, question, window, &|_| None);
    }
    let model = Arc::clone(model);
    let fit = move || trim::fit(said, question, window, &|text| model.count_tokens(text));
    tokio::task::spawn_blocking(fit).await.unwrap_or_else(|gone| Err(Error::internal(gone)))
}

/// A turn whose answer has not begun. Dropped with it, since the client left, the question is kept by itself.
struct Unanswered<'a> {
    turns: &'a Turns,
    turn: Option<Turn>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let question = self.turn.take().filter(|turn| !matches!(turn.destination, Destination::Anew { .. }));
        if let Some(turn) = question.filter(|turn| !turn.question.is_empty()) {
            drop(self.turns.keep(turn, Vec::new(), &Making::default()));
        }
    }
}
