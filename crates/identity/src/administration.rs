//! What who administers the server does with users. Who that is, the caller has checked.

use domain::{
    Error, Kind, Method, Principal, Result, Role, Secret,
    audit::{Act, Actor},
    ids::{ApiKeyId, UserId},
    page::{Page, PageRequest},
    user::User,
};
use store::{KeyFilter, Revocation, StoreError, Tx, UserFilter};

use crate::{
    Identity,
    accounts::{check_email, check_name, check_username, is_guest, to_error},
    credentials, time,
};

/// What of a user is to be changed; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// All of the roles. Who has an account has the role `user`, whether it is named or not.
    pub roles: Option<Vec<Role>>,
    /// The short name.
    pub username: Option<String>,
    /// The address, which then nobody has proven.
    pub email: Option<String>,
    /// Whether the address, the new one if there is one, counts as proven.
    pub email_verified: Option<bool>,
    /// The full name; an empty one for none.
    pub name: Option<String>,
}

impl UserChange {
    /// The user as it is to be, with the names of the fields that differ; roles apart.
    fn apply(&self, user: &User) -> Result<(User, Vec<&'static str>)> {
        let mut changed = user.clone();
        if let Some(username) = &self.username {
            changed.username = check_username(username)?;
        }
        if let Some(email) = &self.email {
            changed.email = Some(check_email(email)?);
        }
        if let Some(name) = &self.name {
            let name =
                check_name(name).map_err(|error| Error::invalid_parameter("name", error.message().to_owned()))?;
            changed.name = Some(name).filter(|name| !name.is_empty());
        }
        if self.email_verified == Some(true) && changed.email.is_none() {
            return Err(Error::invalid_parameter("email_verified", "The user has no address."));
        }
        changed.email_verified = match self.email_verified {
            Some(verified) => verified,
            None => user.email_verified && changed.email == user.email,
        };
        let differences = [
            ("username", changed.username != user.username),
            ("email", changed.email != user.email),
            ("name", changed.name != user.name),
        ];
        let names = differences.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
        Ok((changed, names))
    }

    /// The roles as they are to be, lowest first.
    fn roles(&self) -> Result<Option<Vec<Role>>> {
        let Some(roles) = &self.roles else { return Ok(None) };
        if roles.contains(&Role::Guest) {
            return Err(Error::invalid_parameter("roles", "roles cannot make a guest of an account."));
        }
        let admin = roles.contains(&Role::Admin).then_some(Role::Admin);
        Ok(Some([Role::User].into_iter().chain(admin).collect()))
    }
}

impl Identity {
    /// A page of all users.
    pub async fn users(&self, page: &PageRequest) -> Result<Page<User>> {
        time::limited(async { self.0.store.read().await?.users(&UserFilter::default(), page).await }).await
    }

    /// A page of the users that the filter lets through.
    ///
    /// # Errors
    /// `invalid_cursor`.
    pub async fn search_users(&self, filter: &UserFilter, page: &PageRequest) -> Result<Page<User>> {
        let unknown = || Error::invalid("invalid_cursor", "after names no user.").param("after");
        let after = page.after.as_deref().map(UserId::parse).transpose().map_err(|_| unknown())?;
        let found = time::limited(async {
            let mut reader = self.0.store.read().await?;
            match &after {
                Some(after) if reader.user(after).await?.is_none() => Ok(None),
                _ => reader.users(filter, page).await.map(Some),
            }
        });
        found.await?.ok_or_else(unknown)
    }

    /// The user with this id.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn user_by_id(&self, id: &str) -> Result<User> {
        let id = Self::user_id(id)?;
        let found = time::limited(async { self.0.store.read().await?.user(&id).await }).await?;
        found.ok_or_else(not_found)
    }

    /// The text as a user's id; whether there is such a user, is not asked.
    ///
    /// # Errors
    /// `user_not_found` for a text that can be nobody's.
    pub fn user_id(text: &str) -> Result<UserId> {
        UserId::parse(text).map_err(|_| not_found())
    }

    /// The user with this id, address or username.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn find_user(&self, name: &str) -> Result<User> {
        match UserId::parse(name) {
            Ok(id) => self.user_by_id(id.as_str()).await,
            Err(_) => self.account(name).await?.map(|account| account.user).ok_or_else(not_found),
        }
    }

    /// Gives a user these roles, from the next request on.
    ///
    /// # Errors
    /// What [`Identity::update_user`] refuses.
    pub async fn set_roles(&self, id: &UserId, roles: &[Role]) -> Result<()> {
        let change = UserChange { roles: Some(roles.to_vec()), ..UserChange::default() };
        self.update_user(id, &change).await.map(drop)
    }

    /// Changes a user, from the next request on.
    ///
    /// # Errors
    /// `user_not_found`; `not_an_account` for a guest, who would be an administrator without a way to sign in;
    /// `last_admin` for an administrator who would leave none; `email_taken`, `username_taken`; 400 that names the field.
    pub async fn update_user(&self, id: &UserId, change: &UserChange) -> Result<User> {
        let roles = change.roles()?;
        let done = time::limited(async {
            let mut tx = self.0.store.write().await?;
            let user = match self.lock_for_change(&mut tx, id).await? {
                Ok((user, _)) if is_guest(&user) => return Ok(Err(not_an_account())),
                Ok((_, true)) if roles.as_ref().is_some_and(|roles| !roles.contains(&Role::Admin)) => {
                    return Ok(Err(last_admin()));
                }
                Ok((user, _)) => user,
                Err(error) => return Ok(Err(error)),
            };
            let (wanted, fields) = match change.apply(&user) {
                Ok(applied) => applied,
                Err(error) => return Ok(Err(error)),
            };
            if !fields.is_empty() {
                if let Err(taken) = tx.rename_user(&wanted).await? {
                    return Ok(Err(to_error(taken)));
                }
                self.note_detail(&mut tx, Act::UserUpdated, id, &fields).await?;
            }
            if wanted.email_verified != (user.email_verified && wanted.email == user.email) {
                self.set_email_verified(&mut tx, &wanted).await?;
            }
            if let Some(roles) = roles.filter(|roles| *roles != user.roles) {
                tx.set_roles(id, &roles).await?;
                let names: Vec<_> = roles.into_iter().map(Role::as_str).collect();
                self.note_detail(&mut tx, Act::RolesChanged, id, &names).await?;
            }
            let changed = tx.user(id).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(changed.ok_or_else(not_found))
        });
        let changed = done.await??;
        self.0.verdicts.forget(&Revocation::User(id.clone()));
        Ok(changed)
    }

    async fn set_email_verified(&self, tx: &mut Tx, user: &User) -> Result<(), StoreError> {
        let Some(email) = &user.email else { return Ok(()) };
        let (since, act) =
            if user.email_verified { (Some(self.0.clock.now()), Act::EmailVerified) } else { (None, Act::UserUpdated) };
        tx.set_email_verified(&user.id, email, since).await?;
        self.note_detail(tx, act, &user.id, &["email_verified"]).await
    }

    /// Gives an account a new password and ends all of its sessions: whoever had the old one is out. A forgotten password
    /// is no reason to stop the account's programs, so its keys stay good unless `revoke_keys`; says how many stay.
    ///
    /// # Errors
    /// `user_not_found`; `not_an_account`; 400 for a password that is none.
    pub async fn reset_password(&self, user: &User, password: &Secret, revoke_keys: bool) -> Result<u64> {
        if is_guest(user) {
            return Err(not_an_account());
        }
        let hash = self.0.passwords.hash(password).await?;
        let now = self.0.clock.now();
        let changed = time::limited(async {
            let mut tx = self.0.store.write().await?;
            if !tx.set_password(&user.id, &hash).await? {
                return Ok(None);
            }
            tx.end_sessions(&user.id, now).await?;
            if revoke_keys {
                tx.revoke_api_keys(&user.id, now).await?;
                self.note_detail(&mut tx, Act::PasswordReset, &user.id, &["api_keys"]).await?;
            } else {
                self.note(&mut tx, Act::PasswordReset, None, user.id.as_str()).await?;
            }
            let left = tx.count_api_keys(&user.id, KeyFilter::Active(now)).await?;
            tx.commit().await?;
            Ok(Some(left))
        });
        let left = changed.await?.ok_or_else(not_found)?;
        self.0.verdicts.forget(&Revocation::User(user.id.clone()));
        Ok(left)
    }

    /// Keeps a user out, with every key and session; or lets one in again, who then signs in anew. Who is so already
    /// stays so.
    ///
    /// # Errors
    /// `user_not_found`; for an administrator, `cannot_disable_self`, and `last_admin` who would leave none.
    pub async fn set_disabled(&self, id: &UserId, disabled: bool) -> Result<User> {
        let now = self.0.clock.now();
        if disabled && self.1.as_ref().is_some_and(|origin| origin.actor.user() == Some(id)) {
            let message = "Nobody can disable themselves; another administrator can.";
            return Err(Error::new(Kind::Conflict, "cannot_disable_self", message));
        }
        let done = time::limited(async {
            let mut tx = self.0.store.write().await?;
            match self.lock_for_change(&mut tx, id).await? {
                Err(error) => return Ok(Err(error)),
                Ok((user, _)) if user.disabled_at.is_some() == disabled => return Ok(Ok(user)),
                Ok((_, true)) if disabled => return Ok(Err(last_admin())),
                Ok(_) => {}
            }
            tx.set_disabled(id, disabled.then_some(now)).await?;
            tx.end_sessions(id, now).await?;
            let act = if disabled { Act::UserDisabled } else { Act::UserEnabled };
            self.note(&mut tx, act, None, id.as_str()).await?;
            let changed = tx.user(id).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(changed.ok_or_else(not_found))
        });
        let changed = done.await??;
        self.0.verdicts.forget(&Revocation::User(id.clone()));
        Ok(changed)
    }

    /// The user, locked, and whether it has to stay an administrator: nobody else is one, and it is a user who asks.
    /// From the command line anything can be changed, and made good again.
    async fn lock_for_change(&self, tx: &mut Tx, id: &UserId) -> Result<Result<(User, bool)>, StoreError> {
        // Before the user, and in the order of their ids: of two who change each other, one waits.
        let admins = tx.lock_admins().await?;
        tx.lock_user(id).await?;
        let by_user = self.1.as_ref().is_some_and(|origin| matches!(origin.actor, Actor::User(_)));
        let user = tx.user(id).await?.ok_or_else(not_found);
        Ok(user.map(|user| (user, by_user && admins == [id.clone()])))
    }

    async fn note_detail(&self, tx: &mut Tx, act: Act, id: &UserId, detail: &[&str]) -> Result<(), StoreError> {
        let mut entry = self.entry(act, None, id.as_str());
        entry.detail = Some(detail.join(", "));
        tx.insert_audit(&entry).await
    }

    /// Takes any user's key back.
    ///
    /// # Errors
    /// `api_key_not_found`, also for a key taken back before.
    pub async fn revoke_any_key(&self, id: &str) -> Result<()> {
        let missing = || Error::not_found("api_key_not_found", "There is no such API key.");
        let id = ApiKeyId::parse(id).map_err(|_| missing())?;
        let now = self.0.clock.now();
        let revoked = time::limited(async {
            let mut tx = self.0.store.write().await?;
            let Some(owner) = tx.api_key_owner(&id).await? else { return Ok(false) };
            let revoked = tx.revoke_api_key(&owner, &id, now).await?;
            if revoked {
                self.note(&mut tx, Act::KeyRevoked, None, id.as_str()).await?;
            }
            tx.commit().await?;
            Ok(revoked)
        });
        if !revoked.await? {
            return Err(missing());
        }
        self.0.verdicts.forget(&Revocation::ApiKey(id));
        Ok(())
    }

    /// The user as a caller, for who acts in the user's name beside the API.
    pub fn act_as(user: User) -> Principal {
        credentials::principal(user, Method::Jwt(None), Vec::new())
    }
}

#[cold]
fn not_found() -> Error {
    Error::not_found("user_not_found", "There is no such user.")
}

#[cold]
pub(crate) fn not_an_account() -> Error {
    Error::new(Kind::Conflict, "not_an_account", "The user is a guest, who has no account.")
}

#[cold]
fn last_admin() -> Error {
    Error::new(Kind::Conflict, "last_admin", "Nobody else administers the server; make another administrator first.")
}
