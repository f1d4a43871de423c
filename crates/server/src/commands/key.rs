//! `jan-server key`: keys for who has the data, without signing in.

use domain::Clock;
use identity::{Credentials, NewKey};
use store::Store;

use crate::{
    cli::Key,
    commands::{block_on, print},
    config, data, parts,
};

pub(crate) fn run(command: &Key) -> anyhow::Result<()> {
    let Key::Create { name, common } = command;
    let config = config::load(common.sources(Vec::new()))?.config;
    data::make(&config.server.data_dir)?;
    block_on(async {
        let store = Store::open(&config.database).await?;
        let identity = parts::identity(&config, &store, &Clock::System)?;
        // The same way in as over HTTP, so that the same rules hold.
        let token = identity.guest_login(None).await?.access_token;
        let bearer = Credentials { bearer: Some(token.expose()), api_key: None };
        let owner = identity.verify(bearer).await?;
        let wish = NewKey { name: name.clone(), ..NewKey::default() };
        let (_, secret) = identity.create_key(&owner, wish).await?;
        store.close().await;
        print(&format!("{}\n", secret.expose()))
    })
}
