//! What the server remembers for a user: short texts that are told to the model where they matter.

use crate::{
    Timestamp,
    ids::{MemoryId, ProjectId, UserId},
};

/// Longest memory, in characters.
pub const MAX_CHARACTERS: usize = 1_000;
/// Most memories of a user, those of projects included.
pub const MAX_OF_USER: u32 = 1_000;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$each])* $variant,)*
        }

        impl $name {
            /// The word, as stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// Reads the word; `None` for an unknown one.
            pub fn parse(word: &str) -> Option<Self> {
                [$(Self::$variant),*].into_iter().find(|one| one.as_str() == word)
            }
        }
    };
}

words! {
    /// When a memory is told to the model.
    MemoryKind {
        /// Always.
        Core = "core",
        /// When it has to do with what is asked.
        Fact = "fact",
        /// The same, for what happened and passes: only told to who switched it on.
        Episode = "episode",
    }
}

words! {
    /// Who wrote a memory.
    MemorySource {
        /// The user, or a program in the user's name.
        User = "user",
        /// A chat, because the user asked for it there.
        Chat = "chat",
    }
}

/// A memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// Its id.
    pub id: MemoryId,
    /// Whose it is.
    pub user_id: UserId,
    /// The only project that it is for; none for everything of the user.
    pub project_id: Option<ProjectId>,
    /// When it is told.
    pub kind: MemoryKind,
    /// The text.
    pub content: String,
    /// Who wrote it.
    pub source: MemorySource,
    /// What it means, for comparison; none until an embedder was there to say.
    pub meaning: Option<Meaning>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A text's meaning as a vector of length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning {
    /// Which model made it: only vectors of one model can be compared.
    pub embedder: String,
    /// The vector.
    pub vector: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for kind in [MemoryKind::Core, MemoryKind::Fact, MemoryKind::Episode] {
            assert_eq!(MemoryKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(MemorySource::parse("chat"), Some(MemorySource::Chat));
        assert_eq!(MemoryKind::parse("Core"), None);
    }
}
