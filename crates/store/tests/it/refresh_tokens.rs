//! The table `refresh_tokens`.

use ::store::{NewRefreshToken, RefreshTokenState, Store, Successors, Tx};
use domain::{
    Clock,
    ids::{SessionId, TokenId},
    session::Session,
    user::User,
};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, a_refresh_token, a_session, insert_user, open};

const FIRST: [u8; 32] = [1; 32];
const SECOND: [u8; 32] = [2; 32];
const THIRD: [u8; 32] = [3; 32];

/// A session whose first token is [`FIRST`].
async fn signed_in(store: &Store) -> (User, Session) {
    let user = insert_user(store).await;
    let session = a_session(&user);
    let mut tx = store.write().await.unwrap();
    tx.insert_session(&session).await.unwrap();
    tx.insert_refresh_token(&a_refresh_token(&session, &FIRST)).await.unwrap();
    tx.commit().await.unwrap();
    (user, session)
}

/// Adds a successor of [`FIRST`] and says which access token comes with it.
async fn succeed(tx: &mut Tx, session: &Session, digest: &[u8; 32]) -> TokenId {
    let access_token = TokenId::new(&Clock::System);
    let first = a_refresh_token(session, digest);
    let token = NewRefreshToken { parent: Some(&FIRST), access_token: &access_token, ..first };
    tx.insert_refresh_token(&token).await.unwrap();
    access_token
}

async fn state(tx: &mut Tx, digest: &[u8; 32]) -> RefreshTokenState {
    tx.refresh_token(digest).await.unwrap().unwrap().state
}

on_both_databases! {
    async fn a_token_is_found_with_its_session_and_user(database: Database) {
        let store = open(&database).await;
        let (user, session) = signed_in(&store).await;
        let mut reader = store.read().await.unwrap();
        let found = reader.refresh_token(&FIRST).await.unwrap().unwrap();
        assert_eq!((&found.user, &found.session), (&user, &session));
        assert_eq!((found.ended, found.expires_at), (false, NOW + HOUR));
        assert_eq!(found.state, RefreshTokenState::Unused);
        assert_eq!(reader.refresh_token(&[9; 32]).await.unwrap(), None);
    }

    async fn a_token_of_an_ended_session_says_so(database: Database) {
        let store = open(&database).await;
        let (user, session) = signed_in(&store).await;
        let mut tx = store.write().await.unwrap();
        tx.revoke_session(&user.id, &session.id, NOW).await.unwrap();
        assert!(tx.refresh_token(&FIRST).await.unwrap().unwrap().ended);
        drop(tx);
        database.execute("UPDATE users SET disabled_at = 1").await;
        assert!(store.read().await.unwrap().refresh_token(&FIRST).await.unwrap().unwrap().ended);
    }

    async fn a_token_belongs_to_a_session_and_is_new(database: Database) {
        let store = open(&database).await;
        let (_, session) = signed_in(&store).await;
        let mut tx = store.write().await.unwrap();
        tx.insert_refresh_token(&a_refresh_token(&session, &FIRST)).await.unwrap_err();
        drop(tx);
        let mut tx = store.write().await.unwrap();
        let unknown = SessionId::new(&Clock::System);
        let stray = NewRefreshToken { session: &unknown, ..a_refresh_token(&session, &SECOND) };
        tx.insert_refresh_token(&stray).await.unwrap_err();
        drop(tx);
        assert_eq!(database.number("SELECT COUNT(*) FROM refresh_tokens").await, 1);
    }

    async fn a_token_is_spent_once(database: Database) {
        let store = open(&database).await;
        signed_in(&store).await;
        let mut tx = store.write().await.unwrap();
        assert!(tx.spend_refresh_token(&FIRST, NOW).await.unwrap());
        assert!(!tx.spend_refresh_token(&FIRST, NOW + HOUR).await.unwrap());
        assert_eq!(state(&mut tx, &FIRST).await, RefreshTokenState::Spent(NOW));
        assert!(!tx.spend_refresh_token(&[9; 32], NOW).await.unwrap());
    }

    async fn what_became_of_the_successors_is_counted(database: Database) {
        let store = open(&database).await;
        let (_, session) = signed_in(&store).await;
        let mut tx = store.write().await.unwrap();
        let none = Successors { count: 0, spent: false, access_used: false };
        assert_eq!(tx.refresh_token_successors(&FIRST).await.unwrap(), none);
        let access = succeed(&mut tx, &session, &SECOND).await;
        assert_eq!(tx.refresh_token_successors(&FIRST).await.unwrap(), Successors { count: 1, ..none });
        tx.note_access_token(&access, NOW).await.unwrap();
        assert_eq!(
            tx.refresh_token_successors(&FIRST).await.unwrap(),
            Successors { count: 1, access_used: true, ..none }
        );
        succeed(&mut tx, &session, &THIRD).await;
        tx.spend_refresh_token(&THIRD, NOW).await.unwrap();
        let all = Successors { count: 2, spent: true, access_used: true };
        assert_eq!(tx.refresh_token_successors(&FIRST).await.unwrap(), all);
        assert_eq!(tx.refresh_token_successors(&THIRD).await.unwrap(), none, "of this token, not of its family");
    }

    async fn a_superseded_token_is_out_of_use_and_its_sibling_is_not(database: Database) {
        let store = open(&database).await;
        let (_, session) = signed_in(&store).await;
        let mut tx = store.write().await.unwrap();
        succeed(&mut tx, &session, &SECOND).await;
        tx.supersede_refresh_tokens(&FIRST, NOW).await.unwrap();
        succeed(&mut tx, &session, &THIRD).await;
        assert_eq!(state(&mut tx, &SECOND).await, RefreshTokenState::Superseded(NOW));
        assert_eq!(state(&mut tx, &THIRD).await, RefreshTokenState::Unused);
        assert!(!tx.spend_refresh_token(&SECOND, NOW).await.unwrap());
        assert!(tx.spend_refresh_token(&THIRD, NOW).await.unwrap());
        tx.supersede_refresh_tokens(&FIRST, NOW).await.unwrap();
        assert_eq!(state(&mut tx, &THIRD).await, RefreshTokenState::Spent(NOW), "what was used stays used");
    }

    async fn an_access_token_is_noted_once_and_taken_back_with_its_pair(database: Database) {
        let store = open(&database).await;
        let (user, session) = signed_in(&store).await;
        let mut tx = store.write().await.unwrap();
        let access = succeed(&mut tx, &session, &SECOND).await;
        let found = tx.access_token_user(&user.id, &session.id, &access, "kid", NOW).await.unwrap().unwrap();
        assert_eq!((&found.user, found.first_use), (&user, true));
        tx.note_access_token(&access, NOW).await.unwrap();
        tx.note_access_token(&access, NOW + HOUR).await.unwrap();
        let found = tx.access_token_user(&user.id, &session.id, &access, "kid", NOW).await.unwrap().unwrap();
        assert!(!found.first_use);

        tx.revoke_successors_access(&FIRST, NOW).await.unwrap();
        let other = succeed(&mut tx, &session, &THIRD).await;
        assert_eq!(tx.access_token_user(&user.id, &session.id, &access, "kid", NOW).await.unwrap(), None);
        assert!(tx.access_token_user(&user.id, &session.id, &other, "kid", NOW).await.unwrap().is_some());
    }

    async fn expired_tokens_go_a_few_at_a_time(database: Database) {
        let store = open(&database).await;
        let (_, session) = signed_in(&store).await;
        let mut tx = store.write().await.unwrap();
        for n in 10..14_u8 {
            let digest = [n; 32];
            let token = NewRefreshToken { expires_at: NOW, ..a_refresh_token(&session, &digest) };
            tx.insert_refresh_token(&token).await.unwrap();
        }
        assert_eq!(tx.delete_expired_refresh_tokens(NOW, 3).await.unwrap(), 3);
        assert_eq!(tx.delete_expired_refresh_tokens(NOW, 3).await.unwrap(), 1);
        assert_eq!(tx.delete_expired_refresh_tokens(NOW, 3).await.unwrap(), 0);
        assert!(tx.refresh_token(&FIRST).await.unwrap().is_some());
    }

    // Without the lock, PostgreSQL lets several see the token unused; the condition in the update lets one spend it.
    async fn of_many_at_once_one_spends(database: Database) {
        let store = open(&database).await;
        let (_, session) = signed_in(&store).await;
        let spend = async || {
            let mut tx = store.write().await.unwrap();
            tx.lock_session(&session.id).await.unwrap();
            let unused = state(&mut tx, &FIRST).await == RefreshTokenState::Unused;
            tokio::task::yield_now().await;
            let spent = tx.spend_refresh_token(&FIRST, NOW).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(unused, spent, "what was read under the lock stays true");
            u32::from(spent)
        };
        let spent = tokio::join!(spend(), spend(), spend(), spend(), spend(), spend());
        assert_eq!(spent.0 + spent.1 + spent.2 + spent.3 + spent.4 + spent.5, 1);
    }
}
