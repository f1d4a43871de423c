//! `jan-server signing-key`: the keys that sign access tokens.

use std::fmt::Write;

use domain::Timestamp;

use crate::{
    cli::SigningKey,
    commands::{block_on, open, print, say},
};

pub(crate) fn run(command: &SigningKey) -> anyhow::Result<()> {
    match command {
        SigningKey::List { common } => block_on(async {
            let (store, identity) = open(common).await?;
            let (keys, own) = (identity.signing_keys().await?, identity.signing_key_name());
            store.close().await;
            let now = identity.clock().now();
            let mut text = String::new();
            for key in keys {
                let state = if key.revoked_at.is_some() { "revoked" } else { "active" };
                let whose = if key.kid == own { "this directory's" } else { "" };
                let (made, seen) = (ago(key.created_at, now), ago(key.seen_at, now));
                _ = writeln!(text, "{}  {state:<8}  made {made:<12}  in use {seen:<12}  {whose}", key.kid);
            }
            print(&text)
        }),
        SigningKey::Replace { kid, common } => block_on(async {
            let (store, identity) = open(common).await?;
            let kid = kid.clone().unwrap_or_else(|| identity.signing_key_name());
            identity.revoke_signing_key(&kid).await?;
            store.close().await;
            say(&format!("Took back {kid}, with every access token that it signed"));
            Ok(())
        }),
    }
}

/// How long ago something was.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let minutes = now.seconds().saturating_sub(at.seconds()) / 60;
    match minutes {
        ..60 => format!("{} min ago", minutes.max(0)),
        60..2_880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_roughly() {
        let at = |seconds: i64| {
            ago(Timestamp::from_seconds(1_800_000_000 - seconds), Timestamp::from_seconds(1_800_000_000))
        };
        assert_eq!(at(-5), "0 min ago", "another machine's clock");
        assert_eq!(at(59), "0 min ago");
        assert_eq!(at(3_599), "59 min ago");
        assert_eq!(at(47 * 3_600), "47 h ago");
        assert_eq!(at(90 * 86_400), "90 days ago");
    }
}
