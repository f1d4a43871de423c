//! A share: a frozen copy of a conversation, for everybody who knows its address.

use std::fmt;

use crate::{
    Timestamp,
    ids::{ConversationId, ItemId, ShareId, UserId},
    secret,
};

/// A share, without its snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The row's id.
    pub id: ShareId,
    /// What the public address holds.
    pub slug: Slug,
    /// Who shared it.
    pub user_id: UserId,
    /// What is shared.
    pub conversation_id: ConversationId,
    /// The one item of it that is shared; none for all of them.
    pub item_id: Option<ItemId>,
    /// What it is called.
    pub title: String,
    /// Whether images are part of it.
    pub include_images: bool,
    /// Whether the questions before the one item are part of it.
    pub include_context: bool,
    /// How often it was looked at.
    pub view_count: u64,
    /// When it was last looked at.
    pub last_viewed_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// From when on nobody sees it; none for never.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

impl Share {
    /// Whether it can be seen at `now`, as far as it depends on the share itself.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// An image of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its kind, one of those that hold nothing but pixels.
    pub mime_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// What a share's public address holds: 22 digits of base 62, which nobody guesses (131 bits).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slug(String);

impl Slug {
    /// How long each is.
    pub const LENGTH: usize = 22;

    /// A new one, like no other.
    pub fn random() -> Self {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut text = String::with_capacity(Self::LENGTH);
        while text.len() < Self::LENGTH {
            // Bytes beyond the last multiple of 62 would make some digits likelier.
            let bytes: [u8; 32] = secret::random();
            let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(DIGITS[usize::from(byte % 62)]));
            text.extend(fair.take(Self::LENGTH - text.len()));
        }
        Self(text)
    }

    /// Reads one from outside; none when it is not of this form.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == Self::LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_one.then(|| Self(text.to_owned()))
    }

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a share is named: by its id or by its slug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// By its id.
    Id(ShareId),
    /// By its slug.
    Slug(Slug),
}

impl Name {
    /// Reads a name; none when it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        Slug::parse(text).map(Self::Slug).or_else(|| ShareId::parse(text).ok().map(Self::Id))
    }

    /// The name as text. No id is a slug and no slug is an id.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Id(id) => id.as_str(),
            Self::Slug(slug) => slug.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;

    #[test]
    fn slugs_are_long_and_differ() {
        let slugs: std::collections::HashSet<Slug> = (0..1_000).map(|_| Slug::random()).collect();
        assert_eq!(slugs.len(), 1_000);
        for slug in slugs {
            assert_eq!(Slug::parse(slug.as_str()), Some(slug));
        }
        for text in ["", "short", "0123456789abcdefghijk/", "0123456789abcdefghijkl0", "0123456789abcdefghij\u{e9}"] {
            assert_eq!(Slug::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_share_has_two_names() {
        let (id, slug) = (ShareId::new(&Clock::System), Slug::random());
        assert_eq!(Name::parse(id.as_str()), Some(Name::Id(id)));
        assert_eq!(Name::parse(slug.as_str()), Some(Name::Slug(slug)));
        assert_eq!(Name::parse("user_0123456789abcdef"), None);
    }

    #[test]
    fn it_ends_at_its_end() {
        let at = Timestamp::from_seconds;
        let mut share = Share {
            id: ShareId::new(&Clock::System),
            slug: Slug::random(),
            user_id: UserId::new(&Clock::System),
            conversation_id: ConversationId::new(&Clock::System),
            item_id: None,
            title: String::new(),
            include_images: false,
            include_context: false,
            view_count: 0,
            last_viewed_at: None,
            created_at: at(1),
            updated_at: at(1),
            expires_at: None,
            revoked_at: None,
        };
        assert!(share.is_live(at(1_000_000)));
        share.expires_at = Some(at(10));
        assert!(share.is_live(at(9)) && !share.is_live(at(10)));
        share.revoked_at = Some(at(5));
        assert!(!share.is_live(at(6)));
    }
}
