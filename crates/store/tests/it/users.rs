//! The table `users`.

use ::store::{Store, StoreError, Taken, UserFilter};
use domain::{
    Clock, Kind, Role,
    ids::{ApiKeyId, UserId},
    page::{Order, PageRequest},
    user::User,
};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, a_key, a_refresh_token, a_session, a_user, digest, insert_key, insert_user, open};

/// A user with the account `name`.
async fn insert_account(store: &Store, name: &str, hash: Option<&str>) -> User {
    let user = insert_user(store).await;
    let email = Some(format!("{name}@example.org"));
    let user = User { username: name.to_owned(), email, roles: vec![Role::User], ..user };
    let mut tx = store.write().await.unwrap();
    tx.make_account(&user, hash).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    user
}

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
            assert!(matches!(error, StoreError::Taken { .. }), "{error:?}");
            assert_eq!(domain::Error::from(error).kind(), Kind::Internal);
        }

        let mut other_issuer = a_user();
        other_issuer.subject.clone_from(&first.subject);
        "https://elsewhere.test".clone_into(&mut other_issuer.issuer);
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

    async fn an_account_is_found_by_address_and_username_in_any_case(database: Database) {
        let store = open(&database).await;
        let ada = insert_account(&store, "Ada", Some("$argon2id$x")).await;
        insert_account(&store, "Eve", None).await;
        let guest = insert_user(&store).await;
        let mut reader = store.read().await.unwrap();
        for name in ["Ada", "ADA", "ada@example.org", "Ada@EXAMPLE.org"] {
            let found = reader.account(name).await.unwrap().unwrap();
            assert_eq!((found.user, found.password_hash.as_deref()), (ada.clone(), Some("$argon2id$x")), "{name}");
        }
        assert_eq!(reader.account("eve").await.unwrap().unwrap().password_hash, None);
        for nobody in ["", "ad", "ada@", "%", "' OR 1=1 --", &guest.username] {
            assert_eq!(reader.account(nobody).await.unwrap(), None, "{nobody:?}");
        }
    }

    async fn addresses_and_usernames_are_one_accounts_in_any_case(database: Database) {
        let store = open(&database).await;
        insert_account(&store, "Ada", None).await;
        let other = insert_user(&store).await;
        let address = User { email: Some("ADA@example.ORG".to_owned()), username: "other".to_owned(), ..other.clone() };
        let username = User { email: Some("other@example.org".to_owned()), username: "aDA".to_owned(), ..other.clone() };
        for (wish, expected) in [(address, Taken::Email), (username, Taken::Username)] {
            let mut tx = store.write().await.unwrap();
            assert_eq!(tx.make_account(&wish, None).await.unwrap(), Err(expected));
        }
        assert_eq!(store.read().await.unwrap().user(&other.id).await.unwrap(), Some(other));
    }

    async fn of_two_who_want_a_name_at_once_one_gets_it(database: Database) {
        let store = open(&database).await;
        let (one, two) = (insert_user(&store).await, insert_user(&store).await);
        let take = async |user: User| {
            let mut tx = store.write().await.unwrap();
            let wish = User { username: "ada".to_owned(), ..user };
            let taken = tx.make_account(&wish, None).await.unwrap();
            tokio::task::yield_now().await;
            if taken.is_ok() {
                tx.commit().await.unwrap();
            }
            taken.is_ok()
        };
        // They have the same address too.
        let (one, two) = tokio::join!(take(one), take(two));
        assert!(one ^ two);
    }

    async fn users_are_listed_in_pages(database: Database) {
        let store = open(&database).await;
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(insert_user(&store).await.id);
        }
        ids.sort();
        let mut reader = store.read().await.unwrap();
        let page = |after: Option<&UserId>, order| PageRequest { limit: 3, after: after.map(ToString::to_string), order };
        let first = reader.users(&UserFilter::default(), &page(None, Order::Asc)).await.unwrap();
        assert_eq!(first.items.iter().map(|user| &user.id).collect::<Vec<_>>(), ids[..3].iter().collect::<Vec<_>>());
        assert!(first.has_more);
        let last = reader.users(&UserFilter::default(), &page(Some(&ids[2]), Order::Asc)).await.unwrap();
        assert_eq!((last.items.len(), last.has_more), (2, false));
        let down = reader.users(&UserFilter::default(), &page(Some(&ids[1]), Order::Desc)).await.unwrap();
        assert_eq!(down.items.iter().map(|user| &user.id).collect::<Vec<_>>(), [&ids[0]]);
    }

    async fn users_are_found_by_a_part_of_a_name_by_role_and_state(database: Database) {
        let store = open(&database).await;
        let (ada, eve) = (insert_account(&store, "Ada_1", None).await, insert_account(&store, "Eve!x1", None).await);
        let guest = insert_user(&store).await;
        let mut tx = store.write().await.unwrap();
        tx.set_roles(&eve.id, &[Role::User, Role::Admin]).await.unwrap();
        tx.set_disabled(&ada.id, Some(NOW)).await.unwrap();
        let text = |text: &str| UserFilter { text: Some(text.to_owned()), ..UserFilter::default() };
        let role = |role| UserFilter { role: Some(role), ..UserFilter::default() };
        let disabled = |disabled| UserFilter { disabled: Some(disabled), ..UserFilter::default() };
        let page = PageRequest { limit: 10, after: None, order: Order::Asc };
        for (filter, expected) in [
            (text("aDA"), vec![&ada]),
            (text("_"), vec![&ada, &guest]),
            (text("!"), vec![&eve]),
            (text("%"), vec![]),
            (text("EXAMPLE.org"), vec![&ada, &eve]),
            (text(guest.id.as_str()), vec![&guest]),
            (role(Role::Admin), vec![&eve]),
            (role(Role::Guest), vec![&guest]),
            (disabled(true), vec![&ada]),
            (disabled(false), vec![&eve, &guest]),
            (UserFilter { disabled: Some(true), ..role(Role::Admin) }, vec![]),
        ] {
            let found = tx.users(&filter, &page).await.unwrap();
            let mut expected: Vec<_> = expected.iter().map(|user| user.id.clone()).collect();
            expected.sort();
            assert_eq!(found.total, Some(expected.len() as u64), "{filter:?}");
            assert_eq!(found.items.into_iter().map(|user| user.id).collect::<Vec<_>>(), expected, "{filter:?}");
            let rest = tx.users(&UserFilter { skip: 1, ..filter }, &page).await.unwrap();
            assert_eq!(rest.total, Some(expected.len() as u64));
            assert_eq!(rest.items.len(), expected.len().saturating_sub(1));
        }
    }

    async fn a_new_address_is_unproven_and_free(database: Database) {
        let store = open(&database).await;
        let (ada, eve) = (insert_account(&store, "ada", None).await, insert_account(&store, "eve", None).await);
        database.execute("UPDATE users SET email_verified_at = 1").await;
        let mut tx = store.write().await.unwrap();
        let named = User { username: "Ada2".to_owned(), name: Some("Ada L.".to_owned()), ..ada.clone() };
        tx.rename_user(&named).await.unwrap().unwrap();
        assert_eq!(tx.user(&ada.id).await.unwrap(), Some(User { email_verified: true, ..named.clone() }));
        let moved = User { email: Some("New@example.org".to_owned()), ..named };
        tx.rename_user(&moved).await.unwrap().unwrap();
        assert_eq!(tx.account("new@EXAMPLE.org").await.unwrap().unwrap().user, moved);
        assert_eq!(tx.account("ada@example.org").await.unwrap(), None);
        let thief = User { email: Some("EVE@example.org".to_owned()), ..moved };
        assert_eq!(tx.rename_user(&thief).await.unwrap(), Err(Taken::Email));
        drop(tx);
        assert!(store.read().await.unwrap().user(&eve.id).await.unwrap().unwrap().email_verified);
    }

    async fn of_two_who_ask_who_administers_one_waits(database: Database) {
        let store = open(&database).await;
        let (one, two) = (insert_user(&store).await, insert_user(&store).await);
        let mut tx = store.write().await.unwrap();
        for user in [&one, &two] {
            tx.set_roles(&user.id, &[Role::Admin]).await.unwrap();
        }
        tx.commit().await.unwrap();
        let step_down = async |user: &User| {
            let mut tx = store.write().await.unwrap();
            let admins = tx.lock_admins().await.unwrap();
            tokio::task::yield_now().await;
            if admins.len() > 1 {
                tx.set_roles(&user.id, &[Role::User]).await.unwrap();
            }
            tx.commit().await.unwrap();
        };
        tokio::join!(step_down(&one), step_down(&two));
        assert_eq!(store.write().await.unwrap().lock_admins().await.unwrap().len(), 1);
    }

    async fn roles_and_passwords_are_set(database: Database) {
        let store = open(&database).await;
        let (ada, eve) = (insert_account(&store, "ada", None).await, insert_account(&store, "eve", None).await);
        let mut tx = store.write().await.unwrap();
        assert!(tx.set_roles(&ada.id, &[Role::User, Role::Admin]).await.unwrap());
        assert!(tx.set_password(&ada.id, "$argon2id$y").await.unwrap());
        let found = tx.account("ada").await.unwrap().unwrap();
        assert_eq!((found.user.roles, found.password_hash.as_deref()), (vec![Role::User, Role::Admin], Some("$argon2id$y")));
        assert_eq!(tx.account("eve").await.unwrap().unwrap().user, eve);
        let nobody = UserId::new(&Clock::System);
        assert!(!tx.set_roles(&nobody, &[]).await.unwrap());
        assert!(!tx.set_password(&nobody, "").await.unwrap());
        assert!(!tx.set_disabled(&nobody, None).await.unwrap());
    }

    async fn a_disabled_user_says_since_when_and_can_be_let_in_again(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let mut tx = store.write().await.unwrap();
        assert!(tx.set_disabled(&user.id, Some(NOW)).await.unwrap());
        assert_eq!(tx.user(&user.id).await.unwrap().unwrap().disabled_at, Some(NOW));
        assert!(tx.set_disabled(&user.id, None).await.unwrap());
        assert_eq!(tx.user(&user.id).await.unwrap(), Some(user));
    }

    async fn all_sessions_of_one_user_end(database: Database) {
        let store = open(&database).await;
        let (user, other) = (insert_user(&store).await, insert_user(&store).await);
        let mut tx = store.write().await.unwrap();
        for (n, owner) in [(1, &user), (2, &user), (3, &other)] {
            let session = a_session(owner);
            tx.insert_session(&session).await.unwrap();
            tx.insert_refresh_token(&a_refresh_token(&session, &[n; 32])).await.unwrap();
        }
        assert_eq!(tx.end_sessions(&user.id, NOW + HOUR).await.unwrap(), 2);
        assert_eq!(tx.end_sessions(&user.id, NOW + HOUR).await.unwrap(), 0);
        assert!(tx.refresh_token(&[2; 32]).await.unwrap().unwrap().ended);
        assert!(!tx.refresh_token(&[3; 32]).await.unwrap().unwrap().ended);
    }

    async fn one_session_may_be_kept(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let (kept, other) = (a_session(&user), a_session(&user));
        let mut tx = store.write().await.unwrap();
        for (n, session) in [(1, &kept), (2, &other)] {
            tx.insert_session(session).await.unwrap();
            tx.insert_refresh_token(&a_refresh_token(session, &[n; 32])).await.unwrap();
        }
        assert_eq!(tx.end_other_sessions(&user.id, Some(&kept.id), NOW + HOUR).await.unwrap(), 1);
        assert!(!tx.refresh_token(&[1; 32]).await.unwrap().unwrap().ended);
        assert!(tx.refresh_token(&[2; 32]).await.unwrap().unwrap().ended);
    }

    async fn a_keys_owner_is_known(database: Database) {
        let store = open(&database).await;
        let key = a_key(&insert_user(&store).await, 1);
        insert_key(&store, &key).await;
        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.api_key_owner(&key.id).await.unwrap(), Some(key.user_id.clone()));
        assert_eq!(reader.api_key_owner(&ApiKeyId::new(&Clock::System)).await.unwrap(), None);
        assert!(reader.api_key_by_digest(&digest(&key)).await.unwrap().is_some());
    }
}
