//! The registry of identifiers: one line for each kind, so that two kinds cannot be swapped.
//!
//! An id is a prefix with its separator, nine characters of time and twenty-two of randomness, all of `0-9a-z`: ids sort
//! by their creation and cannot be guessed (113 random bits; no sequences, see `docs/api-design.md`). A kind whose length
//! is part of the contract says so; what keeps others away from its things is their owner alone. Clients treat ids as
//! opaque.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Clock, Error, Timestamp, secret};

/// Longest id accepted from outside, in bytes.
pub const MAX_LENGTH: usize = 64;

const TIME_DIGITS: usize = 9;
const RANDOM_DIGITS: usize = 22;
const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

macro_rules! registry {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal $(($length:literal))?;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with, separator included.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, later in order than those of earlier milliseconds.
            pub fn new(clock: &Clock) -> Self {
                let random = [$($length - TIME_DIGITS,)? RANDOM_DIGITS][0];
                Self(spell(Self::PREFIX, random, clock.now(), || u64::from_le_bytes(secret::random())))
            }

            /// The id that a thing of this moment always gets, by the number that stands for it.
            pub fn derived(at: Timestamp, number: u64) -> Self {
                let random = [$($length - TIME_DIGITS,)? RANDOM_DIGITS][0];
                Self(spell(Self::PREFIX, random, at, || number))
            }

            /// Reads an id from outside.
            ///
            /// # Errors
            /// `invalid_id` when the text is not of this kind's form.
            pub fn parse(text: &str) -> Result<Self, Error> {
                check(Self::PREFIX, text).map(|()| Self(text.to_owned()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                Self::parse(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(input)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

registry! {
    /// An API key's row; the key itself is a secret and no id.
    ApiKeyId = "key_";
    /// A line of the audit log.
    AuditId = "audit_";
    /// A chat completion, also the `id` of every chunk of its stream. Validators of `OpenAI`'s shapes want the dash.
    ChatCompletionId = "chatcmpl-";
    /// A conversation.
    ConversationId = "conv_" (16);
    /// A message, or whatever else is an item of a conversation.
    ItemId = "msg_" (16);
    /// Something that the server remembers for a user.
    MemoryId = "mem_";
    /// A project, which keeps conversations together.
    ProjectId = "proj_" (16);
    /// A text of the prompt that administrators can change.
    PromptTemplateId = "pt_";
    /// A request, in headers, errors and logs.
    RequestId = "req_";
    /// A sample of the Template API.
    SampleId = "sample_";
    /// One sign-in: the family of its refresh tokens.
    SessionId = "sess_";
    /// A shared conversation; its public address holds a slug instead.
    ShareId = "shr_";
    /// An access token, as its `jti`.
    TokenId = "tok_";
    /// A call of a function that a model asks for; its result names it.
    ToolCallId = "call_";
    /// A user, guests included.
    UserId = "user_";
}

fn spell(prefix: &str, random_digits: usize, at: Timestamp, random: impl Fn() -> u64) -> String {
    let mut digits = [0; TIME_DIGITS + RANDOM_DIGITS];
    let digits = &mut digits[..TIME_DIGITS + random_digits];
    let (time, rest) = digits.split_at_mut(TIME_DIGITS);
    write(time, at.micros() as u64 / 1_000);
    // 11 digits of 36 hold 56.9 bits: 64 random bits reduced lose nothing that matters. In halves, because dividing 128
    // bits takes a call for each digit.
    for half in rest.chunks_mut(RANDOM_DIGITS / 2) {
        write(half, random());
    }
    // In one go: pushing them one by one takes longer than making them.
    let mut text = String::with_capacity(prefix.len() + digits.len());
    text.push_str(prefix);
    text.push_str(std::str::from_utf8(digits).unwrap_or_default());
    text
}

/// The last digits of a number, as many as there is room for.
fn write(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 36) as usize];
        number /= 36;
    }
}

fn check(prefix: &str, text: &str) -> Result<(), Error> {
    let body = text.strip_prefix(prefix).unwrap_or_default();
    let well_formed = text.len() <= MAX_LENGTH && body.len() >= 8 && body.bytes().all(|b| b.is_ascii_alphanumeric());
    if well_formed {
        Ok(())
    } else {
        Err(Error::invalid("invalid_id", format!("An id of the form {prefix}… is needed.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn ids_sort_by_creation() {
        let clock = Clock::fixed(Timestamp::from_seconds(1_700_000_000));
        let first = UserId::new(&clock);
        clock.advance(Duration::from_millis(1));
        let second = UserId::new(&clock);
        assert!(first < second);
        assert_eq!(first.as_str().len(), "user_".len() + TIME_DIGITS + RANDOM_DIGITS);
    }

    #[test]
    fn lengths_of_the_contract_are_kept() {
        let clock = Clock::System;
        let (conversation, item, project) = (ConversationId::new(&clock), ItemId::new(&clock), ProjectId::new(&clock));
        for text in [conversation.to_string(), item.to_string(), project.to_string()] {
            let (_, body) = text.split_once('_').unwrap();
            assert_eq!(body.len(), 16);
            assert!(body.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()), "{text}");
        }
    }

    #[test]
    fn ids_of_one_moment_differ() {
        let clock = Clock::fixed(Timestamp::from_seconds(0));
        assert_ne!(UserId::new(&clock), UserId::new(&clock));
    }

    #[test]
    fn derived_ids_are_always_the_same() {
        let at = Timestamp::from_seconds(1_700_000_000);
        let id = ConversationId::derived(at, u64::MAX);
        assert_eq!(id, ConversationId::derived(at, u64::MAX));
        assert_ne!(id, ConversationId::derived(at, 1));
        assert!(id < ConversationId::derived(at + Duration::from_millis(1), 0));
        assert_eq!(ConversationId::parse(id.as_str()).unwrap(), id);
        assert!(ConversationId::parse(ConversationId::derived(Timestamp::from_micros(-1), 0).as_str()).is_ok());
    }

    #[test]
    fn foreign_forms_are_refused() {
        for text in
            ["", "user_", "user_short", "conv_0123456789abcdef", "user_01234567/9abcdef", "user_0123456789\u{e9}"]
        {
            assert_eq!(UserId::parse(text).unwrap_err().code(), "invalid_id", "{text:?}");
        }
        assert!(UserId::parse(&format!("user_{}", "a".repeat(MAX_LENGTH))).is_err());
        let id = UserId::new(&Clock::System);
        assert_eq!(UserId::parse(id.as_str()).unwrap(), id);
        // Projects had longer ids once.
        assert!(ProjectId::parse(&format!("proj_{}", "a".repeat(TIME_DIGITS + RANDOM_DIGITS))).is_ok());
    }
}
