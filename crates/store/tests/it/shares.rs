//! The tables `shares`, `share_snapshots` and `share_images`.

use std::time::Duration;

use ::store::{OpenShare, ShareFilter, Store};
use domain::{
    Clock, Timestamp,
    conversation::Conversation,
    ids::{ConversationId, ItemId, ShareId},
    page::{Order, PageRequest},
    share::{Image, Name, Share, Slug},
    user::User,
};
use testkit::{database::Database, on_both_databases};

use crate::support::{HOUR, NOW, insert_user, open, somebody_waits};

async fn converse(store: &Store, user: &User) -> ConversationId {
    let id = ConversationId::new(&Clock::System);
    let mut tx = store.write().await.unwrap();
    tx.insert_conversation(&Conversation::new(id.clone(), user.id.clone(), NOW), Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// The `n`th share of `user`, later in order than those before it.
fn a_share(user: &User, conversation: &ConversationId, n: u64) -> Share {
    let clock = Clock::fixed(NOW + Duration::from_secs(n));
    Share {
        id: ShareId::new(&clock),
        slug: Slug::random(),
        user_id: user.id.clone(),
        conversation_id: conversation.clone(),
        item_id: Some(ItemId::new(&clock)),
        title: "Sky \u{1f469}".to_owned(),
        include_images: true,
        include_context: false,
        view_count: 0,
        last_viewed_at: None,
        created_at: clock.now(),
        updated_at: clock.now(),
        expires_at: None,
        revoked_at: None,
    }
}

async fn insert(store: &Store, share: &Share) {
    let mut tx = store.write().await.unwrap();
    let image = Image { mime_type: "image/png".to_owned(), content: vec![0, 255, 7] };
    tx.insert_share(share, "{\"a\": 1}", &[image.clone(), Image { content: vec![1], ..image }]).await.unwrap();
    tx.commit().await.unwrap();
}

fn by_slug(share: &Share) -> Name {
    Name::Slug(share.slug.clone())
}

fn seen(share: &Share) -> OpenShare {
    OpenShare::Share(Box::new(share.clone()))
}

const fn all(now: Timestamp) -> ShareFilter<'static> {
    ShareFilter { conversation: None, all: true, now }
}

fn page(limit: u32, after: Option<&Share>, order: Order) -> PageRequest {
    PageRequest { limit, after: after.map(|share| share.id.to_string()), order }
}

on_both_databases! {
    async fn a_share_is_found_by_both_names_with_what_it_shows(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let conversation = converse(&store, &user).await;
        let (share, whole) = (a_share(&user, &conversation, 0), Share { item_id: None, expires_at: Some(NOW + HOUR), ..a_share(&user, &conversation, 1) });
        insert(&store, &share).await;
        insert(&store, &whole).await;
        let mut reader = store.read().await.unwrap();
        for share in [&share, &whole] {
            assert_eq!(reader.open_share(&by_slug(share)).await.unwrap(), seen(share));
            assert_eq!(reader.open_share(&Name::Id(share.id.clone())).await.unwrap(), seen(share));
        }
        assert_eq!(reader.open_share(&Name::Slug(Slug::random())).await.unwrap(), OpenShare::Nothing);
        assert_eq!(reader.share_snapshot(&share.id).await.unwrap().as_deref(), Some("{\"a\": 1}"));
        let first = reader.share_image(&share.id, 1).await.unwrap().unwrap();
        assert_eq!((&*first.mime_type, &*first.content), ("image/png", &[0, 255, 7][..]));
        assert_eq!(reader.share_image(&share.id, 2).await.unwrap().unwrap().content, [1]);
        assert_eq!(reader.share_image(&share.id, 3).await.unwrap(), None);
        assert_eq!(reader.share_snapshot(&ShareId::new(&Clock::System)).await.unwrap(), None);
    }

    async fn a_share_goes_with_its_conversation_and_its_owner(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let (first, second) = (converse(&store, &user).await, converse(&store, &user).await);
        let (share, other) = (a_share(&user, &first, 0), a_share(&user, &second, 1));
        insert(&store, &share).await;
        insert(&store, &other).await;
        let mut tx = store.write().await.unwrap();
        tx.delete_conversation(&user.id, &first, NOW).await.unwrap();
        assert_eq!(tx.open_share(&by_slug(&share)).await.unwrap(), OpenShare::Deleted);
        assert_eq!(tx.open_share(&by_slug(&other)).await.unwrap(), seen(&other));
        let listed = tx.shares(&user.id, all(NOW), &page(9, None, Order::Asc)).await.unwrap().unwrap();
        assert_eq!(listed.items, std::slice::from_ref(&other));
        assert!(tx.shares(&user.id, all(NOW), &page(9, Some(&share), Order::Asc)).await.unwrap().is_none());
        assert_eq!(tx.revoke_share(&user.id, None, &by_slug(&share), NOW).await.unwrap(), None);
        tx.set_disabled(&user.id, Some(NOW)).await.unwrap();
        for share in [&share, &other] {
            assert_eq!(tx.open_share(&by_slug(share)).await.unwrap(), OpenShare::Nothing);
        }
    }

    async fn pages_follow_each_other_and_filters_hold(database: Database) {
        let store = open(&database).await;
        let (user, stranger) = (insert_user(&store).await, insert_user(&store).await);
        let (first, second) = (converse(&store, &user).await, converse(&store, &user).await);
        let mut shares: Vec<Share> = (0..4).map(|n| a_share(&user, &first, n)).collect();
        shares[1].expires_at = Some(NOW + HOUR);
        shares[3].conversation_id = second.clone();
        for share in &shares {
            insert(&store, share).await;
        }
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.revoke_share(&user.id, None, &by_slug(&shares[0]), NOW + HOUR).await.unwrap(), Some(shares[0].id.clone()));
        shares[0].revoked_at = Some(NOW + HOUR);
        shares[0].updated_at = NOW + HOUR;
        let down = tx.shares(&user.id, all(NOW), &page(3, None, Order::Desc)).await.unwrap().unwrap();
        assert_eq!(down.items, [shares[3].clone(), shares[2].clone(), shares[1].clone()]);
        assert!(down.has_more);
        let next = tx.shares(&user.id, all(NOW), &page(3, Some(&shares[1]), Order::Desc)).await.unwrap().unwrap();
        assert_eq!(next.items, shares[..1]);
        let up = tx.shares(&user.id, all(NOW), &page(9, Some(&shares[1]), Order::Asc)).await.unwrap().unwrap();
        assert_eq!(up.items, shares[2..]);

        for (now, found) in [(NOW, vec![1, 2, 3]), (NOW + HOUR, vec![2, 3])] {
            let live = ShareFilter { all: false, ..all(now) };
            let listed = tx.shares(&user.id, live, &page(9, None, Order::Asc)).await.unwrap().unwrap().items;
            assert_eq!(listed, found.iter().map(|n| shares[*n].clone()).collect::<Vec<_>>());
        }
        let of_second = ShareFilter { conversation: Some(&second), ..all(NOW) };
        let listed = tx.shares(&user.id, of_second, &page(9, None, Order::Asc)).await.unwrap().unwrap();
        assert_eq!(listed.items, shares[3..]);
        assert!(tx.shares(&user.id, of_second, &page(9, Some(&shares[2]), Order::Asc)).await.unwrap().is_none());
        assert_eq!(tx.shares(&stranger.id, all(NOW), &page(9, None, Order::Asc)).await.unwrap().unwrap().items, []);
        assert!(tx.shares(&stranger.id, all(NOW), &page(9, Some(&shares[2]), Order::Asc)).await.unwrap().is_none());
        assert_eq!(tx.count_live_shares(&user.id, &first, NOW).await.unwrap(), 2);
        assert_eq!(tx.count_live_shares(&user.id, &first, NOW + HOUR).await.unwrap(), 1);
        assert_eq!(tx.count_live_shares(&stranger.id, &first, NOW).await.unwrap(), 0);
    }

    async fn only_the_owner_ends_a_share_and_only_once(database: Database) {
        let store = open(&database).await;
        let (user, stranger) = (insert_user(&store).await, insert_user(&store).await);
        let (first, second) = (converse(&store, &user).await, converse(&store, &user).await);
        let shares: Vec<Share> = (0..3).map(|n| a_share(&user, &first, n)).collect();
        for share in &shares {
            insert(&store, share).await;
        }
        let mut tx = store.write().await.unwrap();
        let name = by_slug(&shares[0]);
        assert_eq!(tx.revoke_share(&stranger.id, None, &name, NOW).await.unwrap(), None);
        assert_eq!(tx.revoke_share(&user.id, Some(&second), &name, NOW).await.unwrap(), None);
        assert_eq!(tx.revoke_share(&user.id, Some(&first), &name, NOW).await.unwrap(), Some(shares[0].id.clone()));
        assert_eq!(tx.revoke_share(&user.id, Some(&first), &name, NOW).await.unwrap(), None);
        assert_eq!(tx.revoke_shares(&stranger.id, &first, NOW).await.unwrap(), 0);
        assert_eq!(tx.revoke_shares(&user.id, &second, NOW).await.unwrap(), 0);
        assert_eq!(tx.revoke_shares(&user.id, &first, NOW).await.unwrap(), 2);
        assert_eq!(tx.count_live_shares(&user.id, &first, NOW).await.unwrap(), 0);
    }

    async fn views_add_up_and_never_go_back_in_time(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let share = a_share(&user, &converse(&store, &user).await, 0);
        insert(&store, &share).await;
        let mut tx = store.write().await.unwrap();
        tx.count_share_views(&share.id, 3, NOW + HOUR).await.unwrap();
        tx.count_share_views(&share.id, 2, NOW).await.unwrap();
        let counted = Share { view_count: 5, last_viewed_at: Some(NOW + HOUR), ..share.clone() };
        assert_eq!(tx.open_share(&by_slug(&share)).await.unwrap(), seen(&counted));
    }

    async fn what_dead_shares_showed_is_forgotten_in_batches(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let conversation = converse(&store, &user).await;
        let mut shares: Vec<Share> = (0..4).map(|n| a_share(&user, &conversation, n)).collect();
        shares[1].expires_at = Some(NOW + HOUR);
        for share in &shares {
            insert(&store, share).await;
        }
        let mut tx = store.write().await.unwrap();
        for share in &shares[2..] {
            tx.revoke_share(&user.id, None, &by_slug(share), NOW).await.unwrap();
        }
        assert!(tx.forget_dead_snapshots(NOW, 1).await.unwrap() >= 1);
        while tx.forget_dead_snapshots(NOW + HOUR, 2).await.unwrap() > 0 {}
        for (share, is_left) in shares.iter().zip([true, false, false, false]) {
            assert_eq!(tx.share_snapshot(&share.id).await.unwrap().is_some(), is_left);
            assert_eq!(tx.share_image(&share.id, 1).await.unwrap().is_some(), is_left);
        }
        assert!(tx.delete_conversation(&user.id, &conversation, NOW + HOUR).await.unwrap());
        assert!(tx.forget_dead_snapshots(NOW + HOUR, 2).await.unwrap() > 0, "its conversation is deleted");
        assert!(tx.share_snapshot(&shares[0].id).await.unwrap().is_none());
        assert!(tx.share_image(&shares[0].id, 1).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn shares_are_replaced_in_the_order_in_which_their_readers_are_counted() {
    let database = Database::postgres().await;
    let store = open(&database).await;
    let ada = insert_user(&store).await;
    let conversation = converse(&store, &ada).await;
    // The later one was written first: the order in which the database finds them.
    let (one, two) = (a_share(&ada, &conversation, 0), a_share(&ada, &conversation, 1));
    insert(&store, &two).await;
    insert(&store, &one).await;
    let mut readers = store.write().await.unwrap();
    readers.count_share_views(&one.id, 1, NOW).await.unwrap();
    let replacing = async {
        let mut owner = store.write().await.unwrap();
        let revoked = owner.revoke_shares(&ada.id, &conversation, NOW).await.unwrap();
        owner.commit().await.unwrap();
        revoked
    };
    let counting = async {
        somebody_waits(&database).await;
        readers.count_share_views(&two.id, 1, NOW).await.unwrap();
        readers.commit().await.unwrap();
    };
    assert_eq!(tokio::join!(replacing, counting).0, 2);
}
