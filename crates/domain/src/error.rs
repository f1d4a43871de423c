//! What can go wrong, sorted by what the caller can do about it.
//!
//! Adapters have small error enums of their own; where an error leaves them for a use-case it becomes an [`Error`]:
//! a [`Kind`] (what to do), a `code` (which case; the list is in `docs/errors.md`), a message for the caller, and the
//! cause for the operator's log. The message never holds SQL, upstream bodies, addresses or tokens. HTTP appears only
//! in `http-kit/src/error.rs`.

use std::{borrow::Cow, fmt, time::Duration};

/// The result of everything that answers a caller.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Mend the request: something in it is wrong.
    Invalid,
    /// Sign in, or sign in again.
    Unauthenticated,
    /// Nothing: the caller may not do this.
    Forbidden,
    /// Look elsewhere: there is no such thing, or none of the caller's.
    NotFound,
    /// Use another verb on this path.
    MethodNotAllowed,
    /// Wait for the request itself to arrive faster: it took too long.
    RequestTimeout,
    /// Look at the current state and decide anew.
    Conflict,
    /// Nothing: it was there and is gone.
    Gone,
    /// Send less.
    TooLarge,
    /// Send another content type.
    UnsupportedMediaType,
    /// Come back after the pause, if one is named.
    RateLimited(Option<Duration>),
    /// Try again: what the server leans on failed.
    Upstream,
    /// Try again: what the server leans on did not answer in time.
    UpstreamTimeout,
    /// Try again after the pause, if one is named.
    Unavailable(Option<Duration>),
    /// Tell the operator the request id.
    Internal,
}

impl Kind {
    /// Whether the server, or what it leans on, is at fault, and nothing in the request.
    fn is_servers(self) -> bool {
        matches!(self, Self::Upstream | Self::UpstreamTimeout | Self::Unavailable(_) | Self::Internal)
    }
}

/// An error on its way to a caller.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    code: &'static str,
    message: Cow<'static, str>,
    param: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`, with a code of `docs/errors.md` and a sentence for the caller.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { kind, code, message: message.into(), param: None, source: None }))
    }

    /// The request is wrong.
    pub fn invalid(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, code, message)
    }

    /// One field of the request is wrong; `param` is its dotted path.
    pub fn invalid_parameter(param: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, "invalid_parameter", message).param(param)
    }

    /// There is no such thing, or none that the caller may see.
    pub fn not_found(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::NotFound, code, message)
    }

    /// A fault of ours. The caller learns nothing but the request id; the cause goes to the log.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, "internal_error", "Something went wrong on the server.").source(source)
    }

    /// The same error, pointing at a field: a dotted, indexed path such as `messages[2].role`. A failure of the server, or
    /// of what it leans on, is no field's: it stays as it is.
    #[must_use]
    pub fn param(mut self, param: impl Into<String>) -> Self {
        if !self.0.kind.is_servers() {
            self.0.param = Some(param.into());
        }
        self
    }

    /// The same error with the cause that the operator's log shows.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Which case this is.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The sentence for the caller.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The field at fault, if one is.
    pub fn param_name(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// The chain of causes, outermost first, for the operator's log; empty when there is none.
    pub fn causes(&self) -> String {
        let mut text = String::new();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.0.kind, self.0.code, self.0.message)?;
        if let Some(param) = &self.0.param {
            write!(f, " ({param})")?;
        }
        match self.causes() {
            causes if causes.is_empty() => Ok(()),
            causes => write!(f, ": {causes}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|s| &**s as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_chained_and_stay_out_of_the_message() {
        let error = Error::internal(std::io::Error::other("disk is on fire"));
        assert_eq!(error.to_string(), "Something went wrong on the server.");
        assert_eq!(error.causes(), "disk is on fire");
        assert!(format!("{error:?}").contains("disk is on fire"));
    }

    #[test]
    fn no_field_is_at_fault_for_what_the_server_does_not_manage() {
        let new = |kind| Error::new(kind, "code", "No.").param("model");
        for kind in [Kind::Internal, Kind::Upstream, Kind::UpstreamTimeout, Kind::Unavailable(None)] {
            assert_eq!(new(kind).param_name(), None, "{kind:?}");
        }
        for kind in [Kind::Invalid, Kind::NotFound, Kind::Conflict, Kind::TooLarge, Kind::Forbidden] {
            assert_eq!(new(kind).param_name(), Some("model"), "{kind:?}");
        }
    }
}
