//! The engine's events as frames of a stream.

use std::collections::VecDeque;
use std::pin::Pin;

use domain::{Clock, ids::ToolCallId};
use futures_util::stream::{self, SelectAll};
use futures_util::{Stream, StreamExt};
use inference::{Event, TokenLogprob};
use providers::{Frame, Frames, Result, Stamp, compose};
use wire::openai::chat::answer::{ChunkChoice, Delta, FunctionDelta, Logprobs, ToolCallDelta};
use wire::openai::chat::request::Role;

use super::ask::Asked;
use super::provider::failed;
use super::served::Use;
use super::whole::{Tally, broken, finish_reason, token};

/// An answer's events with its number.
type Numbered = Pin<Box<dyn Stream<Item = (u32, Event)> + Send>>;

/// Begins to answer. Dropping the frames cancels every answer.
pub(super) async fn begin(engine: Use, asked: Asked, stamp: Stamp, clock: Clock) -> Result<Frames> {
    let wants_usage = asked.wants_usage;
    let mut events = SelectAll::new();
    for (index, request) in (0..).zip(asked.requests()) {
        let generation = engine.engine.submit(request).await.map_err(failed)?;
        let numbered: Numbered = Box::pin(generation.map(move |event| (index, event)));
        events.push(numbered);
    }
    let streaming = Streaming {
        running: events.len(),
        events,
        ready: VecDeque::new(),
        tally: Tally::default(),
        wants_usage,
        stamp,
        clock,
        _engine: engine,
    };
    let frames = stream::unfold(Some(streaming), |streaming| async move {
        let mut streaming = streaming?;
        match streaming.next().await {
            Some(Ok(frame)) => Some((Ok(frame), Some(streaming))),
            Some(Err(error)) => Some((Err(error), None)),
            None => None,
        }
    });
    Ok(Box::pin(frames))
}

struct Streaming {
    events: SelectAll<Numbered>,
    /// Answers that have not ended.
    running: usize,
    /// Frames to send before the next event is read.
    ready: VecDeque<Frame>,
    tally: Tally,
    wants_usage: bool,
    stamp: Stamp,
    clock: Clock,
    _engine: Use,
}

impl Streaming {
    async fn next(&mut self) -> Option<Result<Frame>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(Ok(frame));
            }
            let taken = match self.events.next().await {
                Some((index, event)) => self.take(index, event),
                None if self.running == 0 => return None,
                None => Err(broken()),
            };
            if let Err(error) = taken {
                return Some(Err(error));
            }
        }
    }

    fn take(&mut self, index: u32, event: Event) -> Result<()> {
        match event {
            Event::Started { prompt_tokens, cached_tokens } => {
                self.tally.started(prompt_tokens, cached_tokens);
                let role = Some(Role::Assistant);
                self.delta(index, Delta { role, content: Some(String::new()), ..Delta::default() }, None)
            }
            Event::Text { text, logprobs } => {
                self.delta(index, Delta { content: Some(text), ..Delta::default() }, told(logprobs))
            }
            Event::ToolCall { index: call, name, arguments } => {
                let call = ToolCallDelta {
                    index: call,
                    id: Some(ToolCallId::new(&self.clock).to_string()),
                    kind: Some("function".to_owned()),
                    function: Some(FunctionDelta { name: Some(name), arguments: Some(arguments) }),
                };
                self.delta(index, Delta { tool_calls: vec![call], ..Delta::default() }, None)
            }
            Event::Finished { reason, completion_tokens } => {
                self.tally.finished(completion_tokens);
                self.running -= 1;
                let end = ChunkChoice { index, finish_reason: Some(finish_reason(reason)), ..ChunkChoice::default() };
                self.chunk(end)?;
                if self.running == 0 { self.end() } else { Ok(()) }
            }
            Event::Failed(error) => Err(failed(error)),
        }
    }

    fn delta(&mut self, index: u32, delta: Delta, logprobs: Option<Logprobs>) -> Result<()> {
        self.chunk(ChunkChoice { index, delta, logprobs, finish_reason: None })
    }

    /// The end of the whole stream: the usage is told to the server in any case, to the client if it asked.
    fn end(&mut self) -> Result<()> {
        let end = compose::end(&self.stamp, self.tally.usage(), self.wants_usage)?;
        self.ready.push_back(end);
        Ok(())
    }

    fn chunk(&mut self, choice: ChunkChoice) -> Result<()> {
        let chunk = compose::chunk(&self.stamp, &[choice], self.wants_usage)?;
        self.ready.push_back(chunk);
        Ok(())
    }
}

fn told(logprobs: Vec<TokenLogprob>) -> Option<Logprobs> {
    let content: Vec<_> = logprobs.into_iter().map(token).collect();
    (!content.is_empty()).then_some(Logprobs { content: Some(content), refusal: None })
}
