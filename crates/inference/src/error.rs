//! What can go wrong, sorted by what the caller can do about it.

use std::time::Duration;

/// An error of the embedded model.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The waiting queue is full; try again after the given time.
    #[error("the model is busy; retry in {} s", retry_after.as_secs())]
    Busy {
        /// A guess at when a place will be free.
        retry_after: Duration,
    },
    /// The prompt leaves no room for an answer.
    #[error("the prompt has {tokens} tokens; this model takes at most {limit}")]
    PromptTooLong {
        /// Tokens in the prompt.
        tokens: usize,
        /// The most a prompt may have.
        limit: usize,
    },
    /// The model file is corrupt, truncated, or of a kind this engine does not run.
    #[error("invalid model file: {0}")]
    InvalidFile(String),
    /// The request asks for something impossible; `param` names the field.
    #[error("invalid `{param}`: {message}")]
    InvalidRequest {
        /// The request's field, by its OpenAI name.
        param: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The model file could not be read.
    #[error("cannot read the model file: {0}")]
    Io(String),
    /// A defect of the engine; the request is lost, the engine goes on.
    #[error("internal error of the embedded model: {0}")]
    Internal(String),
}

impl Error {
    pub(crate) fn file(message: impl Into<String>) -> Self {
        Self::InvalidFile(message.into())
    }

    pub(crate) fn request(param: &'static str, message: impl Into<String>) -> Self {
        Self::InvalidRequest { param, message: message.into() }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}
