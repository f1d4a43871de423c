//! `jan-server key`: keys for who has the data, without signing in.

use domain::{
    Principal, Timestamp,
    api_key::ApiKey,
    page::{Order, PageRequest},
};
use identity::{Credentials, Identity, NewKey};

use crate::{
    cli::Key,
    commands::{block_on, open, print, say},
};

/// Keys of a page, of which a list prints all.
const PAGE: u32 = 100;

pub(crate) fn run(command: &Key) -> anyhow::Result<()> {
    match command {
        Key::Create { name, user, scope, expires, common } => block_on(async {
            let (store, identity) = open(common).await?;
            let owner = owner(&identity, user.as_deref()).await?;
            let wish = NewKey { name: name.clone(), life: *expires, scopes: scope.clone() };
            let (_, secret) = identity.create_key(&owner, wish).await?;
            store.close().await;
            print(&format!("{}\n", secret.expose()))
        }),
        Key::List { user, common } => block_on(async {
            let (store, identity) = open(common).await?;
            let owner = Identity::act_as(identity.find_user(user).await?);
            let mut page = PageRequest { limit: PAGE, after: None, order: Order::Asc };
            loop {
                let keys = identity.list_keys(&owner, true, &page).await?;
                let now = identity.clock().now();
                print(&keys.items.iter().map(|key| line(key, now)).collect::<String>())?;
                page.after = keys.items.last().map(|key| key.id.to_string());
                if !keys.has_more {
                    break;
                }
            }
            store.close().await;
            Ok(())
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

fn line(key: &ApiKey, now: Timestamp) -> String {
    let state = key.status(now).as_str();
    let scopes = if key.scopes.is_empty() { "everything".to_owned() } else { key.scopes.join(" ") };
    format!("{}  {}…{}  {state:<8}  {}  {scopes}\n", key.id, key.prefix, key.suffix, key.name)
}

/// Who the key is to be of. The same rules hold as over HTTP.
async fn owner(identity: &Identity, user: Option<&str>) -> anyhow::Result<Principal> {
    if let Some(name) = user {
        return Ok(Identity::act_as(identity.find_user(name).await?));
    }
    let token = identity.guest_login(None).await?.access_token;
    let bearer = Credentials { bearer: Some(token.expose()), api_key: None };
    Ok(Principal::clone(&*identity.verify(bearer, None).await?))
}
