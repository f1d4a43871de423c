//! What can keep the server from knowing its callers. Each message says what mends it: it is the operator's last line.

use std::{io, path::PathBuf};

use crate::OptionsError;

/// Why [`crate::Identity::open`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A choice in the configuration cannot be followed.
    #[error("identity.{0}")]
    Options(#[from] OptionsError),
    /// The directory or the file of the signing key cannot be used.
    #[error("the signing key {} cannot be {doing}: the server's user needs the right to", path.display())]
    File {
        /// Which file or directory.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is there and holds no key that can sign.
    #[error(
        "the signing key {} is damaged ({reason}): bring it back from a copy, or delete it to have a new one made, \
         after which everybody signs in again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A key could not be made.
    #[error("no signing key could be made")]
    Generate,
}
