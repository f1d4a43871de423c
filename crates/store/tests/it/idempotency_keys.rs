//! The table `idempotency_keys`.

use ::store::{Holder, IdempotentRequest, KnownRequest, Store};
use domain::{Timestamp, ids::UserId};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, insert_user, open};

const FIRST: Holder = [1; 16];
const SECOND: Holder = [2; 16];
const SOON: Timestamp = Timestamp::from_seconds(NOW.seconds() + 30);

fn request(owner: &UserId) -> IdempotentRequest<'_> {
    IdempotentRequest { owner, route: "POST /v1/projects", key_digest: &[7; 32], fingerprint: &[8; 32] }
}

/// Claims for thirty seconds, keeps for an hour.
async fn claim(store: &Store, request: &IdempotentRequest<'_>, holder: &Holder, now: Timestamp) -> bool {
    let mut tx = store.write().await.unwrap();
    let locked_until = Timestamp::from_seconds(now.seconds() + 30);
    let claimed = tx.claim_idempotency_key(request, holder, now, locked_until, now + HOUR).await.unwrap();
    tx.commit().await.unwrap();
    claimed
}

async fn answer(store: &Store, holder: &Holder, answer: Option<(u16, &[u8])>) -> bool {
    let mut tx = store.write().await.unwrap();
    let answered = tx.answer_idempotency_key(holder, answer).await.unwrap();
    tx.commit().await.unwrap();
    answered
}

async fn known(store: &Store, request: &IdempotentRequest<'_>) -> Option<KnownRequest> {
    store.read().await.unwrap().idempotent_request(request).await.unwrap()
}

on_both_databases! {
    async fn a_key_is_claimed_once_and_its_answer_kept(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let same = request(&user.id);
        assert_eq!(known(&store, &same).await, None);
        assert!(claim(&store, &same, &FIRST, NOW).await);
        assert!(!claim(&store, &same, &SECOND, NOW).await);
        let running = KnownRequest { is_same: true, is_answered: false, answer: None };
        assert_eq!(known(&store, &same).await, Some(running.clone()));
        let other = IdempotentRequest { fingerprint: &[9; 32], ..same };
        assert!(!claim(&store, &other, &SECOND, NOW).await);
        assert_eq!(known(&store, &other).await, Some(KnownRequest { is_same: false, ..running }));

        assert!(!answer(&store, &SECOND, Some((201, b"not mine"))).await);
        assert!(answer(&store, &FIRST, Some((201, b"made"))).await);
        assert!(!answer(&store, &FIRST, Some((200, b"again"))).await);
        let answered = KnownRequest { is_same: true, is_answered: true, answer: Some((201, b"made".to_vec())) };
        assert_eq!(known(&store, &same).await, Some(answered.clone()));
        // Neither time nor giving up a claim that is over takes the answer away.
        assert!(!claim(&store, &same, &SECOND, SOON).await);
        let mut tx = store.write().await.unwrap();
        tx.release_idempotency_key(&FIRST).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(known(&store, &same).await, Some(answered));
    }

    async fn keys_of_others_and_of_other_routes_are_others(database: Database) {
        let store = open(&database).await;
        let (user, stranger) = (insert_user(&store).await, insert_user(&store).await);
        let one = request(&user.id);
        assert!(claim(&store, &one, &FIRST, NOW).await);
        assert!(claim(&store, &request(&stranger.id), &SECOND, NOW).await);
        assert!(claim(&store, &IdempotentRequest { route: "POST /v1/conversations", ..one }, &[3; 16], NOW).await);
        assert!(claim(&store, &IdempotentRequest { key_digest: &[6; 32], ..one }, &[4; 16], NOW).await);
    }

    async fn the_lock_of_the_dead_is_taken_over_by_the_same_request_alone(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let same = request(&user.id);
        let other = IdempotentRequest { fingerprint: &[9; 32], ..same };
        assert!(claim(&store, &same, &FIRST, NOW).await);
        // Extended, it is not over yet.
        let mut tx = store.write().await.unwrap();
        assert!(tx.extend_idempotency_lock(&FIRST, Timestamp::from_seconds(SOON.seconds() + 5)).await.unwrap());
        assert!(!tx.extend_idempotency_lock(&SECOND, NOW + HOUR).await.unwrap());
        tx.commit().await.unwrap();
        assert!(!claim(&store, &same, &SECOND, SOON).await);
        let later = Timestamp::from_seconds(SOON.seconds() + 5);
        assert!(!claim(&store, &other, &SECOND, later).await);
        assert!(claim(&store, &same, &SECOND, later).await);
        // Whoever comes back from the dead says nothing any more.
        assert!(!answer(&store, &FIRST, Some((200, b"late"))).await);
        assert!(answer(&store, &SECOND, None).await);
        let kept = KnownRequest { is_same: true, is_answered: true, answer: None };
        assert_eq!(known(&store, &same).await, Some(kept));
    }

    async fn a_claim_that_is_given_up_is_free(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        assert!(claim(&store, &request(&user.id), &FIRST, NOW).await);
        let mut tx = store.write().await.unwrap();
        tx.release_idempotency_key(&SECOND).await.unwrap();
        assert!(tx.idempotent_request(&request(&user.id)).await.unwrap().is_some());
        tx.release_idempotency_key(&FIRST).await.unwrap();
        tx.commit().await.unwrap();
        assert!(claim(&store, &request(&user.id), &SECOND, NOW).await);
    }

    async fn what_expired_can_be_claimed_and_is_forgotten_in_batches(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let keys: Vec<[u8; 32]> = (0..5).map(|n| [n; 32]).collect();
        let request = |key| IdempotentRequest { key_digest: key, ..request(&user.id) };
        for key in &keys {
            assert!(claim(&store, &request(key), &[key[0]; 16], NOW).await);
            assert!(answer(&store, &[key[0]; 16], Some((200, b"x"))).await);
        }
        let other = IdempotentRequest { fingerprint: &[9; 32], ..request(&keys[0]) };
        assert!(claim(&store, &other, &SECOND, NOW + HOUR).await, "also by another request");
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.delete_expired_idempotency_keys(NOW, 9).await.unwrap(), 0);
        assert_eq!(tx.delete_expired_idempotency_keys(NOW + HOUR, 3).await.unwrap(), 3);
        assert_eq!(tx.delete_expired_idempotency_keys(NOW + HOUR, 3).await.unwrap(), 1);
        assert!(tx.idempotent_request(&other).await.unwrap().is_some());
    }

    async fn of_servers_that_claim_at_once_one_does(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let same = request(&user.id);
        let try_it = async |n: u8| claim(&store, &same, &[n; 16], NOW).await;
        let tried = tokio::join!(try_it(1), try_it(2), try_it(3), try_it(4), try_it(5));
        let claims = [tried.0, tried.1, tried.2, tried.3, tried.4];
        assert_eq!(claims.iter().filter(|claimed| **claimed).count(), 1, "{claims:?}");
    }
}
