//! The table `setup_links`.

use domain::Role;
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, insert_user, open};

on_both_databases! {
    async fn a_link_is_used_once_and_in_time(database: Database) {
        let store = open(&database).await;
        let mut tx = store.write().await.unwrap();
        tx.put_setup_link(&[1; 32], NOW + HOUR).await.unwrap();
        assert!(tx.is_setup_link(&[1; 32], NOW).await.unwrap());
        assert!(!tx.is_setup_link(&[1; 32], NOW + HOUR).await.unwrap());
        assert!(!tx.take_setup_link(&[1; 32], NOW + HOUR).await.unwrap());
        assert!(!tx.take_setup_link(&[2; 32], NOW).await.unwrap());
        assert!(tx.take_setup_link(&[1; 32], NOW).await.unwrap());
        assert!(!tx.take_setup_link(&[1; 32], NOW).await.unwrap());
        assert!(!tx.is_setup_link(&[1; 32], NOW).await.unwrap());
    }

    async fn the_last_link_is_the_only_one(database: Database) {
        let store = open(&database).await;
        let mut tx = store.write().await.unwrap();
        tx.put_setup_link(&[1; 32], NOW + HOUR).await.unwrap();
        tx.put_setup_link(&[2; 32], NOW + HOUR).await.unwrap();
        assert!(!tx.take_setup_link(&[1; 32], NOW).await.unwrap());
        assert!(tx.take_setup_link(&[2; 32], NOW).await.unwrap());
    }

    async fn an_administrator_is_one_who_can_act(database: Database) {
        let store = open(&database).await;
        let (user, admin) = (insert_user(&store).await, insert_user(&store).await);
        let mut tx = store.write().await.unwrap();
        assert!(!tx.has_admin().await.unwrap());
        tx.set_roles(&user.id, &[Role::User]).await.unwrap();
        assert!(!tx.has_admin().await.unwrap());
        tx.set_roles(&admin.id, &[Role::User, Role::Admin]).await.unwrap();
        assert!(tx.has_admin().await.unwrap());
        tx.set_disabled(&admin.id, Some(NOW)).await.unwrap();
        assert!(!tx.has_admin().await.unwrap());
    }
}
