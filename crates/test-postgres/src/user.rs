//! Whom the server runs as: PostgreSQL refuses to run as root.

use std::{fs, os::unix::fs::MetadataExt};

use anyhow::{Context, Result};

/// Unprivileged users that Debian has, the best first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// The user of a server.
#[derive(Debug)]
pub(crate) enum User {
    /// Whoever we are.
    Ours,
    /// Somebody else, since we are root.
    Other { uid: u32, gid: u32 },
}

impl User {
    pub(crate) fn for_server() -> Result<Self> {
        if !is_root() {
            return Ok(Self::Ours);
        }
        let users = fs::read_to_string("/etc/passwd").context("/etc/passwd cannot be read")?;
        CANDIDATES
            .iter()
            .find_map(|name| find(&users, name))
            .context("PostgreSQL does not run as root, and there is neither a user `postgres` nor a user `nobody`")
    }
}

/// Whether this process is root's.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn find(users: &str, name: &str) -> Option<User> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let mut numbers = fields.skip(1).map(str::parse);
        Some(User::Other { uid: numbers.next()?.ok()?, gid: numbers.next()?.ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_user_by_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65533:nobody:/:/usr/sbin/nologin\n";
        assert!(matches!(find(users, "nobody"), Some(User::Other { uid: 65534, gid: 65533 })));
        assert!(find(users, "postgres").is_none());
    }
}
