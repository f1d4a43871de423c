//! Chat completions: from a request to the provider that answers it, and back.
//!
//! Each step is a function: check, resolve the model, ask the provider, account for the answer. Stateless: nothing of a
//! chat is stored here.

mod account;
pub(crate) mod body;
pub(crate) mod dialect;
mod numbers;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use domain::{
    Clock, Result,
    ids::{ChatCompletionId, UserId},
    item::Making,
};
use futures_util::Stream;
use prometheus_client::registry::Registry;
use providers::{Call, Frames, Stamp};
use tracing::Instrument as _;
use wire::openai::chat::{ChatRequest, Usage};

use self::{account::Account, numbers::Numbers};
use crate::models::Models;

/// The use-case. Clones share everything.
#[derive(Clone)]
pub struct Chat(Arc<Inner>);

struct Inner {
    models: Models,
    clock: Clock,
    numbers: Numbers,
}

/// What comes of a chat.
pub enum Completion {
    /// The whole answer, a `chat.completion` object as JSON.
    Whole(Bytes),
    /// The answer as it is made.
    Stream(Events),
}

/// Learns about an answer as it becomes known: whoever writes the request's log line.
pub trait Notes: Send + 'static {
    /// The model exists, and this provider answers for it.
    fn resolved(&mut self, model: &Arc<str>, provider: &Arc<str>, streams: bool);
    /// The first events of a stream are here.
    fn began(&mut self);
    /// What the answer took.
    fn took(&mut self, usage: &Usage);
}

impl Chat {
    /// The use-case over `models`.
    pub fn new(models: Models, clock: Clock) -> Self {
        Self(Arc::new(Inner { models, clock, numbers: Numbers::default() }))
    }

    /// The numbers of all chats and of the providers, for `/metrics`.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        self.0.numbers.register(&mut registry);
        self.0.models.register(&mut registry);
        registry
    }

    /// Answers `caller`'s chat. `body` is `request` as it came: what nobody here knows is passed on with it. The request is
    /// large, and behind a pointer so that the futures on its way do not each hold it twice.
    ///
    /// Dropping the future, or the stream that comes of it, ends the provider's work.
    ///
    /// # Errors
    /// `invalid_parameter` or `missing_parameter` with the field at fault, `model_not_found`, and what the provider's
    /// failures mean for the caller.
    pub async fn complete(
        &self,
        caller: &UserId,
        request: Box<ChatRequest>,
        body: Bytes,
        mut notes: impl Notes,
    ) -> Result<Completion> {
        request.check()?;
        let model = self.0.models.resolve(&request.model)?;
        let streams = request.streams();
        notes.resolved(&model.id, model.provider_name(), streams);
        let stamp = Stamp {
            id: ChatCompletionId::new(&self.0.clock),
            created: self.0.clock.now().seconds(),
            model: Arc::clone(&model.id),
        };
        let mut account = Account::open(&self.0.numbers, &model, &request, Box::new(notes));
        let span = account.span().clone();
        let model_id = Arc::clone(&model.upstream_id);
        let call = Call { caller: caller.clone(), request: Arc::from(request), body, model: model_id, stamp };
        let provider = model.provider();
        if streams {
            let frames = provider.stream(call).instrument(span).await;
            let frames = frames.map_err(|error| account.failed(error))?;
            return Ok(Completion::Stream(Events { frames, account, model: Arc::clone(&model.id) }));
        }
        let whole = provider.complete(call).instrument(span).await.map_err(|error| account.failed(error))?;
        if let Some(usage) = &whole.usage {
            account.took(usage);
        }
        Ok(Completion::Whole(whole.body))
    }
}

/// The events of a streamed answer, each ready to be sent. The last of a whole answer is `[DONE]`; an error ends the
/// stream instead.
pub struct Events {
    frames: Frames,
    account: Account,
    model: Arc<str>,
}

impl Events {
    /// What makes the answer: its model, and the usage told so far.
    pub(crate) fn making(&self, finish_reason: Option<String>) -> Making {
        Making { model: Some(self.model.to_string()), usage: self.account.usage(), finish_reason }
    }
}

impl Stream for Events {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        self.frames.as_mut().poll_next(cx).map(|frame| {
            Some(match frame? {
                Ok(frame) => {
                    self.account.sent(frame.usage.as_ref());
                    Ok(frame.bytes)
                }
                Err(error) => Err(self.account.failed(error)),
            })
        })
    }
}
