//! Passwords: hashed with Argon2id, on threads that may block, a few at a time.
//!
//! A hash takes some twenty megabytes and tens of milliseconds of a processor, which is its purpose. So there is a bound
//! on how many are made at once, and on how long one waits for its turn.
//!
//! What is hashed is the text as RFC 8265 prepares it (`OpaqueString`): keyboards differ in how they write an \u{e9} or a
//! space, and the same password must be the same from each.

use std::{sync::Arc, time::Duration};

use argon2::{
    Argon2,
    password_hash::{self, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use domain::{Error, Kind, Result, Secret};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

/// Hashes made at once; as many times the memory.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const WAIT: Duration = Duration::from_secs(5);
/// A password's length, in characters at least and in bytes at most.
const SHORTEST: usize = 8;
const LONGEST: usize = 256;

/// A hash that no password has: verifying against it takes as long as against another, so that nobody learns from the
/// time which accounts there are.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(crate) struct Passwords(Arc<Semaphore>);

impl Passwords {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// The hash of a new password, with its salt and parameters.
    ///
    /// # Errors
    /// 400 with `password` as the field when it is too short or too long; 503 when too many wait.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String> {
        let password = check(password, "password")?;
        let hash = move || {
            let hash: PasswordHash = Argon2::default().hash_password(password.expose().as_bytes())?;
            Ok::<_, password_hash::Error>(hash.to_string())
        };
        self.in_turn(hash).await?.map_err(|error| Error::internal(error.to_string()))
    }

    /// Whether this is the password of that hash. Without a hash it is not, and takes as long.
    pub(crate) async fn verify(&self, password: &Secret, hash: Option<String>) -> Result<bool> {
        if password.expose().len() > LONGEST {
            return Ok(false);
        }
        let password = prepare(password);
        let verify = move || {
            let hash = PasswordHash::new(hash.as_deref().unwrap_or(NOBODYS))?;
            match Argon2::default().verify_password(password.expose().as_bytes(), &hash) {
                Ok(()) => Ok(true),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.in_turn(verify).await?.map_err(|error: password_hash::Error| Error::internal(error.to_string()))
    }

    /// Does the work on a thread that may block, when it is its turn.
    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let turn = match tokio::time::timeout(WAIT, Arc::clone(&self.0).acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(closed)) => return Err(Error::internal(closed)),
            Err(_) => {
                let pause = Some(Duration::from_secs(1));
                let message = "Too many are signing in at the moment.";
                return Err(Error::new(Kind::Unavailable(pause), "service_unavailable", message));
            }
        };
        // The turn goes with the work, which nobody can stop: a client that leaves does not make room for another.
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)
    }
}

/// A new password as it is hashed.
///
/// # Errors
/// 400 that names the field for one that is too short or too long.
pub(crate) fn check(password: &Secret, field: &'static str) -> Result<Secret> {
    let error = |message: String| Err(Error::invalid_parameter(field, message));
    // Before it is prepared, which takes as long as the text is.
    if password.expose().len() <= LONGEST {
        let prepared = prepare(password);
        if prepared.expose().chars().any(char::is_control) {
            return error(format!("{field} must not hold control characters."));
        }
        if prepared.expose().chars().count() >= SHORTEST {
            return Ok(prepared);
        }
    }
    error(format!("{field} needs at least {SHORTEST} characters and has at most {LONGEST} bytes."))
}

/// The password with each space plain and each letter composed (RFC 8265, 4.2.2). What that forbids besides, a new
/// password is checked for; one that is tried just is not right.
fn prepare(password: &Secret) -> Secret {
    let is_space =
        |c| matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}');
    let plain = password.expose().chars().map(|c| if is_space(c) { ' ' } else { c });
    Secret::new(plain.nfc().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_knows_its_password() {
        let passwords = Passwords::new();
        let password = Secret::new("correct horse \u{1f40e} battery");
        let hash = passwords.hash(&password).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash(&password).await.unwrap(), "each has a salt of its own");
        assert!(passwords.verify(&password, Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(&Secret::new("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(&Secret::new("x".repeat(1_000_000)), Some(hash)).await.unwrap());
        assert!(passwords.verify(&password, Some("plain".to_owned())).await.is_err(), "a row that no server wrote");
    }

    #[tokio::test]
    async fn the_same_letters_are_the_same_password() {
        let passwords = Passwords::new();
        let hash = passwords.hash(&Secret::new("caf\u{e9} au lait")).await.unwrap();
        for same in ["cafe\u{301} au lait", "caf\u{e9}\u{a0}au\u{3000}lait"] {
            assert!(passwords.verify(&Secret::new(same), Some(hash.clone())).await.unwrap(), "{same:?}");
        }
        for other in ["cafe au lait", "CAF\u{c9} au lait", "caf\u{e9}  au lait", " caf\u{e9} au lait"] {
            assert!(!passwords.verify(&Secret::new(other), Some(hash.clone())).await.unwrap(), "{other:?}");
        }
        // A fullwidth letter is another one.
        let wide = passwords.verify(&Secret::new("\u{ff43}af\u{e9} au lait"), Some(hash)).await.unwrap();
        assert!(!wide);
    }

    #[tokio::test]
    async fn nobody_has_nobodys_password() {
        for password in ["", "\0", "password"] {
            assert!(!Passwords::new().verify(&Secret::new(password), None).await.unwrap());
        }
    }

    #[tokio::test]
    async fn who_leaves_makes_no_room_while_the_work_goes_on() {
        let passwords = Passwords::new();
        let mut ends = Vec::new();
        for _ in 0..AT_ONCE {
            let (end, wait) = std::sync::mpsc::channel::<()>();
            let mut work = Box::pin(passwords.in_turn(move || wait.recv().is_ok()));
            // Polled once: the work has begun. Then the client leaves.
            assert!(futures_util::poll!(&mut work).is_pending());
            drop(work);
            ends.push(end);
        }
        assert_eq!(passwords.0.available_permits(), 0);
        drop(ends);
        tokio::time::timeout(WAIT, passwords.in_turn(|| ())).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn lengths_are_bounded() {
        let passwords = Passwords::new();
        let decomposed = "e\u{301}".repeat(7);
        for bad in [String::new(), "1234567".to_owned(), decomposed, "tab\tin side".to_owned(), "x".repeat(LONGEST + 1)]
        {
            let error = passwords.hash(&Secret::new(bad)).await.unwrap_err();
            assert_eq!((error.code(), error.param_name()), ("invalid_parameter", Some("password")));
        }
        assert!(passwords.hash(&Secret::new("\u{e9}".repeat(LONGEST / 2))).await.is_ok());
    }
}
