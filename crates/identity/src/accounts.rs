//! Accounts: users who can come back, by a password.
//!
//! A guest becomes one by an upgrade and stays the same user. What anybody says about a new account is a wish; roles, and
//! whether an address is proven, are never among it.

use domain::{Error, Kind, Method, Principal, Result, Role, Secret, audit::Act, ids::UserId, user::User};
use store::{Account, Revocation, StoreError, Taken, Tx};

use crate::{Identity, SignIn, guests, time};

/// A username's length, in characters.
const USERNAME: std::ops::RangeInclusive<usize> = 3..=64;
/// Longest address, and what stands before its @, in bytes (RFC 5321).
const MAX_EMAIL: usize = 254;
const MAX_LOCAL_PART: usize = 64;
/// Longest full name, in characters.
const MAX_NAME: usize = 255;

/// What somebody wants an account to have.
#[derive(Clone, Debug, Default)]
pub struct AccountWish {
    /// The address; nobody has proven it.
    pub email: String,
    /// The short name.
    pub username: Option<String>,
    /// The full name.
    pub name: Option<String>,
    /// The password; without one there is no signing in again.
    pub password: Option<Secret>,
}

impl AccountWish {
    /// The user with what is wished for.
    fn apply(&self, user: &mut User) -> Result<()> {
        user.email = Some(check_email(&self.email)?);
        if let Some(username) = &self.username {
            user.username = check_username(username)?;
        }
        user.name = self.name.as_deref().map(check_name).transpose()?.filter(|name| !name.is_empty());
        user.email_verified = false;
        Ok(())
    }
}

impl Identity {
    /// Makes an account of a guest, who keeps everything, and signs it in anew. All other sign-ins of the guest end: who
    /// handed somebody a guest's token in advance does not share the account.
    ///
    /// # Errors
    /// `not_a_guest`, `email_taken`, `username_taken`; 400 that names the field; `rate_limit_exceeded`; `access_denied`
    /// for a guest who is disabled; `insufficient_scope` for an API key, whose holder need not be its owner.
    pub async fn upgrade(&self, caller: &Principal, wish: AccountWish) -> Result<SignIn> {
        refuse_key(caller)?;
        self.check_built_in()?;
        let mut user = check_guest(self.user(caller).await?)?;
        wish.apply(&mut user)?;
        user.roles = vec![Role::User];
        let now = self.0.clock.now();
        self.0.tries.admit_upgrade(&user.id, now)?;
        let hash = self.hash(wish.password.as_ref()).await?;

        let pair = time::limited(async {
            let mut tx = self.0.store.write().await?;
            // Another upgrade may have been faster.
            if let Err(error) = lock_guest(&mut tx, &user.id).await? {
                return Ok(Err(error));
            }
            if let Err(taken) = tx.make_account(&user, hash.as_deref()).await? {
                return Ok(Err(to_error(taken)));
            }
            tx.end_sessions(&user.id, now).await?;
            self.note(&mut tx, Act::Upgraded, Some(&user.id), user.id.as_str()).await?;
            let pair = self.begin_session(&mut tx, user).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(Ok(pair))
        })
        .await??;
        // The keys the user has stay good, and are an account's from now on.
        self.0.verdicts.forget(&Revocation::User(caller.user_id.clone()));
        self.hand_out(pair)
    }

    /// Makes an account with these roles: for who administers the server.
    ///
    /// # Errors
    /// `email_taken`, `username_taken`; 400 that names the field.
    pub async fn create_account(&self, wish: AccountWish, roles: Vec<Role>) -> Result<User> {
        self.make_account(wish, roles, Act::UserCreated).await
    }

    /// Makes an account for itself.
    pub(crate) async fn register_account(&self, wish: AccountWish) -> Result<User> {
        self.make_account(wish, vec![Role::User], Act::Registered).await
    }

    async fn make_account(&self, wish: AccountWish, roles: Vec<Role>, act: Act) -> Result<User> {
        let (user, hash) = self.new_account(&wish, roles).await?;
        let by = (act == Act::Registered).then_some(&user.id);
        time::limited(async {
            let mut tx = self.0.store.write().await?;
            if let Err(error) = Self::insert_account(&mut tx, &user, hash.as_deref()).await? {
                return Ok(Err(error));
            }
            self.note(&mut tx, act, by, user.id.as_str()).await?;
            tx.commit().await?;
            Ok(Ok(()))
        })
        .await??;
        Ok(user)
    }

    /// A new account that is not stored yet, with its password's hash.
    pub(crate) async fn new_account(&self, wish: &AccountWish, roles: Vec<Role>) -> Result<(User, Option<String>)> {
        let id = UserId::new(&self.0.clock);
        let mut user = User {
            issuer: self.0.issuer.clone(),
            subject: id.to_string(),
            username: guests::new_username("user"),
            email: None,
            email_verified: false,
            name: None,
            roles,
            created_at: self.0.clock.now(),
            disabled_at: None,
            id,
        };
        wish.apply(&mut user)?;
        let hash = self.hash(wish.password.as_ref()).await?;
        Ok((user, hash))
    }

    /// Stores a new account, or says what of it is taken.
    pub(crate) async fn insert_account(tx: &mut Tx, user: &User, hash: Option<&str>) -> Result<Result<()>, StoreError> {
        // Under a name that nobody has, until the account's is known to be free.
        tx.insert_user(&User { username: guests::new_username("new"), ..user.clone() }).await?;
        Ok(tx.make_account(user, hash).await?.map_err(to_error))
    }

    /// Signs in with an address or username, and the password.
    ///
    /// # Errors
    /// `invalid_login`, whatever of it was wrong.
    pub async fn sign_in(&self, name: &str, password: &Secret) -> Result<SignIn> {
        let Account { user, password_hash } = self.authenticate(name, password).await?;
        let pair = time::limited(async {
            let mut tx = self.0.store.write().await?;
            if let Some(hash) = &password_hash
                && !tx.has_password(&user.id, hash).await?
            {
                return Ok(None);
            }
            let pair = self.sign_in_as(&mut tx, user, None).await?;
            tx.commit().await?;
            Ok(Some(pair))
        });
        self.hand_out(pair.await?.ok_or_else(invalid_login)?)
    }

    /// Who this is, by address or username and password. Takes as long for nobody, and so long that the password may be
    /// another when it is done: whoever goes on asks the store whether the hash still counts.
    pub(crate) async fn authenticate(&self, name: &str, password: &Secret) -> Result<Account> {
        let account = self.account(name).await?;
        let hash = account.as_ref().and_then(|account| account.password_hash.clone());
        let is_right = self.0.passwords.verify(password, hash).await?;
        match account {
            Some(account) if is_right && account.user.disabled_at.is_none() && !self.is_providers(&account.user) => {
                Ok(account)
            }
            account => {
                self.note_refusal(account.as_ref().map(|account| &account.user.id));
                Err(invalid_login())
            }
        }
    }

    /// The account of this address or username. What cannot be one is not asked for; PostgreSQL knows no NUL.
    pub(crate) async fn account(&self, name: &str) -> Result<Option<Account>> {
        let name = name.trim();
        if name.len() > MAX_EMAIL || name.contains(char::is_control) {
            return Ok(None);
        }
        time::limited(async { self.0.store.read().await?.account(name).await }).await
    }

    async fn hash(&self, password: Option<&Secret>) -> Result<Option<String>> {
        match password {
            Some(password) => self.0.passwords.hash(password).await.map(Some),
            None => Ok(None),
        }
    }
}

pub(crate) fn is_guest(user: &User) -> bool {
    user.roles.contains(&Role::Guest)
}

/// Refuses an API key, which its guest may have given away.
pub(crate) fn refuse_key(caller: &Principal) -> Result<()> {
    if matches!(caller.method, Method::ApiKey(_)) {
        let message = "An API key cannot make an account; use the guest's access token.";
        return Err(Error::new(Kind::Forbidden, "insufficient_scope", message));
    }
    Ok(())
}

/// Refuses who cannot become an account.
pub(crate) fn check_guest(user: User) -> Result<User> {
    if user.disabled_at.is_some() {
        Err(disabled())
    } else if is_guest(&user) {
        Ok(user)
    } else {
        Err(not_a_guest())
    }
}

/// The guest as it is now, and stays until the transaction ends.
pub(crate) async fn lock_guest(tx: &mut Tx, id: &UserId) -> Result<Result<User>, StoreError> {
    tx.lock_user(id).await?;
    Ok(tx.user(id).await?.ok_or_else(not_a_guest).and_then(check_guest))
}

/// An address: something, an @, and a domain. Whether anybody receives what is sent there, only sending shows.
pub(crate) fn check_email(text: &str) -> Result<String> {
    let text = text.trim();
    let error = |message: &'static str| Error::invalid_parameter("email", message);
    let Some((local, domain)) = text.rsplit_once('@') else { return Err(error("email is no address.")) };
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !is_unseen(c) && !"<>()[],;:\\\"@".contains(c);
    let is_label = |label: &str| {
        let inner = |c: char| c.is_alphanumeric() || c == '-';
        !label.is_empty() && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let well_formed = !local.is_empty() && local.len() <= MAX_LOCAL_PART && local.chars().all(is_plain);
    if !well_formed || text.len() > MAX_EMAIL || !domain.contains('.') || !domain.split('.').all(is_label) {
        return Err(error("email is no address."));
    }
    if domain.eq_ignore_ascii_case(guests::DOMAIN) {
        return Err(error("email is a guest's placeholder; give an address that exists."));
    }
    Ok(text.to_owned())
}

pub(crate) fn check_username(text: &str) -> Result<String> {
    let text = text.trim();
    let is_mark = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if !USERNAME.contains(&text.len()) || !text.bytes().all(is_mark) {
        let message = "username has 3 to 64 letters, digits and . _ -.";
        return Err(Error::invalid_parameter("username", message));
    }
    // It could be taken for a guest's, or for an id.
    let folded = text.to_ascii_lowercase();
    if folded.starts_with("guest-") || folded.starts_with(UserId::PREFIX) {
        return Err(Error::invalid_parameter("username", "username must not begin with guest- or user_."));
    }
    Ok(text.to_owned())
}

pub(crate) fn check_name(text: &str) -> Result<String> {
    let text = text.trim();
    if text.chars().count() > MAX_NAME || text.chars().any(|c| c.is_control() || turns_text(c)) {
        let message = format!("A name has at most {MAX_NAME} characters, none of them a control character.");
        return Err(Error::invalid_parameter("full_name", message));
    }
    Ok(text.to_owned())
}

/// Characters that nobody sees: with one of them, an address looks like another's.
fn is_unseen(c: char) -> bool {
    turns_text(c)
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Characters that change the direction of what follows, in a list of users too.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cold]
pub(crate) fn disabled() -> Error {
    Error::new(Kind::Forbidden, "access_denied", "Your account on this server is deactivated.")
}

#[cold]
fn not_a_guest() -> Error {
    Error::new(Kind::Conflict, "not_a_guest", "The caller has an account already.")
}

#[cold]
pub(crate) fn to_error(taken: Taken) -> Error {
    match taken {
        Taken::Email => Error::new(Kind::Conflict, "email_taken", "Another account has this address.").param("email"),
        Taken::Username => {
            Error::new(Kind::Conflict, "username_taken", "Another account has this username.").param("username")
        }
    }
}

#[cold]
pub(crate) fn invalid_login() -> Error {
    Error::new(Kind::Unauthenticated, "invalid_login", "The address, username or password is not right.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        for good in
            ["ada@example.org", " Ada.Lovelace+jan@mail.example.co.uk ", "\u{e4}da@b\u{fc}cher.example", "a@b.c"]
        {
            assert_eq!(check_email(good).unwrap(), good.trim());
        }
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long = format!("a@{}.example", "b".repeat(250));
        for bad in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.org",
            "ada@example",
            "a b@example.org",
            "ada@exa mple.org",
            "ada@-a.org",
            "ada@example..org",
            "a@b@example.org",
            "ada\n@example.org",
            "<ada@example.org>",
            "x@guest.invalid",
            "x@GUEST.invalid",
            "a\u{200b}da@example.org",
            "a\u{202e}da@example.org",
            "ada\u{feff}@example.org",
            &long_local,
            &long,
        ] {
            assert_eq!(check_email(bad).unwrap_err().param_name(), Some("email"), "{bad:?}");
        }
    }

    #[test]
    fn usernames_are_plain() {
        assert_eq!(check_username(" Ada_L.1-2 ").unwrap(), "Ada_L.1-2");
        let long = "a".repeat(65);
        for bad in ["", "ab", "a b c", "ada@x", "\u{e4}da", "guest-1", "GUEST-1", "User_1", "a\0bc", &long] {
            assert_eq!(check_username(bad).unwrap_err().param_name(), Some("username"), "{bad:?}");
        }
    }

    #[test]
    fn names_are_free_but_short() {
        assert_eq!(check_name("  Ada \u{1f469}\u{200d}\u{1f4bb}  ").unwrap(), "Ada \u{1f469}\u{200d}\u{1f4bb}");
        for bad in ["a\u{1b}[31m".to_owned(), "\u{202e}gnp.exe".to_owned(), "n".repeat(256)] {
            assert_eq!(check_name(&bad).unwrap_err().param_name(), Some("full_name"));
        }
    }
}
