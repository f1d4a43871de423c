//! `jan-server key`: keys for who has the data, without signing in.

use domain::Principal;
use identity::{Credentials, Identity, NewKey};

use crate::{
    cli::Key,
    commands::{block_on, open, print, say},
};

pub(crate) fn run(command: &Key) -> anyhow::Result<()> {
    match command {
        Key::Create { name, user, common } => block_on(async {
            let (store, identity) = open(common).await?;
            let owner = owner(&identity, user.as_deref()).await?;
            let wish = NewKey { name: name.clone(), ..NewKey::default() };
            let (_, secret) = identity.create_key(&owner, wish).await?;
            store.close().await;
            print(&format!("{}\n", secret.expose()))
        }),
        Key::Revoke { id, common } => block_on(async {
            let (store, identity) = open(common).await?;
            identity.revoke_any_key(id).await?;
            store.close().await;
            say(&format!("Revoked {id}"));
            Ok(())
        }),
    }
}

/// Who the key is to be of. The same rules hold as over HTTP.
async fn owner(identity: &Identity, user: Option<&str>) -> anyhow::Result<Principal> {
    if let Some(name) = user {
        return Ok(Identity::act_as(identity.find_user(name).await?));
    }
    let token = identity.guest_login(None).await?.access_token;
    let bearer = Credentials { bearer: Some(token.expose()), api_key: None };
    Ok(Principal::clone(&*identity.verify(bearer).await?))
}
