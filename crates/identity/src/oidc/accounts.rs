//! The provider's users as rows: made at first sight, refreshed by what the provider says last, known by issuer and
//! subject alone.

use domain::{
    Result, Role, Timestamp,
    audit::{Act, Entry},
    ids::UserId,
    secret,
    user::User,
};
use store::{ExternalProfile, ExternalUser, Revocation, StoreError, Tx};

use super::{asserted::Asserted, exchange::Proven};
use crate::{Identity, SignIn, accounts::disabled, guests, time};

/// Names that are tried for a new user before one that nobody wants.
const TRIES: usize = 3;

impl Identity {
    /// Signs in who came through.
    pub(super) async fn sign_in_external(&self, proven: &Proven) -> Result<Result<SignIn>> {
        let settled = time::limited(async {
            let mut tx = self.0.store.write().await?;
            let user = self.settle(&mut tx, &proven.asserted, true).await?;
            let id = user.id.clone();
            let pair = match user.disabled_at {
                None => Some(self.sign_in_as(&mut tx, user, Some(&proven.id_token)).await?),
                Some(_) => None,
            };
            tx.commit().await?;
            Ok((id, pair))
        });
        let (id, pair) = settled.await?;
        self.0.verdicts.forget(&Revocation::User(id.clone()));
        if let Some(pair) = pair {
            return self.hand_out(pair).map(Ok);
        }
        self.note_refusal(Some(&id));
        Ok(Err(disabled()))
    }

    /// The user's row, made if it is not there, and changed if the provider says something else. `fresh` is what the
    /// provider said just now; other words count if they are newer than what the row holds.
    pub(super) async fn settle(&self, tx: &mut Tx, asserted: &Asserted, fresh: bool) -> Result<User, StoreError> {
        let issuer = &self.0.options.oidc.issuer;
        let found = match tx.external_user(issuer, &asserted.subject, &[0; 32]).await? {
            Some(found) => found,
            None => match self.add(tx, asserted).await? {
                Added::New(user) => return Ok(user),
                Added::There(found) => *found,
            },
        };
        tx.lock_user(&found.user.id).await?;
        // As it is now: another server may have changed it until then.
        let found = tx.external_user(issuer, &asserted.subject, &[0; 32]).await?.unwrap_or(found);
        let Some((changed, profile)) = change(&found, asserted, fresh) else { return Ok(found.user) };
        if changed != found.user {
            tx.update_external_user(&changed, self.0.clock.now()).await?;
        }
        tx.put_external_account(&changed.id, Timestamp::from_seconds(asserted.at), &profile).await?;
        if changed.roles != found.user.roles {
            tx.set_roles(&changed.id, &changed.roles).await?;
            tx.insert_audit(&self.roles_changed(&changed)).await?;
        }
        Ok(changed)
    }

    fn roles_changed(&self, user: &User) -> Entry {
        let roles: Vec<&str> = user.roles.iter().map(|role| role.as_str()).collect();
        let detail = Some(format!("{} (by the sign-in provider)", roles.join(", ")));
        Entry { detail, ..self.entry(Act::RolesChanged, None, user.id.as_str()) }
    }

    async fn add(&self, tx: &mut Tx, asserted: &Asserted) -> Result<Added, StoreError> {
        let issuer = &self.0.options.oidc.issuer;
        let mut user = self.external_user_of(asserted, UserId::new(&self.0.clock), self.0.clock.now());
        if !keep(tx, &mut user, asserted, Row::New).await? {
            // The same user came twice at once.
            let found = tx.external_user(issuer, &asserted.subject, &[0; 32]).await?;
            return found.map(|found| Added::There(Box::new(found))).ok_or(StoreError::Unavailable(None));
        }
        let at = Timestamp::from_seconds(asserted.at);
        tx.put_external_account(&user.id, at, &asserted.profile(&ExternalProfile::default())).await?;
        self.note(tx, Act::Registered, Some(&user.id), user.id.as_str()).await?;
        Ok(Added::New(user))
    }

    /// The row of a user whom the provider knows and this server did not; its name is still to be found. Where roles are
    /// given here, the user begins as a plain one, as who makes an account does.
    pub(super) fn external_user_of(&self, asserted: &Asserted, id: UserId, created_at: Timestamp) -> User {
        User {
            id,
            issuer: self.0.options.oidc.issuer.clone(),
            subject: asserted.subject.clone(),
            username: String::new(),
            email: asserted.email.clone(),
            email_verified: asserted.email_verified,
            name: asserted.name.clone(),
            roles: asserted.roles.clone().unwrap_or_else(|| vec![Role::User]),
            created_at,
            disabled_at: None,
        }
    }
}

enum Added {
    New(User),
    There(Box<ExternalUser>),
}

/// The row that becomes a user of the provider's.
#[derive(Clone, Copy)]
pub(super) enum Row {
    New,
    Guests,
}

/// Keeps a user of the provider's, with a name that nobody has; `false` when that user is there already.
pub(super) async fn keep(tx: &mut Tx, user: &mut User, asserted: &Asserted, row: Row) -> Result<bool, StoreError> {
    for attempt in 0..=TRIES {
        user.username = username(asserted, attempt);
        let kept = match row {
            Row::New => tx.insert_external_user(user, user.email_verified).await?,
            Row::Guests => tx.link_user(user).await?,
        };
        if kept {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A name to try: the wish, then near it, at last one of ours.
fn username(asserted: &Asserted, attempt: usize) -> String {
    match &asserted.username {
        Some(wish) if attempt == 0 => wish.clone(),
        Some(wish) if attempt < TRIES => format!("{wish}-{}", secret::hex(&secret::random::<3>())),
        _ => guests::new_username("user"),
    }
}

/// The row and profile after what the provider says; none when that changes nothing, or is older than what is known.
pub(super) fn change(found: &ExternalUser, asserted: &Asserted, fresh: bool) -> Option<(User, ExternalProfile)> {
    let is_newer = found.asserted_at.is_none_or(|at| asserted.at > at.seconds());
    if !fresh && !is_newer {
        return None;
    }
    let mut user = found.user.clone();
    if asserted.email.is_some() {
        user.email.clone_from(&asserted.email);
        user.email_verified = asserted.email_verified;
    }
    if asserted.name.is_some() {
        user.name.clone_from(&asserted.name);
    }
    if let Some(roles) = &asserted.roles {
        user.roles.clone_from(roles);
    }
    let profile = asserted.profile(&found.profile);
    // A sign-in leaves its mark even when nothing changed: what is older does not count from now on.
    let differs = user != found.user || profile != found.profile || fresh && is_newer;
    differs.then_some((user, profile))
}

#[cfg(test)]
mod tests {
    use domain::Clock;

    use super::*;

    fn found() -> ExternalUser {
        let clock = Clock::System;
        let user = User {
            id: UserId::new(&clock),
            issuer: "https://sso.example".to_owned(),
            subject: "1".to_owned(),
            username: "ada".to_owned(),
            email: Some("ada@example.org".to_owned()),
            email_verified: true,
            name: Some("Ada".to_owned()),
            roles: vec![Role::User],
            created_at: clock.now(),
            disabled_at: None,
        };
        ExternalUser {
            user,
            asserted_at: Some(Timestamp::from_seconds(100)),
            profile: ExternalProfile::default(),
            denied: false,
        }
    }

    fn said(at: i64) -> Asserted {
        Asserted {
            subject: "1".to_owned(),
            username: Some("other".to_owned()),
            email: None,
            email_verified: false,
            name: None,
            picture: None,
            groups: None,
            feature_flags: None,
            roles: Some(vec![Role::User]),
            allowed: true,
            at,
        }
    }

    #[test]
    fn nothing_is_written_for_nothing_new() {
        assert_eq!(change(&found(), &said(200), false), None);
        assert!(change(&found(), &said(200), true).is_some(), "a sign-in leaves its mark");
        assert_eq!(change(&found(), &said(100), true), None);
    }

    #[test]
    fn newer_words_count_and_older_do_not() {
        let admin = |at| Asserted { roles: Some(vec![Role::User, Role::Admin]), ..said(at) };
        let (changed, _) = change(&found(), &admin(101), false).unwrap();
        assert_eq!(changed.roles, [Role::User, Role::Admin]);
        assert_eq!((changed.username.as_str(), changed.email.as_deref()), ("ada", Some("ada@example.org")));
        assert_eq!(change(&found(), &admin(100), false), None, "an older token is not believed about roles");
        let unsaid = Asserted { roles: None, ..said(200) };
        assert_eq!(change(&found(), &unsaid, false), None, "roles that are given here stay");
    }
}
