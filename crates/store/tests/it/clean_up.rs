//! Who cleans up.

use ::store::CleanUp;
use testkit::on_both_databases;

use crate::support::open;

on_both_databases! {
    async fn one_cleans_up_at_a_time(database: Database) {
        let store = open(&database).await;
        let mut one = store.write().await.unwrap();
        assert!(one.lock_clean_up(CleanUp::Expired).await.unwrap());
        if database.is_postgres() {
            let mut other = store.write().await.unwrap();
            assert!(!other.lock_clean_up(CleanUp::Expired).await.unwrap());
            assert!(other.lock_clean_up(CleanUp::IdleGuests).await.unwrap(), "a work of its own");
        }
        one.commit().await.unwrap();
        assert!(store.write().await.unwrap().lock_clean_up(CleanUp::Expired).await.unwrap());
    }
}
