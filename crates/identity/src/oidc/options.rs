//! What an operator says of the provider.

use std::time::Duration;

use domain::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use url::{Host, Url};

use crate::OptionsError;

/// Longest text of a setting, in bytes.
const MAX_TEXT: usize = 2_048;
/// By how many seconds a provider's clock may differ at most.
const MOST_SKEW: u64 = 60;
/// How often keys are read at most, and at least, in seconds.
const REFRESH: std::ops::RangeInclusive<u64> = 30..=24 * 60 * 60;

/// An OpenID Connect provider whose users may sign in here: Keycloak, Entra ID, Google, Authentik and others.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct OidcOptions {
    /// The provider's address, exactly as its documents and tokens spell it, such as
    /// `https://sso.example.org/realms/jan`. Empty for no external sign-in.
    pub issuer: String,
    /// Where the provider's discovery document is, if not at the issuer's address followed by
    /// `/.well-known/openid-configuration`: for a provider that this server reaches under another address.
    pub discovery_url: String,
    /// Where the provider's keys are, if not where the discovery document says.
    pub jwks_url: String,
    /// What this server is called at the provider.
    pub client_id: String,
    /// What proves it; empty for a public client.
    #[schemars(with = "String", extend("writeOnly" = true))]
    pub client_secret: Secret,
    /// What a sign-in asks for; `openid` is among it.
    pub scopes: Vec<String>,
    /// What the sign-in page calls the provider.
    pub display_name: String,
    /// Whether people may sign in, and make accounts, with passwords of this server as well. Guests are not meant.
    pub built_in_sign_in: bool,
    /// Other clients of the provider, such as a web app, whose access tokens are taken here (their `azp`).
    pub clients: Vec<String>,
    /// Whom access tokens have to be for (their `aud`, where they have one): one of these. When empty, `client_id`, or
    /// anybody if the token was given to one of our clients.
    pub audiences: Vec<String>,
    /// The claim with the names of roles; dots lead into objects.
    pub roles_claim: String,
    /// The claim with the names of groups; dots lead into objects.
    pub groups_claim: String,
    /// Roles whose holders administer this server. When this and `admin_groups` are empty, administrators are made here
    /// and the provider does not say who is one.
    pub admin_roles: Vec<String>,
    /// Groups whose members administer this server.
    pub admin_groups: Vec<String>,
    /// Flags whose holders administer this server, too, while `admin_roles` or `admin_groups` names somebody: claims of this
    /// name that are true, and names in the claim `feature_flags`. Nobody may be able to set them for themselves.
    pub admin_flags: Vec<String>,
    /// Roles of which a user needs one to be let in. When this and `allowed_groups` are empty, everybody is let in whom
    /// the provider knows.
    pub allowed_roles: Vec<String>,
    /// Groups of which a user needs one to be let in.
    pub allowed_groups: Vec<String>,
    /// By how many seconds the provider's clock may differ.
    pub clock_skew_seconds: u64,
    /// How often the provider's keys are read, in seconds. A token with an unknown key has them read sooner.
    pub jwks_refresh_seconds: u64,
    /// Whether the provider may be reached without TLS when it is not on this machine. Whoever is on the line can then
    /// be anybody: for private networks.
    pub allow_http: bool,
}

impl Default for OidcOptions {
    fn default() -> Self {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            issuer: String::new(),
            discovery_url: String::new(),
            jwks_url: String::new(),
            client_id: String::new(),
            client_secret: Secret::default(),
            scopes: list(&["openid", "profile", "email"]),
            display_name: "single sign-on".to_owned(),
            built_in_sign_in: true,
            clients: Vec::new(),
            audiences: Vec::new(),
            roles_claim: "realm_access.roles".to_owned(),
            groups_claim: "groups".to_owned(),
            admin_roles: list(&["admin"]),
            admin_groups: Vec::new(),
            admin_flags: list(&["is_admin", "admin_access"]),
            allowed_roles: Vec::new(),
            allowed_groups: Vec::new(),
            clock_skew_seconds: 60,
            jwks_refresh_seconds: 5 * 60,
            allow_http: false,
        }
    }
}

impl OidcOptions {
    /// Whether there is a provider.
    pub fn enabled(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// Whether people sign in with passwords of this server.
    pub fn has_built_in(&self) -> bool {
        self.built_in_sign_in || !self.enabled()
    }

    /// Whether the provider says who administers this server.
    pub(crate) fn names_admins(&self) -> bool {
        !self.admin_roles.is_empty() || !self.admin_groups.is_empty()
    }

    pub(crate) fn skew(&self) -> i64 {
        i64::try_from(self.clock_skew_seconds.min(MOST_SKEW)).unwrap_or(0)
    }

    pub(crate) fn refresh_every(&self) -> Duration {
        Duration::from_secs(self.jwks_refresh_seconds)
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// Names the field that cannot be followed.
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        let error = |field, problem: &str| Err(OptionsError { field, problem: problem.to_owned() });
        if !self.enabled() {
            return if self.built_in_sign_in {
                Ok(())
            } else {
                error("oidc.built_in_sign_in", "leaves no way to sign in while oidc.issuer is empty")
            };
        }
        self.check_url("oidc.issuer", &self.issuer)?;
        for (field, url) in [("oidc.discovery_url", &self.discovery_url), ("oidc.jwks_url", &self.jwks_url)] {
            if !url.is_empty() {
                self.check_url(field, url)?;
            }
        }
        if !is_plain(&self.client_id) {
            return error("oidc.client_id", "is what the provider calls this server, and must be set with the issuer");
        }
        if self.client_secret.expose().len() > MAX_TEXT || self.client_secret.expose().contains(char::is_control) {
            return error("oidc.client_secret", "is too long or holds a control character");
        }
        let is_scope = |scope: &String| is_plain(scope) && !scope.contains(|c: char| c.is_whitespace() || c == '"');
        if !self.scopes.iter().any(|scope| scope == "openid") || !self.scopes.iter().all(is_scope) {
            return error("oidc.scopes", "must hold openid, and names without spaces");
        }
        if !is_plain(&self.display_name) {
            return error("oidc.display_name", "must be a short text");
        }
        let lists = [
            ("oidc.clients", &self.clients),
            ("oidc.audiences", &self.audiences),
            ("oidc.admin_roles", &self.admin_roles),
            ("oidc.admin_groups", &self.admin_groups),
            ("oidc.admin_flags", &self.admin_flags),
            ("oidc.allowed_roles", &self.allowed_roles),
            ("oidc.allowed_groups", &self.allowed_groups),
        ];
        for (field, list) in lists {
            if !list.iter().all(|text| is_plain(text)) {
                return error(field, "holds an empty or overlong text");
            }
        }
        let needs_roles = !self.admin_roles.is_empty() || !self.allowed_roles.is_empty();
        let needs_groups = !self.admin_groups.is_empty() || !self.allowed_groups.is_empty();
        for (field, claim, needed) in [
            ("oidc.roles_claim", &self.roles_claim, needs_roles),
            ("oidc.groups_claim", &self.groups_claim, needs_groups),
        ] {
            if claim.len() > MAX_TEXT || claim.split('.').any(str::is_empty) && (needed || !claim.is_empty()) {
                return error(field, "must be the name of a claim, or names with dots between them");
            }
        }
        if self.clock_skew_seconds > MOST_SKEW {
            return error("oidc.clock_skew_seconds", "must be at most 60");
        }
        if !REFRESH.contains(&self.jwks_refresh_seconds) {
            return error("oidc.jwks_refresh_seconds", "must be between 30 and 86400");
        }
        Ok(())
    }

    fn check_url(&self, field: &'static str, text: &str) -> Result<(), OptionsError> {
        let error = |problem: &str| Err(OptionsError { field, problem: problem.to_owned() });
        let Ok(url) = Url::parse(text) else { return error("is no address such as https://sso.example.org") };
        if text.len() > MAX_TEXT || text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return error("is too long or holds a space");
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() || url.query().is_some() {
            return error("must have neither a user nor a query nor a fragment");
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.allow_http || is_loopback(&url) => Ok(()),
            "http" => error("begins with http:// although the provider is not on this machine; see oidc.allow_http"),
            _ => error("must begin with https://"),
        }
    }
}

fn is_plain(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_TEXT && !text.contains(char::is_control)
}

/// Whether an address is this machine's.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keycloak() -> OidcOptions {
        OidcOptions {
            issuer: "https://sso.example.org/realms/jan".to_owned(),
            client_id: "jan".to_owned(),
            ..OidcOptions::default()
        }
    }

    #[test]
    fn nothing_and_a_provider_can_be_followed() {
        assert_eq!(OidcOptions::default().check(), Ok(()));
        assert_eq!(keycloak().check(), Ok(()));
        let local = OidcOptions { issuer: "http://localhost:8085/realms/jan".to_owned(), ..keycloak() };
        assert_eq!(local.check(), Ok(()));
        let private = OidcOptions { issuer: "http://keycloak:8080/realms/jan".to_owned(), ..keycloak() };
        assert_eq!(private.check().unwrap_err().field, "oidc.issuer");
        assert_eq!(OidcOptions { allow_http: true, ..private }.check(), Ok(()));
        let no_admins = OidcOptions { admin_roles: vec![], roles_claim: String::new(), ..keycloak() };
        assert!(!no_admins.names_admins());
        assert!(no_admins.check().is_ok(), "who has no roles names no claim");
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        let check = |change: fn(&mut OidcOptions)| {
            let mut options = keycloak();
            change(&mut options);
            options.check().unwrap_err().field
        };
        for issuer in ["sso.example.org", "ftp://sso.example.org", "https://u:p@sso.example.org", "https://a.b/?x=1"] {
            let options = OidcOptions { issuer: issuer.to_owned(), ..keycloak() };
            assert_eq!(options.check().unwrap_err().field, "oidc.issuer", "{issuer}");
        }
        assert_eq!(check(|o| o.client_id.clear()), "oidc.client_id");
        assert_eq!(check(|o| o.client_secret = Secret::new("a\nb")), "oidc.client_secret");
        assert_eq!(check(|o| o.scopes = vec!["email".to_owned()]), "oidc.scopes");
        assert_eq!(check(|o| o.roles_claim = "realm_access..roles".to_owned()), "oidc.roles_claim");
        assert_eq!(check(|o| o.clock_skew_seconds = 300), "oidc.clock_skew_seconds");
        assert_eq!(check(|o| o.jwks_refresh_seconds = 1), "oidc.jwks_refresh_seconds");
        assert_eq!(check(|o| o.jwks_url = "http://elsewhere.example/keys".to_owned()), "oidc.jwks_url");
        let nothing = OidcOptions { built_in_sign_in: false, ..OidcOptions::default() };
        assert_eq!(nothing.check().unwrap_err().field, "oidc.built_in_sign_in");
    }
}
