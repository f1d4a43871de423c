//! What can go wrong with a provider, sorted by what the caller can do about it.

use std::time::Duration;

use domain::Kind;

use crate::openai::Reason;

/// An error of a provider. Its text is for the operator's log; what the caller is told is decided in the conversion to
/// [`domain::Error`], and never holds addresses, keys or an upstream's words.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The provider refuses the request itself.
    #[error("the provider refuses the request: {message}")]
    Refused {
        /// The field, if it says.
        param: Option<String>,
        /// Why, in words that a caller may read.
        message: String,
    },
    /// The prompt is longer than the model takes.
    #[error("the prompt is too long: {message}")]
    TooLong {
        /// By how much, in words that a caller may read.
        message: String,
    },
    /// The request has more bytes than the provider takes.
    #[error("the request is too large for the provider")]
    TooLarge,
    /// The provider does not have the model after all.
    #[error("the provider does not have the model")]
    NoSuchModel,
    /// The provider has too much to do.
    #[error("the provider is busy")]
    Busy {
        /// When to come back, if it says.
        retry_after: Option<Duration>,
    },
    /// The provider says that it cannot answer for now.
    #[error("the provider is unavailable")]
    Unavailable {
        /// When to come back, if it says.
        retry_after: Option<Duration>,
        /// What it said, for the operator.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The provider failed again and again, and is not asked for a moment.
    #[error("the provider failed again and again and is left alone")]
    Suspended {
        /// When somebody may ask again.
        retry_after: Duration,
    },
    /// The provider cannot answer before somebody mends something, and says what.
    #[error("the provider is not ready: {message}")]
    NotReady {
        /// What is missing and which command mends it, in words that a caller may read.
        message: String,
        /// When to come back, if it is a matter of time.
        retry_after: Option<Duration>,
    },
    /// The provider did not answer in time.
    #[error("the provider did not answer in time")]
    Timeout(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The provider cannot be reached, fails, cuts its answer off or talks nonsense.
    #[error("the provider failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A failure for a reason that only the operator's log shows.
    pub fn failed(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed(reason.into())
    }

    /// Whether this is a fault of the provider that the next request would meet, too: it cannot be reached, fails, is too
    /// slow, or talks nonsense. A 4xx is none, not even where it refuses the server's own key.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Unavailable { .. } => true,
            Self::Failed(source) => !source.downcast_ref::<Reason>().is_some_and(Reason::is_refusal),
            _ => false,
        }
    }

    /// The class of failure, as a label of metrics.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::TooLong { .. } => "too_long",
            Self::TooLarge => "too_large",
            Self::NoSuchModel => "no_such_model",
            Self::Busy { .. } => "busy",
            Self::Unavailable { .. } => "unavailable",
            Self::Suspended { .. } => "suspended",
            Self::NotReady { .. } => "not_ready",
            Self::Timeout(_) => "timeout",
            Self::Failed(_) => "failed",
        }
    }
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { param, message } => {
                let refused = Self::invalid("invalid_request", message);
                match param {
                    Some(param) => refused.param(param),
                    None => refused,
                }
            }
            Error::TooLong { message } => Self::invalid("context_length_exceeded", message).param("messages"),
            Error::TooLarge => {
                Self::new(Kind::TooLarge, "payload_too_large", "The request is larger than the model's provider takes.")
            }
            Error::Unavailable { retry_after, .. } => {
                let message = "The model's provider cannot answer right now.";
                Self::new(Kind::Unavailable(retry_after), "upstream_error", message).source(error)
            }
            Error::Suspended { retry_after } => {
                let message = "The model's provider failed several times in a row; it is asked again in a moment.";
                Self::new(Kind::Unavailable(Some(retry_after)), "upstream_error", message)
            }
            Error::NoSuchModel => {
                Self::not_found("model_not_found", "The model's provider does not have it.").param("model")
            }
            Error::Busy { retry_after } => Self::new(
                Kind::RateLimited(Some(retry_after.unwrap_or(Duration::from_secs(1)))),
                "upstream_rate_limited",
                "The model has too much to do right now.",
            ),
            Error::NotReady { message, retry_after } => {
                Self::new(Kind::Unavailable(retry_after), "provider_not_configured", message)
            }
            Error::Timeout(_) => {
                Self::new(Kind::UpstreamTimeout, "upstream_timeout", "The model did not answer in time.").source(error)
            }
            Error::Failed(_) => {
                Self::new(Kind::Upstream, "upstream_error", "The model's provider failed.").source(error)
            }
        }
    }
}
