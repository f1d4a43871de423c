//! `jan-server migrate`: brings the database to this version's schema, for who does that apart from the start.

use store::Store;

use crate::{
    cli::Common,
    commands::{block_on, of_file, print},
    config,
};

pub(crate) fn run(common: &Common) -> anyhow::Result<()> {
    let settings = config::load(common.sources(Vec::new()))?;
    crate::data::make(&settings.config.server.data_dir)?;
    block_on(async {
        let database = &settings.config.database;
        let store = of_file(database, Store::open(database).await)?;
        store.close().await;
        print("The database has this version's schema.\n")
    })
}
