//! What an API key can be limited to: one line for each scope.
//!
//! A key without scopes does what its owner may, but for what is [reserved](Scope::is_reserved). A key with scopes does
//! what they name and nothing else: its words are scopes, `read` and `write` (everything that ends so) and `*` (what a key
//! without scopes may). Tokens of a sign-in are not limited.
//!
//! Each scope is a type as well, so that a handler names the one it needs in its arguments; see [`Need`].

/// What a handler needs of an API key; implemented by each scope's type, and by [`AnyKey`], [`WholeKey`] and [`NoKey`].
pub trait Need: Send + Sync + 'static {
    /// The need as a value.
    const KEY: Key;
}

/// What is needed of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// Nothing: every key does.
    Any,
    /// That it is not limited.
    Whole,
    /// That it has this scope.
    With(Scope),
    /// That it is none: only a token of a sign-in does.
    None,
}

/// Every key does, whatever it is limited to.
#[derive(Clone, Copy, Debug)]
pub struct AnyKey;

impl Need for AnyKey {
    const KEY: Key = Key::Any;
}

/// Only a key that is not limited does: what no scope names.
#[derive(Clone, Copy, Debug)]
pub struct WholeKey;

impl Need for WholeKey {
    const KEY: Key = Key::Whole;
}

/// No key does, only a token of a sign-in.
#[derive(Clone, Copy, Debug)]
pub struct NoKey;

impl Need for NoKey {
    const KEY: Key = Key::None;
}

macro_rules! registry {
    ($($name:ident = $text:literal, $about:literal;)*) => {
        /// Something that an API key can be limited to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Scope {
            $(#[doc = $about] $name,)*
        }

        impl Scope {
            /// All of them, in the order in which they are listed.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The scope's name, as in a key's `scopes`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What it lets a key do.
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$name => $about,)*
                }
            }
        }

        $(
            #[doc = $about]
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl Need for $name {
                const KEY: Key = Key::With(Scope::$name);
            }
        )*
    };
}

registry! {
    ModelsRead = "models:read", "See which models there are.";
    ChatWrite = "chat:write", "Chat with models.";
    ConversationsRead = "conversations:read", "Read its owner's conversations.";
    ConversationsWrite = "conversations:write", "Make, change and delete its owner's conversations.";
    ProjectsRead = "projects:read", "See its owner's projects.";
    ProjectsWrite = "projects:write", "Make, change and delete its owner's projects.";
    SharesRead = "shares:read", "See what its owner shares.";
    SharesWrite = "shares:write", "Share its owner's conversations with whoever has a link, as far as the key reads them, and end that.";
    MemoriesRead = "memories:read", "See what is remembered about its owner.";
    MemoriesWrite = "memories:write", "Change what is remembered about its owner.";
    ProfileRead = "profile:read", "See its owner's profile and settings.";
    ProfileWrite = "profile:write", "Change its owner's settings.";
    KeysManage = "keys:manage", "Make, list and revoke its owner's API keys.";
    Admin = "admin", "Administer the server, if its owner does.";
}

/// Words that stand for several scopes, with what they let a key do.
pub const WORDS: [(&str, &str); 3] = [
    ("*", "All that a key without scopes may."),
    ("read", "Every scope that ends in `:read`."),
    ("write", "Every scope that ends in `:write`."),
];

/// What guests can be kept from by one setting of `identity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestSwitch {
    /// Chatting.
    Chat,
    /// Conversations, and what is made of them.
    Conversations,
    /// API keys.
    ApiKeys,
}

impl GuestSwitch {
    /// The setting's name.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Chat => "guest_chat",
            Self::Conversations => "guest_conversations",
            Self::ApiKeys => "guest_api_keys",
        }
    }
}

impl Scope {
    /// The scope of this name; `None` for an unknown one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.as_str() == name)
    }

    /// Whether a key has it only if it names it: a key lies about in scripts, and must not make itself another or
    /// administer anything because nobody thought of limiting it.
    pub const fn is_reserved(self) -> bool {
        matches!(self, Self::KeysManage | Self::Admin)
    }

    /// The setting that keeps guests from what the scope names, if there is one.
    pub const fn guest_switch(self) -> Option<GuestSwitch> {
        match self {
            Self::ChatWrite => Some(GuestSwitch::Chat),
            Self::ConversationsRead
            | Self::ConversationsWrite
            | Self::ProjectsRead
            | Self::ProjectsWrite
            | Self::SharesRead
            | Self::SharesWrite => Some(GuestSwitch::Conversations),
            Self::KeysManage => Some(GuestSwitch::ApiKeys),
            Self::ModelsRead
            | Self::MemoriesRead
            | Self::MemoriesWrite
            | Self::ProfileRead
            | Self::ProfileWrite
            | Self::Admin => None,
        }
    }

    fn action(self) -> &'static str {
        self.as_str().split_once(':').map_or("", |(_, action)| action)
    }
}

/// What can be among a key's scopes, with what it lets the key do.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    Scope::ALL.iter().map(|scope| (scope.as_str(), scope.about())).chain(WORDS)
}

/// Whether a key may have this among its scopes.
pub fn is_word(text: &str) -> bool {
    names().any(|(name, _)| name == text)
}

/// Whether a key with these words has the scope.
pub fn has(words: &[String], scope: Scope) -> bool {
    if words.is_empty() {
        return !scope.is_reserved();
    }
    words.iter().any(|word| {
        word == scope.as_str() || (!scope.is_reserved() && (word == "*" || word.as_str() == scope.action()))
    })
}

/// Whether a key with the words `of` has all that one with the words `other` has.
pub fn covers(of: &[String], other: &[String]) -> bool {
    (is_whole(of) || !is_whole(other)) && Scope::ALL.iter().all(|scope| !has(other, *scope) || has(of, *scope))
}

/// Whether a key with these words is not limited, but for what is reserved.
pub fn is_whole(words: &[String]) -> bool {
    words.is_empty() || words.iter().any(|word| word == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn all_of(list: &[&str]) -> Vec<&'static str> {
        Scope::ALL.iter().filter(|scope| has(&words(list), **scope)).map(|scope| scope.as_str()).collect()
    }

    #[test]
    fn names_are_read_as_written() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(*scope));
            assert!(is_word(scope.as_str()));
        }
        for other in ["", "Admin", "admin ", "chat", "chat:*", "**"] {
            assert!(!is_word(other), "{other:?}");
        }
    }

    #[test]
    fn a_key_has_what_it_names_and_nothing_else() {
        assert_eq!(all_of(&["chat:write"]), ["chat:write"]);
        assert_eq!(all_of(&["admin"]), ["admin"]);
        assert!(all_of(&["chat", "Admin", "chat:writer"]).is_empty());
        assert_eq!(all_of(&[]), all_of(&["*"]));
        assert!(all_of(&["read"]).iter().all(|name| name.ends_with(":read")));
        assert!(all_of(&["write"]).contains(&"chat:write"));
    }

    #[test]
    fn what_is_reserved_comes_with_no_other_word() {
        for scope in Scope::ALL.iter().filter(|scope| scope.is_reserved()) {
            for list in [&[][..], &["*"], &["read", "write"]] {
                assert!(!has(&words(list), *scope), "{scope:?} {list:?}");
            }
        }
    }

    #[test]
    fn nobody_gives_more_than_he_has() {
        for (of, other, covered) in [
            (&["*", "keys:manage"][..], &[][..], true),
            (&["*"], &["chat:write", "read"], true),
            (&["write"], &["chat:write"], true),
            (&["chat:write"], &["write"], false),
            (&["keys:manage"], &[], false),
            (&["*", "keys:manage"], &["admin"], false),
            (&["read", "write"], &["*"], false),
        ] {
            assert_eq!(covers(&words(of), &words(other)), covered, "{of:?} {other:?}");
        }
    }
}
