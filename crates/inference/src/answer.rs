//! One answer as it grows: from scores to tokens, from tokens to text and calls, to the reader.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::constraint::Constraint;
use crate::error::Error;
use crate::request::{Event, Finish, TokenLogprob};
use crate::sampler::{Sampler, probabilities};
use crate::stop::StopFilter;
use crate::tokenizer::{Tokenizer, Utf8Stream};
use crate::tools::{Piece, ToolFilter};

/// What follows a token.
pub(crate) enum Progress {
    /// The answer goes on with this token.
    Continue(u32),
    /// It is complete, or given up.
    Done,
}

/// An answer in progress.
pub(crate) struct Answer {
    pub(crate) tokenizer: Arc<Tokenizer>,
    pub(crate) sampler: Sampler,
    pub(crate) constraint: Option<Constraint>,
    pub(crate) stop: StopFilter,
    pub(crate) tools: ToolFilter,
    /// Whether the first call of a tool ends the answer.
    pub(crate) single_call: bool,
    /// The most tokens to generate, at least one.
    pub(crate) most: usize,
    /// How many alternatives to report beside each token, if probabilities are wanted.
    pub(crate) logprobs: Option<u8>,
    pub(crate) output: Output,
    pub(crate) utf8: Utf8Stream,
    pub(crate) generated: usize,
}

impl Answer {
    /// Whether nobody reads the answer any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.output.events.is_closed()
    }

    pub(crate) fn start(&mut self, prompt: usize, cached: usize) {
        self.output.send(Event::Started { prompt_tokens: prompt as u32, cached_tokens: cached as u32 });
    }

    pub(crate) fn fail(&mut self, error: Error) {
        self.output.send(Event::Failed(error));
    }

    /// Chooses the next token from the scores, which are used up, and sends what it completes.
    pub(crate) fn next(&mut self, scores: &mut [f32]) -> Progress {
        match self.try_next(scores) {
            Ok(progress) => progress,
            Err(error) => {
                self.fail(error);
                Progress::Done
            }
        }
    }

    fn try_next(&mut self, scores: &mut [f32]) -> Result<Progress, Error> {
        let allowed = self.constraint.as_mut().map(Constraint::allowed).transpose()?;
        let original = self.logprobs.map(|count| (scores.to_vec(), usize::from(count)));
        let token = self.sampler.choose(scores, |id| allowed.as_ref().is_none_or(|set| set.is_allowed(id)));
        let token = token.ok_or_else(|| Error::Internal("the model gives no usable scores".to_owned()))?;
        self.generated += 1;
        if self.tokenizer.is_end(token) {
            return Ok(self.finish(Finish::Stop));
        }
        if let Some((scores, count)) = original {
            let found = probabilities(&scores, token, count);
            let top = found.top.into_iter().map(|(id, p)| self.logprob(id, p, vec![])).collect();
            let logprob = self.logprob(token, found.chosen, top);
            self.output.logprobs.push(logprob);
        }
        let complete = match &mut self.constraint {
            Some(constraint) => constraint.accept(token)?,
            None => false,
        };
        let text = self.utf8.push(self.tokenizer.text_bytes(token));
        let (text, stopped) = self.stop.push(&text);
        self.output.pieces(self.tools.push(&text));
        if stopped || (self.single_call && self.output.calls > 0) {
            self.end(Finish::Stop);
            return Ok(Progress::Done);
        }
        Ok(match (complete, self.generated >= self.most) {
            (true, _) => self.finish(Finish::Stop),
            (false, true) => self.finish(Finish::Length),
            (false, false) => Progress::Continue(token),
        })
    }

    /// Sends what was held back, and the end.
    fn finish(&mut self, reason: Finish) -> Progress {
        let (mut text, stopped) = self.stop.push(&self.utf8.finish());
        if !stopped {
            text += &self.stop.finish();
        }
        self.output.pieces(self.tools.push(&text));
        self.end(reason);
        Progress::Done
    }

    fn end(&mut self, reason: Finish) {
        self.output.pieces(self.tools.finish());
        if !self.output.logprobs.is_empty() {
            self.output.text(String::new());
        }
        let reason = if reason == Finish::Stop && self.output.calls > 0 { Finish::ToolCalls } else { reason };
        self.output.send(Event::Finished { reason, completion_tokens: self.generated as u32 });
    }

    fn logprob(&self, token: u32, logprob: f32, top: Vec<TokenLogprob>) -> TokenLogprob {
        let bytes = self.tokenizer.bytes(token).to_vec();
        TokenLogprob { token: String::from_utf8_lossy(&bytes).into_owned(), bytes, logprob, top }
    }
}

/// Where an answer's events go.
pub(crate) struct Output {
    events: mpsc::Sender<Event>,
    /// Probabilities of tokens whose text is still to come.
    logprobs: Vec<TokenLogprob>,
    calls: u32,
}

impl Output {
    /// The two ends of a channel that is never full: it has room for every event of `most` tokens.
    pub(crate) fn new(most: usize) -> (Self, mpsc::Receiver<Event>) {
        // With a token at most three pieces are completed (text, a call, text); then the beginning and the end.
        let (events, receiver) = mpsc::channel(3 * most + 8);
        (Self { events, logprobs: Vec::new(), calls: 0 }, receiver)
    }

    fn send(&mut self, event: Event) {
        // An error means that the reader is gone; the scheduler sees that before the next step.
        let _ = self.events.try_send(event);
    }

    fn text(&mut self, text: String) {
        let logprobs = std::mem::take(&mut self.logprobs);
        self.send(Event::Text { text, logprobs });
    }

    fn pieces(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.text(text),
                Piece::Call(call) => {
                    let index = self.calls;
                    self.calls += 1;
                    self.send(Event::ToolCall { index, name: call.name, arguments: call.arguments });
                }
            }
        }
    }
}
