//! The table `email_proofs`.

use ::store::EmailProof;
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, insert_user, open};

on_both_databases! {
    async fn a_link_is_taken_once_and_the_next_takes_its_place(database: Database) {
        let store = open(&database).await;
        let (ada, eve) = (insert_user(&store).await, insert_user(&store).await);
        let proof = |user: &domain::user::User, email: &str| EmailProof {
            user_id: user.id.clone(),
            email: email.to_owned(),
            expires_at: NOW + HOUR,
        };
        let mut tx = store.write().await.unwrap();
        tx.put_email_proof(&[1; 32], &proof(&ada, "old@example.org")).await.unwrap();
        tx.put_email_proof(&[2; 32], &proof(&ada, "ada@example.org")).await.unwrap();
        tx.put_email_proof(&[3; 32], &proof(&eve, "eve@example.org")).await.unwrap();
        assert_eq!(tx.email_proof(&[1; 32]).await.unwrap(), None);
        assert_eq!(tx.email_proof(&[2; 32]).await.unwrap(), Some(proof(&ada, "ada@example.org")));
        assert_eq!(tx.take_email_proof(&[2; 32]).await.unwrap(), Some(proof(&ada, "ada@example.org")));
        assert_eq!(tx.take_email_proof(&[2; 32]).await.unwrap(), None);
        assert!(tx.email_proof(&[3; 32]).await.unwrap().is_some(), "another user's stays");
    }

    async fn an_address_is_proven_only_while_the_user_has_it(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let mut tx = store.write().await.unwrap();
        assert!(!tx.set_email_verified(&user.id, "other@example.org", Some(NOW)).await.unwrap());
        assert!(!tx.user(&user.id).await.unwrap().unwrap().email_verified);
        assert!(tx.set_email_verified(&user.id, "ada@example.org", Some(NOW)).await.unwrap());
        assert!(tx.user(&user.id).await.unwrap().unwrap().email_verified);
        assert!(tx.set_email_verified(&user.id, "ada@example.org", None).await.unwrap());
        assert!(!tx.user(&user.id).await.unwrap().unwrap().email_verified);
    }

    async fn expired_links_go_a_few_at_a_time(database: Database) {
        let store = open(&database).await;
        for n in 0..3_u8 {
            let user = insert_user(&store).await;
            let proof = EmailProof { user_id: user.id, email: "x@example.org".to_owned(), expires_at: NOW };
            let mut tx = store.write().await.unwrap();
            tx.put_email_proof(&[n; 32], &proof).await.unwrap();
            tx.commit().await.unwrap();
        }
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.delete_expired_email_proofs(NOW, 2).await.unwrap(), 2);
        assert_eq!(tx.delete_expired_email_proofs(NOW, 2).await.unwrap(), 1);
    }
}
