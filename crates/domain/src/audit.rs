//! What is noted of acts that matter to security: who did what to what, when, from where. Never a secret.

use std::net::IpAddr;

use crate::{
    Timestamp,
    ids::{AuditId, UserId},
};

macro_rules! acts {
    ($($(#[$doc:meta])* $act:ident = $name:literal;)*) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Act {
            $($(#[$doc])* $act,)*
        }

        impl Act {
            /// Every act there is.
            pub const ALL: &[Self] = &[$(Self::$act),*];

            /// The act's name, as stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$act => $name,)*
                }
            }

            /// Reads an act's name; `None` for an unknown one.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|act| act.as_str() == name)
            }
        }
    };
}

acts! {
    /// A session was begun by a password, or through the provider.
    SignedIn = "user.signed_in";
    /// A password was refused, or somebody of the provider's who may not come in; noted once for each account and minute.
    SignInFailed = "user.sign_in_failed";
    /// Somebody made an account.
    Registered = "user.registered";
    /// A guest made an account of itself.
    Upgraded = "user.upgraded";
    /// An administrator made an account.
    UserCreated = "user.created";
    /// A user's names or address were changed.
    UserUpdated = "user.updated";
    /// A user got other roles.
    RolesChanged = "user.roles_changed";
    /// A user got another password.
    PasswordReset = "user.password_reset";
    /// A user exchanged the password for another.
    PasswordChanged = "user.password_changed";
    /// A user was kept out.
    UserDisabled = "user.disabled";
    /// A user was let in again.
    UserEnabled = "user.enabled";
    /// All that a user said and was told was begun to be written to a file.
    DataExported = "user.data_exported";
    /// A file of such things was begun to be given to a user.
    DataImported = "user.data_imported";
    /// A key was made.
    KeyCreated = "api_key.created";
    /// A key was taken back.
    KeyRevoked = "api_key.revoked";
    /// A session was ended by who has it.
    SessionEnded = "session.ended";
    /// A session was ended because its refresh token was used by two.
    SessionReused = "session.reuse_detected";
    /// A signing key was taken back, with every access token that it signed.
    SigningKeyRevoked = "signing_key.revoked";
    /// A user's address was proven, by a link or by an administrator's word.
    EmailVerified = "user.email_verified";
    /// An administrator wrote a text of the prompt.
    TemplateCreated = "prompt_template.created";
    /// An administrator changed a text of the prompt, or which version of it is in use.
    TemplateUpdated = "prompt_template.updated";
    /// An administrator removed a text of the prompt.
    TemplateDeleted = "prompt_template.deleted";
    /// The first administrator was made, by the printed link.
    ServerSetUp = "server.set_up";
}

/// Who did it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Actor {
    /// A user.
    User(UserId),
    /// Whoever may run commands on the server's machine.
    CommandLine,
    /// Nobody who is known.
    #[default]
    Unknown,
}

impl Actor {
    /// What the command line is called, as stored and shown.
    pub const COMMAND_LINE: &'static str = "command_line";

    /// The kind of actor, as stored and shown.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::CommandLine => Self::COMMAND_LINE,
            Self::Unknown => "unknown",
        }
    }

    /// Which user it was, if any.
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(id) => Some(id),
            Self::CommandLine | Self::Unknown => None,
        }
    }
}

/// Where an act came from, and who is behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Who acts; unknown where the act itself shows who.
    pub actor: Actor,
    /// The address of the connection.
    pub address: Option<IpAddr>,
    /// What the client calls itself. It may say anything.
    pub user_agent: Option<String>,
    /// The request.
    pub request_id: Option<String>,
}

/// Most that is kept of what a client calls itself, in characters.
const MAX_USER_AGENT: usize = 256;

impl Origin {
    /// The same, as it is noted: what a client calls itself is cut short and has no control characters.
    #[must_use]
    pub fn plain(mut self) -> Self {
        let plain = |text: String| text.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT).collect();
        self.user_agent = self.user_agent.map(plain);
        self
    }
}

/// A line of the audit log. Lines are added and never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: AuditId,
    /// When it was done.
    pub created_at: Timestamp,
    /// What was done.
    pub act: Act,
    /// By whom, from where.
    pub origin: Origin,
    /// To what: the id of a user, key or session.
    pub target: Option<String>,
    /// What of it, in a few words: new roles, names of fields.
    pub detail: Option<String>,
}

/// Which lines of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this act.
    pub act: Option<Act>,
    /// Only by this actor.
    pub actor: Option<Actor>,
    /// Only what was done to this.
    pub target: Option<String>,
    /// How many of these lines to leave out first.
    pub skip: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_each_once() {
        for act in Act::ALL {
            assert_eq!(Act::parse(act.as_str()), Some(*act));
        }
        assert_eq!(Act::parse("user.deleted"), None);
    }
}
