//! Where answers come from: OpenAI-compatible servers and the scripted provider, behind one trait.
//!
//! A provider gets a [`Call`], already checked, and gives a whole answer or a stream of frames, in both cases ready to
//! be sent to the client: the stamp (id, time, public model id) is put on here, so that nothing after this has to read
//! an answer again. The embedded model is a provider too; its adapter is in `app`, since adapters do not know each other.
//!
//! Dropping a future or a stream cancels the work behind it. This crate stores nothing and knows no caller.

mod breaker;
pub mod compose;
mod error;
pub mod openai;
mod scan;
pub mod scripted;

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use domain::ids::{ChatCompletionId, UserId};
use futures_util::Stream;
use wire::openai::chat::{answer::Usage, request::ChatRequest};

pub use breaker::{Breaker, BreakerOptions};
pub use error::Error;
pub use openai::OpenAi;
pub use scripted::Scripted;

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A future behind a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The frames of a streamed answer.
pub type Frames = Pin<Box<dyn Stream<Item = Result<Frame>> + Send>>;

/// One chat to be answered.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who asks. Nothing of it is told to other servers; the embedded model keeps callers apart by it.
    pub caller: UserId,
    /// The request, parsed and checked.
    pub request: Arc<ChatRequest>,
    /// The request as it came: what is passed on, fields nobody here knows included.
    pub body: Bytes,
    /// The model's id with the provider.
    pub model: Arc<str>,
    /// What the answer is marked with.
    pub stamp: Stamp,
}

/// What an answer and each of its chunks is marked with, whatever the upstream says.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The answer's id.
    pub id: ChatCompletionId,
    /// When it was asked for, in Unix seconds.
    pub created: i64,
    /// The model's public id.
    pub model: Arc<str>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The `chat.completion` object as JSON.
    pub body: Bytes,
    /// What it took, if the provider says.
    pub usage: Option<Usage>,
}

/// The events of a streamed answer that came together: one, or more when the provider sent several at once. The last
/// event of a whole stream is `data: [DONE]`; a stream without it broke off.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The events, each with its blank line.
    pub bytes: Bytes,
    /// What the answer took, where one of the events tells or would have told.
    pub usage: Option<Usage>,
}

/// A model that a provider serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The id with the provider.
    pub id: String,
    /// When the provider says it was made, in Unix seconds; 0 when it does not say.
    pub created: i64,
    /// Who serves it, if the provider says.
    pub owned_by: Option<String>,
}

/// Whatever answers chats.
pub trait ChatProvider: Send + Sync + 'static {
    /// The provider's short name: `owned_by`, log lines, metrics.
    fn name(&self) -> &str;

    /// The models it serves now.
    fn models(&self) -> BoxFuture<'_, Result<Vec<Offer>>>;

    /// A whole answer.
    fn complete(&self, call: Call) -> BoxFuture<'_, Result<Whole>>;

    /// A streamed answer. An error here comes before anything was sent; one within the stream ends it.
    fn stream(&self, call: Call) -> BoxFuture<'_, Result<Frames>>;

    /// How many tokens the model reads at most, where that is known.
    fn window(&self, _model: &str) -> Option<usize> {
        None
    }

    /// How many tokens a text has for the model, where that can be counted here and now.
    fn count_tokens(&self, _model: &str, _text: &str) -> Option<usize> {
        None
    }

    /// Whether the model thinks before it answers, where that is known.
    fn reasons(&self, _model: &str) -> Option<bool> {
        None
    }

    /// Whether it is left alone for now because it failed again and again.
    fn is_suspended(&self) -> bool {
        false
    }
}
