//! The table `users`.

use ::store::StoreError;
use domain::{Clock, Kind, Role, ids::UserId};
use testkit::on_both_databases;

use crate::support::{a_key, a_user, insert_key, insert_user, open};

on_both_databases! {
    async fn a_user_comes_back_as_it_was(database: Database) {
        let store = open(&database).await;
        let mut user = a_user();
        user.name = Some("Ada Lovelace \u{1f469}\u{200d}\u{1f4bb} 'quoted'".to_owned());
        user.email = None;
        user.roles = vec![Role::Admin];
        let mut tx = store.write().await.unwrap();
        tx.insert_user(&user).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.read().await.unwrap().user(&user.id).await.unwrap(), Some(user));
    }

    async fn an_unknown_user_is_nobody(database: Database) {
        let store = open(&database).await;
        insert_user(&store).await;
        let unknown = UserId::new(&Clock::System);
        assert_eq!(store.read().await.unwrap().user(&unknown).await.unwrap(), None);
    }

    async fn issuer_with_subject_and_username_are_unique(database: Database) {
        let store = open(&database).await;
        let first = insert_user(&store).await;

        let mut same_subject = a_user();
        same_subject.subject.clone_from(&first.subject);
        let mut same_name = a_user();
        same_name.username.clone_from(&first.username);
        for user in [same_subject, same_name] {
            let mut tx = store.write().await.unwrap();
            let error = tx.insert_user(&user).await.unwrap_err();
            assert!(matches!(error, StoreError::Statement(_)), "{error:?}");
            assert_eq!(domain::Error::from(error).kind(), Kind::Internal);
        }

        let mut other_issuer = a_user();
        other_issuer.subject.clone_from(&first.subject);
        other_issuer.issuer = "https://elsewhere.test".to_owned();
        let mut tx = store.write().await.unwrap();
        tx.insert_user(&other_issuer).await.unwrap();
    }

    async fn a_role_of_a_newer_server_grants_nothing(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        database.execute(r#"UPDATE users SET roles = '["user", "overlord"]'"#).await;
        let found = store.read().await.unwrap().user(&user.id).await.unwrap().unwrap();
        assert_eq!(found.roles, [Role::User]);
    }

    async fn a_row_that_no_server_wrote_is_called_corrupt(database: Database) {
        let store = open(&database).await;
        let key = a_key(&insert_user(&store).await, 1);
        insert_key(&store, &key).await;
        database.execute("UPDATE api_keys SET id = 'nonsense'").await;
        let page = domain::page::PageRequest { limit: 1, ..Default::default() };
        let error = store.read().await.unwrap().api_keys(&key.user_id, ::store::KeyFilter::All, &page).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { column: "api_keys.id" }), "{error:?}");
    }
}
