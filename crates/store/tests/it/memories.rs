//! The table `memories`.

use std::time::Duration;

use ::store::{MemoryFilter, MemoryPlace, Store};
use domain::{
    Clock,
    ids::{MemoryId, ProjectId},
    memory::{Meaning, Memory, MemoryKind, MemorySource},
    page::{Order, PageRequest},
    user::User,
};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, insert_user, open};

/// The `n`th memory of `user`, later in order than those before it.
fn memory(user: &User, n: u8) -> Memory {
    Memory {
        id: MemoryId::new(&Clock::fixed(NOW + Duration::from_secs(u64::from(n)))),
        user_id: user.id.clone(),
        project_id: None,
        kind: MemoryKind::Fact,
        content: format!("Fact {n} \u{1f469}"),
        source: MemorySource::User,
        meaning: Some(Meaning { embedder: "e".to_owned(), vector: vec![0.5, -0.25, f32::MIN_POSITIVE] }),
        created_at: NOW,
        updated_at: NOW,
    }
}

async fn insert(store: &Store, memories: &[&Memory]) {
    let mut tx = store.write().await.unwrap();
    for (n, memory) in memories.iter().enumerate() {
        assert!(tx.insert_memory(memory, &[n as u8; 32]).await.unwrap());
    }
    tx.commit().await.unwrap();
}

fn page(limit: u32, after: Option<&Memory>, order: Order) -> PageRequest {
    PageRequest { limit, after: after.map(|memory| memory.id.to_string()), order }
}

on_both_databases! {
    async fn memories_are_the_owners(database: Database) {
        let store = open(&database).await;
        let (user, stranger) = (insert_user(&store).await, insert_user(&store).await);
        let kept = memory(&user, 1);
        insert(&store, &[&kept]).await;
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.memory(&user.id, &kept.id).await.unwrap().as_ref(), Some(&kept));
        assert_eq!(tx.all_memories(&user.id, 9).await.unwrap(), std::slice::from_ref(&kept));
        assert_eq!(tx.count_memories(&user.id).await.unwrap(), 1);

        assert_eq!(tx.memory(&stranger.id, &kept.id).await.unwrap(), None);
        assert_eq!(tx.all_memories(&stranger.id, 9).await.unwrap(), []);
        assert_eq!(tx.count_memories(&stranger.id).await.unwrap(), 0);
        assert!(!tx.update_memory(&stranger.id, &kept, &[7; 32]).await.unwrap());
        assert!(!tx.delete_memory(&stranger.id, &kept.id).await.unwrap());
        assert_eq!(tx.delete_memories(&stranger.id, None).await.unwrap(), 0);
        let other = Meaning { embedder: "other".to_owned(), vector: vec![1.0] };
        tx.put_memory_meaning(&stranger.id, &kept, &other).await.unwrap();
        assert_eq!(tx.memory(&user.id, &kept.id).await.unwrap(), Some(kept));
    }

    async fn a_memory_is_changed_and_removed(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let old = memory(&user, 1);
        insert(&store, &[&old]).await;
        let new = Memory {
            content: "Other".to_owned(), kind: MemoryKind::Core, meaning: None, updated_at: NOW + HOUR, ..old.clone()
        };
        let meaning = Meaning { embedder: "f".to_owned(), vector: vec![1.0] };
        let mut tx = store.write().await.unwrap();
        assert!(tx.update_memory(&user.id, &new, &[9; 32]).await.unwrap());
        assert_eq!(tx.memory(&user.id, &old.id).await.unwrap().as_ref(), Some(&new));
        tx.put_memory_meaning(&user.id, &old, &meaning).await.unwrap();
        assert_eq!(tx.memory(&user.id, &old.id).await.unwrap().as_ref(), Some(&new), "what it was meant is no more");
        tx.put_memory_meaning(&user.id, &new, &meaning).await.unwrap();
        assert_eq!(tx.memory(&user.id, &old.id).await.unwrap().unwrap().meaning, Some(meaning));
        assert!(tx.delete_memory(&user.id, &old.id).await.unwrap());
        assert!(!tx.delete_memory(&user.id, &old.id).await.unwrap());
    }

    async fn what_is_known_is_not_kept_twice(database: Database) {
        let store = open(&database).await;
        let (user, other) = (insert_user(&store).await, insert_user(&store).await);
        let project = ProjectId::new(&Clock::System);
        let in_project = |n| Memory { project_id: Some(project.clone()), ..memory(&user, n) };
        let first = memory(&user, 1);
        let mut tx = store.write().await.unwrap();
        for (memory, added) in [
            (first.clone(), true), (memory(&user, 2), false), (memory(&other, 3), true), (in_project(4), true),
            (in_project(5), false),
        ] {
            assert_eq!(tx.insert_memory(&memory, &[1; 32]).await.unwrap(), added, "{memory:?}");
        }
        assert_eq!(tx.memory_by_digest(&user.id, None, &[1; 32]).await.unwrap(), Some(first.id));
        assert_eq!(tx.memory_by_digest(&user.id, None, &[2; 32]).await.unwrap(), None);
        assert!(tx.memory_by_digest(&user.id, Some(&project), &[1; 32]).await.unwrap().is_some());
    }

    async fn pages_have_what_was_asked_for(database: Database) {
        let store = open(&database).await;
        let (user, other) = (insert_user(&store).await, insert_user(&store).await);
        let project = ProjectId::new(&Clock::System);
        let memories: Vec<Memory> = (0..5).map(|n| Memory {
            project_id: (n % 2 == 1).then(|| project.clone()),
            kind: if n == 4 { MemoryKind::Core } else { MemoryKind::Fact },
            meaning: None,
            ..memory(&user, n)
        }).collect();
        let foreign = memory(&other, 9);
        insert(&store, &memories.iter().chain([&foreign]).collect::<Vec<_>>()).await;
        let mut reader = store.read().await.unwrap();
        let all = MemoryFilter::default();
        let first = reader.memories(&user.id, &all, &page(2, None, Order::Desc)).await.unwrap();
        assert_eq!((first.items, first.has_more), (vec![memories[4].clone(), memories[3].clone()], true));
        let rest = reader.memories(&user.id, &all, &page(9, Some(&memories[3]), Order::Desc)).await.unwrap();
        assert_eq!((rest.items.len(), rest.has_more), (3, false));
        let up = reader.memories(&user.id, &all, &page(9, Some(&memories[3]), Order::Asc)).await.unwrap();
        assert_eq!(up.items, [memories[4].clone()]);
        for (filter, count) in [
            (MemoryFilter { place: Some(MemoryPlace::Everywhere), kind: None }, 3),
            (MemoryFilter { place: Some(MemoryPlace::Project(project.clone())), kind: None }, 2),
            (MemoryFilter { place: Some(MemoryPlace::Everywhere), kind: Some(MemoryKind::Core) }, 1),
        ] {
            let found = reader.memories(&user.id, &filter, &page(9, None, Order::Desc)).await.unwrap();
            assert_eq!(found.items.len(), count, "{filter:?}");
        }
        drop(reader);
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.delete_memories(&user.id, Some(&project)).await.unwrap(), 2);
        assert_eq!(tx.delete_memories(&user.id, None).await.unwrap(), 3);
        assert_eq!(tx.count_memories(&other.id).await.unwrap(), 1);
    }
}
