//! What the provider says of a user, read from its claims.

use domain::Role;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::ExternalProfile;
use url::Url;

use super::{
    OidcOptions,
    tokens::{self, Claims},
};
use crate::accounts;

/// Longest picture's address, in bytes.
const MAX_PICTURE: usize = 2_048;
/// Roles and groups looked at of one user.
const MOST_NAMES: usize = 1_000;
/// Longest name of a group or flag that is kept, in bytes.
const LONGEST_NAME: usize = 256;
/// The claim with the names of what is switched on for the user (contract 5.1).
const FEATURE_FLAGS_CLAIM: &str = "feature_flags";

/// What the provider says of a user. What it does not say is none, and leaves what is known as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asserted {
    /// The user's name with the provider; it never changes.
    pub(crate) subject: String,
    /// What the user would like to be called.
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) email_verified: bool,
    pub(crate) name: Option<String>,
    pub(crate) picture: Option<String>,
    #[serde(default)]
    pub(crate) groups: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) feature_flags: Option<Vec<String>>,
    /// None when roles are given here.
    pub(crate) roles: Option<Vec<Role>>,
    /// Whether the user may come in.
    pub(crate) allowed: bool,
    /// When the provider said so, in seconds.
    pub(crate) at: i64,
}

impl Asserted {
    /// Reads claims, the most trusted first: what one lacks is looked for in the next.
    pub(crate) fn read(sources: &[&Claims], options: &OidcOptions) -> Option<Self> {
        let first = sources.first()?;
        let find = |name: &str| sources.iter().find_map(|claims| tokens::text(claims, name));
        let email = find("email").and_then(|email| accounts::check_email(email).ok());
        // Whether an address is proven, says who names it.
        let by = sources.iter().find(|claims| claims.contains_key("email"));
        let email_verified = email.is_some() && by.is_some_and(|by| is_true(by.get("email_verified")));
        let roles = names(sources, &options.roles_claim);
        let groups = names(sources, &options.groups_claim);
        let any = |wanted: &[String], had: &[&str]| wanted.iter().any(|name| had.contains(&name.as_str()));
        let flags = names(sources, FEATURE_FLAGS_CLAIM);
        let is_admin = any(&options.admin_roles, &roles)
            || any(&options.admin_groups, &groups)
            || any(&options.admin_flags, &flags)
            || options.admin_flags.iter().any(|flag| is_true(sources.iter().find_map(|claims| claims.get(flag))));
        let is_open = options.allowed_roles.is_empty() && options.allowed_groups.is_empty();
        Some(Self {
            subject: tokens::text(first, "sub")?.to_owned(),
            username: find("preferred_username").map(to_username),
            email,
            email_verified,
            name: find("name").and_then(|name| accounts::check_name(name).ok()).filter(|name| !name.is_empty()),
            picture: find("picture").and_then(check_picture),
            groups: said(sources, &options.groups_claim),
            feature_flags: said(sources, FEATURE_FLAGS_CLAIM),
            roles: options.names_admins().then(
                || {
                    if is_admin { vec![Role::User, Role::Admin] } else { vec![Role::User] }
                },
            ),
            allowed: is_open || any(&options.allowed_roles, &roles) || any(&options.allowed_groups, &groups),
            at: tokens::time(first, "iat").ok().flatten().unwrap_or(0),
        })
    }

    /// What is known of the user beyond the row, after this.
    pub(crate) fn profile(&self, known: &ExternalProfile) -> ExternalProfile {
        ExternalProfile {
            picture: self.picture.as_ref().or(known.picture.as_ref()).cloned(),
            groups: self.groups.as_ref().unwrap_or(&known.groups).clone(),
            feature_flags: self.feature_flags.as_ref().unwrap_or(&known.feature_flags).clone(),
        }
    }

    /// Whether something is worth asking the provider for that these claims do not hold.
    pub(crate) fn lacks(sources: &[&Claims], options: &OidcOptions) -> bool {
        let has = |name: &str| sources.iter().any(|claims| claims.contains_key(name));
        let has_names = |path: &str| sources.iter().any(|claims| at(claims, path).is_some());
        let needs_roles = !options.admin_roles.is_empty() || !options.allowed_roles.is_empty();
        let needs_groups = !options.admin_groups.is_empty() || !options.allowed_groups.is_empty();
        !has("email")
            || !has("name") && !has("preferred_username")
            || needs_roles && !has_names(&options.roles_claim)
            || needs_groups && !has_names(&options.groups_claim)
    }
}

/// Some providers write it as a text.
fn is_true(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Bool(true))) || value.and_then(Value::as_str) == Some("true")
}

/// The names at a path, in the first of the sources that has it: several texts, or one.
fn names<'a>(sources: &[&'a Claims], path: &str) -> Vec<&'a str> {
    match sources.iter().find_map(|claims| at(claims, path)) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).take(MOST_NAMES).collect(),
        _ => Vec::new(),
    }
}

/// The names at a path, to be kept and shown: none where no source has it. PostgreSQL keeps no NUL.
fn said(sources: &[&Claims], path: &str) -> Option<Vec<String>> {
    sources.iter().find_map(|claims| at(claims, path))?;
    let shown = |name: &&str| name.len() <= LONGEST_NAME && !name.contains(char::is_control);
    Some(names(sources, path).into_iter().filter(shown).map(str::to_owned).collect())
}

/// The value at a path with dots between its parts. A claim whose name is the whole path, dots and all, comes first:
/// some providers name theirs like addresses.
fn at<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let mut parts = path.split('.');
    let mut value = claims.get(parts.next()?)?;
    for part in parts {
        value = value.get(part)?;
    }
    Some(value)
}

/// A name that is allowed here, as near to the wish as can be: of an address, what stands before its @.
fn to_username(wish: &str) -> String {
    let local = wish.trim().split('@').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = local.chars().take(48).map(plain).collect();
    match accounts::check_username(&name) {
        Ok(name) if name.contains(char::is_alphanumeric) => name,
        _ => format!("user-{name}").trim_end_matches('-').to_owned(),
    }
}

fn check_picture(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_PICTURE)?;
    matches!(url.scheme(), "https" | "http").then(|| url.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(claims: &Value, options: &OidcOptions) -> Asserted {
        Asserted::read(&[claims.as_object().unwrap()], options).unwrap()
    }

    #[test]
    fn roles_and_groups_say_who_administers_and_who_comes_in() {
        let keycloak = OidcOptions::default();
        let admin = read(&json!({"sub": "1", "realm_access": {"roles": ["offline_access", "admin"]}}), &keycloak);
        assert_eq!((admin.roles, admin.allowed), (Some(vec![Role::User, Role::Admin]), true));
        for nobody in [
            json!({"sub": "1"}),
            json!({"sub": "1", "realm_access": "admin"}),
            json!({"sub": "1", "realm_access": {"roles": [["admin"], {"admin": true}, "Admin", "admins"]}}),
            json!({"sub": "1", "roles": ["admin"], "groups": ["admin"]}),
        ] {
            assert_eq!(read(&nobody, &keycloak).roles, Some(vec![Role::User]), "{nobody}");
        }
        let list = |name: &str| vec![name.to_owned()];
        let groups = OidcOptions { admin_groups: list("/ops"), allowed_groups: list("/staff"), ..keycloak.clone() };
        let ops = read(&json!({"sub": "1", "groups": ["/ops"]}), &groups);
        assert_eq!((ops.roles, ops.allowed), (Some(vec![Role::User, Role::Admin]), false));
        assert!(read(&json!({"sub": "1", "groups": "/staff"}), &groups).allowed);
        let ours = OidcOptions { admin_roles: vec![], ..keycloak };
        assert_eq!(read(&json!({"sub": "1", "realm_access": {"roles": ["admin"]}}), &ours).roles, None);
    }

    #[test]
    fn flags_say_who_administers_where_roles_do() {
        let keycloak = OidcOptions::default();
        let roles = |claims: Value, options: &OidcOptions| read(&claims, options).roles;
        let admin = Some(vec![Role::User, Role::Admin]);
        for flagged in [
            json!({"sub": "1", "is_admin": true}),
            json!({"sub": "1", "is_admin": "true"}),
            json!({"sub": "1", "admin_access": true}),
            json!({"sub": "1", "feature_flags": ["beta", "admin_access"]}),
            json!({"sub": "1", "feature_flags": "admin_access", "realm_access": {"roles": ["user"]}}),
        ] {
            assert_eq!(roles(flagged.clone(), &keycloak), admin, "{flagged}");
            let without = OidcOptions { admin_flags: vec![], ..keycloak.clone() };
            assert_eq!(roles(flagged.clone(), &without), Some(vec![Role::User]), "{flagged}");
            let ours = OidcOptions { admin_roles: vec![], ..keycloak.clone() };
            assert_eq!(roles(flagged, &ours), None, "administrators are made here");
        }
        for nobody in [
            json!({"sub": "1", "is_admin": false}),
            json!({"sub": "1", "is_admin": "yes"}),
            json!({"sub": "1", "is_admin": 1}),
            json!({"sub": "1", "is_admin": ["true"]}),
            json!({"sub": "1", "attributes": {"is_admin": true}, "feature_flags": {"admin_access": true}}),
            json!({"sub": "1", "groups": ["is_admin"], "feature_flags": ["Admin_Access"]}),
        ] {
            assert_eq!(roles(nobody.clone(), &keycloak), Some(vec![Role::User]), "{nobody}");
        }
        let first = json!({"sub": "1", "is_admin": false});
        let second = json!({"sub": "1", "is_admin": true});
        let both = [first.as_object().unwrap(), second.as_object().unwrap()];
        assert_eq!(Asserted::read(&both, &keycloak).unwrap().roles, Some(vec![Role::User]), "the most trusted says it");
    }

    #[test]
    fn a_claim_may_have_dots_in_its_name() {
        let options = OidcOptions { roles_claim: "https://jan.example/roles".to_owned(), ..OidcOptions::default() };
        assert_eq!(
            read(&json!({"sub": "1", "https://jan.example/roles": ["admin"]}), &options).roles,
            Some(vec![Role::User, Role::Admin])
        );
    }

    #[test]
    fn what_is_no_name_address_or_picture_is_left_out() {
        let odd = json!({"sub": "1", "email": "not an address", "email_verified": true, "name": "\u{202e}evil",
            "picture": "javascript:alert(1)", "preferred_username": "Ada Lovelace@corp.example"});
        let read_odd = read(&odd, &OidcOptions::default());
        assert_eq!(
            (read_odd.email, read_odd.email_verified, read_odd.name, read_odd.picture),
            (None, false, None, None)
        );
        assert_eq!(read_odd.username.as_deref(), Some("Ada-Lovelace"));
        assert_eq!(to_username("x"), "user-x");
        assert_eq!(to_username("guest-1"), "user-guest-1");
        assert_eq!(to_username("\u{e4}\u{e4}\u{e4}"), "user");
        assert!(accounts::check_username(&to_username(&"n".repeat(300))).is_ok());
    }

    #[test]
    fn an_address_is_proven_by_who_names_it() {
        let first = json!({"sub": "1", "email": "ada@example.org"});
        let second = json!({"sub": "1", "email": "ada@example.org", "email_verified": true});
        let options = OidcOptions::default();
        let both = [first.as_object().unwrap(), second.as_object().unwrap()];
        assert!(!Asserted::read(&both, &options).unwrap().email_verified);
        assert!(Asserted::read(&both[1..], &options).unwrap().email_verified);
    }
}
