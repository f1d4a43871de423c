//! API keys: what they look like, and the three things their owners do with them.
//!
//! The key itself is shown once, at its making; kept is its SHA-256, which is enough for 192 random bits.

use std::time::Duration;

use domain::{
    Error, Kind, Principal, Result, Scope, Secret,
    api_key::ApiKey,
    audit::Act,
    ids::ApiKeyId,
    page::{Page, PageRequest},
    scope, secret,
};
use store::{KeyFilter, Revocation, StoreError};

use crate::{Identity, time, verdicts};

/// By this a key is told from an access token.
pub(crate) const MARK: &str = "sk_";
/// Longest credential looked at as a key, in bytes.
const MAX_LENGTH: usize = 256;
/// Longest name, in characters.
const MAX_NAME: usize = 100;
/// Most scopes that are looked at.
const MAX_SCOPES: usize = 64;

/// Whether a text can be a key at all. Keys made under an earlier prefix stay good, so the prefix is not asked for.
pub(crate) fn is_well_formed(text: &str) -> bool {
    text.len() <= MAX_LENGTH && text.starts_with(MARK) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What the owner of a new key asks for.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    /// What the owner calls it.
    pub name: String,
    /// How long it is to be good; the longest that is allowed when not said.
    pub life: Option<Duration>,
    /// What it is to be limited to; empty for no limit.
    pub scopes: Vec<String>,
}

impl Identity {
    /// Makes a key; the secret is not to be had again.
    ///
    /// # Errors
    /// `insufficient_scope` for an API key that may not; 400 with `name`, `expires_in` or `scopes` as the field;
    /// `api_key_limit_reached`.
    pub async fn create_key(&self, caller: &Principal, wish: NewKey) -> Result<(ApiKey, Secret)> {
        self.check_may_manage(caller)?;
        let name = check_name(&wish.name)?;
        let scopes = check_scopes(caller, wish.scopes)?;
        let life = self.check_life(wish.life)?;

        let options = &self.0.options;
        let text = format!("{}_{}", options.api_key_prefix, secret::hex(&secret::random::<24>()));
        let now = self.0.clock.now();
        let key = ApiKey {
            id: ApiKeyId::new(&self.0.clock),
            user_id: caller.user_id.clone(),
            name,
            prefix: options.api_key_prefix.clone(),
            suffix: text[text.len() - 4..].to_owned(),
            scopes,
            created_at: now,
            expires_at: now + life,
            last_used_at: None,
            revoked_at: None,
        };

        let limit = options.api_keys_per_user;
        let made = time::limited(async {
            let mut tx = self.0.store.write().await?;
            tx.lock_user(&key.user_id).await?;
            if tx.count_api_keys(&key.user_id, KeyFilter::Active(now)).await? >= u64::from(limit) {
                return Ok(false);
            }
            tx.insert_api_key(&key, &verdicts::digest(&text)).await?;
            self.note(&mut tx, Act::KeyCreated, Some(&key.user_id), key.id.as_str()).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(true)
        });
        if !made.await? {
            let message = format!("The limit of {limit} active API keys is reached. Revoke one to make another.");
            return Err(Error::invalid("api_key_limit_reached", message));
        }
        Ok((key, Secret::new(text)))
    }

    /// A page of the caller's keys, without the revoked and expired ones unless asked for.
    ///
    /// # Errors
    /// `insufficient_scope` for an API key that may not; `invalid_cursor`.
    pub async fn list_keys(
        &self,
        caller: &Principal,
        include_revoked: bool,
        page: &PageRequest,
    ) -> Result<Page<ApiKey>> {
        self.check_may_manage(caller)?;
        let filter = if include_revoked { KeyFilter::All } else { KeyFilter::Active(self.0.clock.now()) };
        let keys = async { self.0.store.read().await?.api_keys(&caller.user_id, filter, page).await };
        time::limited(keys)
            .await?
            .ok_or_else(|| Error::invalid("invalid_cursor", "after names no API key of yours.").param("after"))
    }

    /// Takes a key back: at once here, within two seconds on every other server.
    ///
    /// # Errors
    /// `insufficient_scope` for an API key that may not; `api_key_not_found`, also for a key taken back before.
    pub async fn revoke_key(&self, caller: &Principal, id: &str) -> Result<()> {
        self.check_may_manage(caller)?;
        let id = ApiKeyId::parse(id).map_err(|_| not_found())?;
        let now = self.0.clock.now();
        let revoked = time::limited(async {
            let mut tx = self.0.store.write().await?;
            if !tx.revoke_api_key(&caller.user_id, &id, now).await? {
                return Ok(false);
            }
            self.note(&mut tx, Act::KeyRevoked, Some(&caller.user_id), id.as_str()).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(true)
        });
        if !revoked.await? {
            return Err(not_found());
        }
        self.0.verdicts.forget(&Revocation::ApiKey(id));
        Ok(())
    }

    /// A stolen key must not be able to make itself another, so keys do not manage keys unless made for that.
    fn check_may_manage(&self, caller: &Principal) -> Result<()> {
        if !caller.allows(Scope::KeysManage) {
            let message = "An API key needs the scope keys:manage to manage API keys; or use an access token.";
            return Err(Error::new(Kind::Forbidden, "insufficient_scope", message));
        }
        if caller.is_guest() && !self.lets_guests(Scope::KeysManage) {
            return Err(Error::new(Kind::Forbidden, "guest_not_allowed", "Guests have no API keys on this server."));
        }
        Ok(())
    }

    fn check_life(&self, wish: Option<Duration>) -> Result<Duration> {
        let most = self.0.options.api_key_life();
        match wish {
            None => Ok(most),
            Some(life) if life.as_secs() == 0 => {
                Err(Error::invalid_parameter("expires_in", "A key needs to be good for a second at least."))
            }
            Some(life) if life > most => {
                let hours = self.0.options.api_key_hours;
                Err(Error::invalid_parameter("expires_in", format!("A key is good for at most {hours} hours.")))
            }
            Some(life) => Ok(life),
        }
    }
}

fn check_name(name: &str) -> Result<String> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME {
        return Err(Error::invalid_parameter("name", format!("name needs 1 to {MAX_NAME} characters.")));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid_parameter("name", "name must not hold control characters."));
    }
    Ok(name.to_owned())
}

/// Scopes in order and each once. A key cannot give more than it has.
fn check_scopes(caller: &Principal, scopes: Vec<String>) -> Result<Vec<String>> {
    if scopes.len() > MAX_SCOPES {
        return Err(Error::invalid_parameter("scopes", format!("A key has at most {MAX_SCOPES} scopes.")));
    }
    let mut kept: Vec<String> = Vec::with_capacity(scopes.len());
    for (index, scope) in scopes.into_iter().enumerate() {
        if !scope::is_word(&scope) {
            let known: Vec<_> = scope::names().map(|(name, _)| name).collect();
            let message = format!("There is no such scope; there are {}.", known.join(", "));
            return Err(Error::invalid_parameter(format!("scopes[{index}]"), message));
        }
        if scope == Scope::Admin.as_str() && !caller.is_admin() {
            // It would begin to count when its owner becomes one, by an upgrade that somebody else planned.
            let message = "Only an administrator's key can have the scope admin.";
            return Err(Error::new(Kind::Forbidden, "insufficient_scope", message).param("scopes"));
        }
        if !kept.contains(&scope) {
            kept.push(scope);
        }
    }
    if caller.is_by_key() && !scope::covers(&caller.scopes, &kept) {
        let message = "A key can only make keys with scopes of its own.";
        return Err(Error::new(Kind::Forbidden, "insufficient_scope", message).param("scopes"));
    }
    Ok(kept)
}

#[cold]
fn not_found() -> Error {
    Error::not_found("api_key_not_found", "There is no such API key.")
}
