//! A streamed answer that is kept: passed on as it comes, its end held back until the turn is durable.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use domain::{Error, Result};
use futures_util::Stream;
use tokio::task::JoinHandle;

use super::{
    Turns,
    answer::{Ending, Gathered},
    keep::{Destination, Kept, Turn},
};
use crate::chat::Events;

/// What a stream is to say of a turn that was kept, before its end: whole events.
pub(super) type Report = Box<dyn FnOnce(&Kept) -> Result<Bytes> + Send>;

/// The events of an answer that is kept. Dropped before their end, they keep what came so far, as incomplete.
pub struct KeptEvents(State);

enum State {
    Running(Box<Running>),
    Keeping { kept: JoinHandle<Result<Kept>>, report: Option<Report>, end: Bytes },
    Ended,
}

struct Running {
    events: Events,
    gathered: Gathered,
    turn: Turn,
    turns: Turns,
    with_thoughts: bool,
    /// What the events that end an answer say of the conversation.
    mark: String,
    report: Option<Report>,
}

impl KeptEvents {
    pub(super) fn new(
        turns: Turns,
        turn: Turn,
        events: Events,
        mark: String,
        with_thoughts: bool,
        report: Option<Report>,
    ) -> Self {
        let gathered = Gathered::default();
        Self(State::Running(Box::new(Running { events, gathered, turn, turns, with_thoughts, mark, report })))
    }
}

impl Running {
    /// Keeps what came of an answer that broke off, unless it would have been another one to a question: then nothing is
    /// changed.
    fn give_up(self, ending: Ending) {
        if !matches!(self.turn.destination, Destination::Anew { .. }) {
            drop(self.keep(ending));
        }
    }

    /// Begins to keep what came; goes on with nobody waiting for it.
    fn keep(self, ending: Ending) -> (JoinHandle<Result<Kept>>, Option<Report>) {
        let making = self.events.making(self.gathered.finish_reason.clone());
        let answer = self.gathered.into_items(ending, self.with_thoughts);
        (self.turns.keep(self.turn, answer, &making), self.report)
    }
}

impl Stream for KeptEvents {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            match &mut self.0 {
                State::Running(running) => {
                    let step = match ready!(Pin::new(&mut running.events).poll_next(cx)) {
                        Some(Ok(events)) => Ok(running.gathered.events(events, &running.mark)),
                        Some(Err(error)) => Err(Some(error)),
                        None => Err(None),
                    };
                    if let Ok((events, false)) = step {
                        return Poll::Ready(Some(Ok(events)));
                    }
                    let State::Running(running) = std::mem::replace(&mut self.0, State::Ended) else { continue };
                    match step {
                        Ok((end, _)) => {
                            let (kept, report) = running.keep(Ending::Whole);
                            self.0 = State::Keeping { kept, report, end };
                        }
                        Err(error) => {
                            running.give_up(Ending::Failed);
                            return Poll::Ready(error.map(Err));
                        }
                    }
                }
                State::Keeping { kept, .. } => {
                    let kept = ready!(Pin::new(kept).poll(cx)).unwrap_or_else(|gone| Err(Error::internal(gone)));
                    let State::Keeping { report, end, .. } = std::mem::replace(&mut self.0, State::Ended) else {
                        continue;
                    };
                    return Poll::Ready(Some(kept.and_then(|kept| reported(&kept, report, end))));
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}

/// The last events, the report before `[DONE]`.
fn reported(kept: &Kept, report: Option<Report>, end: Bytes) -> Result<Bytes> {
    let Some(report) = report else { return Ok(end) };
    let at = memchr::memmem::rfind(&end, b"data: [DONE]").unwrap_or(end.len());
    Ok([&end[..at], &report(kept)?, &end[at..]].concat().into())
}

impl Drop for KeptEvents {
    fn drop(&mut self) {
        if let State::Running(running) = std::mem::replace(&mut self.0, State::Ended) {
            running.give_up(Ending::Left);
        }
    }
}
