//! Gets the provider's tokens for the code, and what they say.

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use store::ExternalLogin;
use url::form_urlencoded;

use super::{
    OidcOptions,
    asserted::Asserted,
    documents::Metadata,
    fetch::Answer,
    provider::{Known, Provider, unavailable},
    tokens::{self, Claims, Fault},
};
use crate::Identity;

/// Who came through, and by what.
pub(crate) struct Proven {
    pub(crate) asserted: Asserted,
    pub(crate) id_token: String,
}

/// What the provider answers to a code.
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

/// Why the exchange failed; for the operator's log.
#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error("the provider refused the code: status {status}, error `{error}`")]
    Refused { status: u16, error: String },
    #[error("the answer has neither the form of tokens nor of an error")]
    Form(#[source] serde_json::Error),
    #[error("the ID token is not good: {0}")]
    IdToken(Fault),
    #[error("the user's details are another's")]
    OtherUser,
}

impl Identity {
    /// Exchanges a code for who signed in.
    pub(super) async fn exchange_external(
        &self,
        provider: &Provider,
        known: &Known,
        code: &str,
        begun: &ExternalLogin,
    ) -> Result<Proven> {
        let (form, proof) = form(&provider.options, &known.metadata, code, &begun.verifier, &self.callback());
        let answer = provider.door.post(&known.metadata.token_endpoint, form, proof).await;
        let tokens = read(&answer.map_err(|error| unavailable().source(error))?).map_err(failed)?;
        // The key may be newer than what is known.
        let kid = tokens::header(&tokens.id_token).map_err(|fault| failed(ExchangeError::IdToken(fault)))?.1;
        let known = provider.with_key(&kid).await?.ok_or_else(|| failed(ExchangeError::IdToken(Fault::Signature)))?;
        let (options, now) = (&provider.options, self.0.clock.now());
        let access = tokens.access_token.as_deref();
        let id = tokens::id_token(&tokens.id_token, &begun.nonce, access, &known, options, now)
            .map_err(|fault| failed(ExchangeError::IdToken(fault)))?;

        // Keycloak names roles in access tokens alone.
        let access_claims = access
            .and_then(|token| tokens::access_token(token, &known, options, now).ok())
            .filter(|claims| tokens::text(claims, "sub") == tokens::text(&id, "sub"));
        let mut sources: Vec<&Claims> = std::iter::once(&id).chain(&access_claims).collect();
        let details = match (access, &known.metadata.userinfo_endpoint) {
            (Some(access), Some(endpoint)) if Asserted::lacks(&sources, options) => {
                user_info(provider, endpoint, access, &id).await.map_err(failed)?
            }
            _ => None,
        };
        sources.extend(&details);
        let asserted = Asserted::read(&sources, options);
        let asserted = asserted.ok_or_else(|| failed(ExchangeError::IdToken(Fault::Claim("sub"))))?;
        Ok(Proven { asserted, id_token: tokens.id_token })
    }
}

/// The form, and the header that proves who sends it.
fn form(
    options: &OidcOptions,
    metadata: &Metadata,
    code: &str,
    verifier: &str,
    callback: &str,
) -> (String, Option<String>) {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", callback)
        .append_pair("code_verifier", verifier);
    let secret = options.client_secret.expose();
    // Basic is what a provider supports that lists nothing (OpenID Connect Discovery, section 3).
    let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
    let basic = methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
    if secret.is_empty() {
        form.append_pair("client_id", &options.client_id);
        (form.finish(), None)
    } else if basic {
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(&options.client_id), encoded(secret));
        (form.finish(), Some(format!("Basic {}", BASE64_STANDARD.encode(pair))))
    } else {
        form.append_pair("client_id", &options.client_id).append_pair("client_secret", secret);
        (form.finish(), None)
    }
}

fn read(answer: &Answer) -> Result<Tokens, ExchangeError> {
    if answer.status.is_success() {
        return serde_json::from_slice(&answer.body).map_err(ExchangeError::Form);
    }
    // The error's code and no more: what a provider writes beside it may hold anything.
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let plain = |c: &char| c.is_ascii_lowercase() || *c == '_';
    let error = body["error"].as_str().unwrap_or_default().chars().filter(plain).take(64).collect();
    Err(ExchangeError::Refused { status: answer.status.as_u16(), error })
}

/// What the provider tells beside the tokens, which must be of the same user. Without it there are fewer names and roles,
/// and still a sign-in.
async fn user_info(
    provider: &Provider,
    endpoint: &str,
    access: &str,
    id: &Claims,
) -> Result<Option<Claims>, ExchangeError> {
    let body = match provider.door.get(endpoint, Some(access)).await.and_then(Answer::ok) {
        Ok(body) => body,
        Err(error) => {
            tracing::info!(%error, "The sign-in provider does not tell the user's details");
            return Ok(None);
        }
    };
    // Some providers answer with a JWT, if they were told to.
    let Ok(details) = serde_json::from_slice::<Claims>(&body) else { return Ok(None) };
    let is_same = tokens::text(&details, "sub") == tokens::text(id, "sub");
    if is_same { Ok(Some(details)) } else { Err(ExchangeError::OtherUser) }
}

#[cold]
fn failed(source: ExchangeError) -> Error {
    Error::invalid("token_exchange_failed", "The provider's answer is not good. Begin anew.").source(source)
}

#[cfg(test)]
mod tests {
    use domain::Secret;
    use serde_json::json;

    use super::*;

    fn sent(secret: &str, methods: &Value) -> (String, Option<String>) {
        let options = OidcOptions {
            issuer: "https://sso.example".to_owned(),
            client_id: "jan:1".to_owned(),
            client_secret: Secret::new(secret),
            ..OidcOptions::default()
        };
        let document = json!({
            "issuer": "https://sso.example", "authorization_endpoint": "https://sso.example/auth",
            "token_endpoint": "https://sso.example/token", "jwks_uri": "https://sso.example/keys",
            "token_endpoint_auth_methods_supported": methods,
        });
        let metadata = Metadata::read(document.to_string().as_bytes(), &options).unwrap();
        form(&options, &metadata, "c", "v", "https://jan.example/auth/callback")
    }

    #[test]
    fn the_client_proves_itself_as_the_provider_wants() {
        let (form, proof) = sent("s&cret", &Value::Null);
        assert_eq!(proof.unwrap(), format!("Basic {}", BASE64_STANDARD.encode("jan%3A1:s%26cret")));
        assert!(!form.contains("secret"), "{form}");
        let (form, proof) = sent("s&cret", &json!(["client_secret_post"]));
        assert!(proof.is_none() && form.ends_with("&client_id=jan%3A1&client_secret=s%26cret"), "{form}");
        let (form, proof) = sent("", &json!(["none"]));
        assert!(proof.is_none() && form.ends_with("&code_verifier=v&client_id=jan%3A1"), "{form}");
    }

    #[test]
    fn of_a_refusal_only_the_code_is_kept() {
        let body = json!({"error": "invalid_grant<script>", "error_description": "secret"}).to_string();
        let answer = Answer { status: http::StatusCode::BAD_REQUEST, body: body.into() };
        let error = read(&answer).err().unwrap().to_string();
        assert_eq!(error, "the provider refused the code: status 400, error `invalid_grantscript`");
    }
}
