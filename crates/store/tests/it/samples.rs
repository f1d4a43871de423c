//! The table `samples`.

use testkit::on_both_databases;

use crate::support::open;

on_both_databases! {
    async fn the_first_sample_is_shown(database: Database) {
        let store = open(&database).await;
        let sample = store.read().await.unwrap().sample().await.unwrap().unwrap();
        assert_eq!(sample.id.as_str(), "sample_0000000000000000");
        assert_eq!(sample.message, "Hello from the Template API.");

        database.execute("INSERT INTO samples (id, message) VALUES ('sample_00000000', 'Earlier.')").await;
        assert_eq!(store.read().await.unwrap().sample().await.unwrap().unwrap().message, "Earlier.");

        database.execute("DELETE FROM samples").await;
        assert!(store.read().await.unwrap().sample().await.unwrap().is_none());
    }
}
