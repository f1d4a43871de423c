//! `jan-server env`: the two lines that point OpenAI's SDKs at the running server.

use anyhow::{Context, ensure};
use http::Method;
use serde_json::{Value, json};

use crate::{
    cli::Env,
    client::Api,
    commands::{block_on, print},
    config,
};

pub(crate) fn run(command: &Env) -> anyhow::Result<()> {
    let settings = config::load(command.common.sources(Vec::new()))?;
    block_on(async {
        let api = Api::of(&settings.config, command.url.as_deref())?;
        let login = created(&api, "/auth/guest-login", None, json!({})).await?;
        let token = login["access_token"].as_str().context("the server gave no token")?;
        let made = created(&api, "/auth/api-keys", Some(token), json!({ "name": "jan-server env" })).await?;
        let key = made["key"].as_str().context("the server gave no key")?;
        // Both are made of letters, digits and a few signs; the quotes are for whatever a custom address holds.
        print(&format!(
            "export OPENAI_BASE_URL={}\nexport OPENAI_API_KEY={}\n",
            quoted(&format!("{}/v1", api.url)),
            quoted(key)
        ))
    })
}

async fn created(api: &Api, path: &str, token: Option<&str>, body: Value) -> anyhow::Result<Value> {
    let (status, answer) = api.ask(Method::POST, path, token, Some(body)).await?;
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    ensure!(status.is_success(), "{path} answers {status}: {message}");
    Ok(answer)
}

/// A text that a shell takes as it is.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/@%+=".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_it_as_it_is() {
        assert_eq!(quoted("http://[::1]:8000/v1"), "'http://[::1]:8000/v1'");
        assert_eq!(quoted("sk_live_abc"), "sk_live_abc");
        assert_eq!(quoted("a'; rm -rf /"), r"'a'\''; rm -rf /'");
    }
}
