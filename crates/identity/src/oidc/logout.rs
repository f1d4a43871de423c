//! Ends the session at the provider, too: the browser is shown the way there (RP-initiated logout).

use domain::Result;
use url::Url;

use crate::Identity;

impl Identity {
    /// Ends the session that a credential proves, and says where the browser can end the provider's, if it has one.
    /// `redirect_url` is where the provider is to send it afterwards.
    ///
    /// # Errors
    /// As [`Identity::end_session`]; `invalid_redirect_url` for a target that is not allowed.
    pub async fn log_out(&self, credential: &str, redirect_url: Option<&str>) -> Result<Option<String>> {
        let target = redirect_url.filter(|url| !url.is_empty()).map(|url| self.check_redirect(url)).transpose()?;
        let Some((issuer, id_token)) = self.end(credential).await? else { return Ok(None) };
        let Some(provider) = self.0.provider.get().filter(|provider| provider.options.issuer == issuer) else {
            return Ok(None);
        };
        // The session is over; a provider that is not known now is not worth an error.
        let Ok(known) = provider.known().await else { return Ok(None) };
        let Some(mut url) = known.metadata.end_session_endpoint.as_deref().and_then(|url| Url::parse(url).ok()) else {
            return Ok(None);
        };
        let mut query = url.query_pairs_mut();
        query.append_pair("id_token_hint", &id_token).append_pair("client_id", &provider.options.client_id);
        if let Some(target) = &target {
            query.append_pair("post_logout_redirect_uri", target);
        }
        drop(query);
        Ok(Some(url.into()))
    }
}
