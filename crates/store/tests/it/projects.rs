//! The table `projects`.

use std::time::Duration;

use ::store::{CountedProject, MemoryFilter, NameTaken, Store};
use domain::{
    Clock,
    conversation::Conversation,
    ids::{ConversationId, MemoryId, ProjectId},
    memory::{Memory, MemoryKind, MemorySource},
    page::{Order, PageRequest},
    project::{Filter, Project},
    user::User,
};
use testkit::{database::Database, on_both_databases};

use crate::support::{HOUR, NOW, a_conversation, append, insert_conversation, insert_user, open, somebody_waits};

/// The `n`th project of `user`, later in order than those before it.
pub(crate) fn a_project(user: &User, n: u64) -> Project {
    let clock = Clock::fixed(NOW + Duration::from_secs(n));
    Project {
        id: ProjectId::new(&clock),
        user_id: user.id.clone(),
        name: format!("project {n}"),
        description: None,
        instruction: Some("Be brief.".to_owned()),
        is_favorite: false,
        archived_at: None,
        created_at: clock.now(),
        updated_at: clock.now(),
    }
}

async fn insert(store: &Store, project: &Project) {
    let mut tx = store.write().await.unwrap();
    assert_eq!(tx.insert_project(project).await.unwrap(), Ok(()));
    tx.commit().await.unwrap();
}

/// A conversation of the user's in the project.
async fn converse(database: &Database, user: &User, project: &Project) -> ConversationId {
    let id = ConversationId::new(&Clock::System);
    let statement = format!(
        "INSERT INTO conversations (id, user_id, project_id, metadata, is_private, active_line, active_branch,
            item_count, next_line, next_sequence, created_at, updated_at)
        VALUES ('{id}', '{}', '{}', '{{}}', {}, 0, 'MAIN', 0, 1, 1, 0, 0)",
        user.id,
        project.id,
        if database.is_postgres() { "false" } else { "0" },
    );
    database.execute(&statement).await;
    id
}

/// Keeps `count` memories of the project.
async fn remember(store: &Store, project: &Project, count: u8) {
    let mut tx = store.write().await.unwrap();
    for n in 0..count {
        let memory = Memory {
            id: MemoryId::new(&Clock::System),
            user_id: project.user_id.clone(),
            project_id: Some(project.id.clone()),
            kind: MemoryKind::Fact,
            content: format!("Fact {n}"),
            source: MemorySource::User,
            meaning: None,
            created_at: NOW,
            updated_at: NOW,
        };
        assert!(tx.insert_memory(&memory, &[n; 32]).await.unwrap());
    }
    tx.commit().await.unwrap();
}

fn page(limit: u32, after: Option<&Project>, order: Order) -> PageRequest {
    PageRequest { limit, after: after.map(|project| project.id.to_string()), order }
}

fn bare(found: &[CountedProject]) -> Vec<Project> {
    found.iter().map(|found| found.project.clone()).collect()
}

const DETACHED: &str = "SELECT COUNT(*) FROM conversations WHERE project_id IS NULL AND deleted_at IS NULL";
const DELETED: &str = "SELECT COUNT(*) FROM conversations WHERE deleted_at IS NOT NULL";

on_both_databases! {
    async fn projects_are_their_owners(database: Database) {
        let store = open(&database).await;
        let (user, stranger) = (insert_user(&store).await, insert_user(&store).await);
        let project = a_project(&user, 0);
        insert(&store, &project).await;
        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.project(&user.id, &project.id).await.unwrap(), Some(project.clone()));
        assert!(reader.has_project(&user.id, &project.id).await.unwrap());
        assert_eq!(reader.project(&stranger.id, &project.id).await.unwrap(), None);
        assert_eq!(reader.counted_project(&stranger.id, &project.id).await.unwrap(), None);
        assert!(!reader.has_project(&stranger.id, &project.id).await.unwrap());
        let all = page(9, None, Order::Asc);
        let none = reader.projects(&stranger.id, &Filter::default(), &all).await.unwrap().unwrap();
        assert_eq!((none.items.len(), none.total), (0, Some(0)));
        let foreign = page(9, Some(&project), Order::Asc);
        assert!(reader.projects(&stranger.id, &Filter::default(), &foreign).await.unwrap().is_none());
        drop(reader);

        let mut tx = store.write().await.unwrap();
        assert!(!tx.hold_project(&stranger.id, &project.id).await.unwrap());
        assert!(!tx.delete_project(&stranger.id, &project.id, NOW).await.unwrap());
        let changed = Project { user_id: stranger.id.clone(), name: "mine".to_owned(), ..project.clone() };
        assert_eq!(tx.update_project(&changed).await.unwrap(), Ok(false));
        assert_eq!(tx.project(&user.id, &project.id).await.unwrap(), Some(project));
    }

    async fn living_projects_have_names_of_their_own(database: Database) {
        let store = open(&database).await;
        let (user, other) = (insert_user(&store).await, insert_user(&store).await);
        let first = a_project(&user, 0);
        let second = a_project(&user, 1);
        insert(&store, &first).await;
        insert(&store, &second).await;
        insert(&store, &Project { user_id: other.id.clone(), ..Project { id: ProjectId::new(&Clock::System), ..first.clone() } })
            .await;

        let twin = Project { name: first.name.clone(), ..a_project(&user, 2) };
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.insert_project(&twin).await.unwrap(), Err(NameTaken));
        drop(tx);
        let mut tx = store.write().await.unwrap();
        let renamed = Project { name: first.name.clone(), ..second.clone() };
        assert_eq!(tx.update_project(&renamed).await.unwrap(), Err(NameTaken));
        drop(tx);

        let mut tx = store.write().await.unwrap();
        assert!(tx.delete_project(&user.id, &first.id, NOW).await.unwrap());
        assert!(!tx.delete_project(&user.id, &first.id, NOW).await.unwrap());
        assert!(!tx.hold_project(&user.id, &first.id).await.unwrap());
        assert!(tx.hold_project(&user.id, &second.id).await.unwrap());
        assert_eq!(tx.update_project(&renamed).await.unwrap(), Ok(true), "the name is free again");
        assert_eq!(tx.update_project(&first).await.unwrap(), Ok(false), "deleted");
        assert_eq!(tx.project(&user.id, &first.id).await.unwrap(), None);
        assert_eq!(tx.project(&user.id, &second.id).await.unwrap(), Some(renamed));
        tx.commit().await.unwrap();
    }

    async fn everything_that_may_change_does(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let project = a_project(&user, 0);
        insert(&store, &project).await;
        let changed = Project {
            name: "\u{1f469} renamed".to_owned(),
            description: Some("words".to_owned()),
            instruction: None,
            is_favorite: true,
            archived_at: Some(NOW + HOUR),
            updated_at: NOW + HOUR,
            ..project.clone()
        };
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.update_project(&changed).await.unwrap(), Ok(true));
        tx.commit().await.unwrap();
        assert_eq!(store.read().await.unwrap().project(&user.id, &project.id).await.unwrap(), Some(changed));
    }

    async fn pages_follow_each_other_and_filters_hold(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let mut projects: Vec<Project> = (0..5).map(|n| a_project(&user, n)).collect();
        projects[1].is_favorite = true;
        projects[2].archived_at = Some(NOW);
        projects[4].is_favorite = true;
        projects[4].archived_at = Some(NOW);
        for project in &projects {
            insert(&store, project).await;
        }
        let mut reader = store.read().await.unwrap();
        let all = Filter::default();
        let first = reader.projects(&user.id, &all, &page(2, None, Order::Desc)).await.unwrap().unwrap();
        assert_eq!(bare(&first.items), [projects[4].clone(), projects[3].clone()]);
        assert_eq!((first.has_more, first.total), (true, Some(5)));
        let next = page(3, Some(&projects[3]), Order::Desc);
        let second = reader.projects(&user.id, &all, &next).await.unwrap().unwrap();
        assert_eq!(bare(&second.items), [projects[2].clone(), projects[1].clone(), projects[0].clone()]);
        assert!(!second.has_more);
        let up = reader.projects(&user.id, &all, &page(9, Some(&projects[0]), Order::Asc)).await.unwrap().unwrap();
        assert_eq!(bare(&up.items), projects[1..]);

        for (archived, favorite, found) in [
            (Some(true), None, vec![2, 4]),
            (Some(false), None, vec![0, 1, 3]),
            (None, Some(true), vec![1, 4]),
            (Some(false), Some(false), vec![0, 3]),
            (Some(true), Some(true), vec![4]),
        ] {
            let filter = Filter { archived, favorite };
            let page = reader.projects(&user.id, &filter, &page(9, None, Order::Asc)).await.unwrap().unwrap();
            let expected: Vec<Project> = found.iter().map(|n| projects[*n].clone()).collect();
            assert_eq!((bare(&page.items), page.total), (expected, Some(found.len() as u64)), "{filter:?}");
        }
    }

    async fn conversations_are_counted_let_go_or_deleted(database: Database) {
        let store = open(&database).await;
        let (user, stranger) = (insert_user(&store).await, insert_user(&store).await);
        let (first, second) = (a_project(&user, 0), a_project(&user, 1));
        insert(&store, &first).await;
        insert(&store, &second).await;
        for _ in 0..3 {
            converse(&database, &user, &first).await;
        }
        converse(&database, &user, &second).await;
        // Somebody else's that names the project is not counted and not touched.
        converse(&database, &stranger, &first).await;

        let mut tx = store.write().await.unwrap();
        let listed = tx.projects(&user.id, &Filter::default(), &page(9, None, Order::Asc)).await.unwrap().unwrap();
        assert_eq!(listed.items.iter().map(|found| found.conversations).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(tx.counted_project(&user.id, &first.id).await.unwrap().unwrap().conversations, 3);
        assert_eq!(tx.detach_conversations(&user.id, &first.id).await.unwrap(), 3);
        assert_eq!(tx.delete_conversations_of_project(&user.id, &second.id, NOW).await.unwrap(), 1);
        assert_eq!(tx.delete_conversations_of_project(&user.id, &second.id, NOW).await.unwrap(), 0);
        for project in [&first, &second] {
            assert_eq!(tx.counted_project(&user.id, &project.id).await.unwrap().unwrap().conversations, 0);
        }
        tx.commit().await.unwrap();
        assert_eq!(database.number(DETACHED).await, 3);
        assert_eq!(database.number(DELETED).await, 1);
    }

    async fn a_deleted_project_takes_its_memories_along_in_small_steps(database: Database) {
        let store = open(&database).await;
        let user = insert_user(&store).await;
        let (old, young, alive) = (a_project(&user, 0), a_project(&user, 1), a_project(&user, 2));
        for project in [&old, &young, &alive] {
            insert(&store, project).await;
            remember(&store, project, 3).await;
        }
        let mut tx = store.write().await.unwrap();
        assert!(tx.delete_project(&user.id, &old.id, NOW).await.unwrap());
        assert!(tx.delete_project(&user.id, &young.id, NOW + HOUR).await.unwrap());
        let seen = tx.all_memories(&user.id, 99).await.unwrap();
        assert!(seen.len() == 3 && seen.iter().all(|memory| memory.project_id.as_ref() == Some(&alive.id)));
        assert_eq!(tx.count_memories(&user.id).await.unwrap(), 3);
        let listed = tx.memories(&user.id, &MemoryFilter::default(), &page(99, None, Order::Asc)).await.unwrap();
        assert_eq!(listed.items.len(), 3);
        tx.commit().await.unwrap();
        let mut steps = Vec::new();
        loop {
            let mut tx = store.write().await.unwrap();
            let gone = tx.purge_projects(NOW + Duration::from_secs(1), 2).await.unwrap();
            tx.commit().await.unwrap();
            if gone == 0 {
                break;
            }
            steps.push(gone);
        }
        assert_eq!(steps, [2, 1, 1]);
        assert_eq!(database.number("SELECT CAST(COUNT(*) AS BIGINT) FROM projects").await, 2);
        assert_eq!(database.number("SELECT CAST(COUNT(*) AS BIGINT) FROM memories").await, 6);
    }
}

#[tokio::test]
async fn a_projects_conversations_are_taken_in_the_order_in_which_others_take_them() {
    let database = Database::postgres().await;
    let store = open(&database).await;
    let ada = insert_user(&store).await;
    let project = a_project(&ada, 0);
    insert(&store, &project).await;
    let within = |n| Conversation { project_id: Some(project.id.clone()), ..a_conversation(&ada, n) };
    // The first is written anew: the database finds it behind the second.
    let (one, two) = (within(1), within(0));
    insert_conversation(&store, &one).await;
    insert_conversation(&store, &two).await;
    append(&store, &one, None, &["hello"]).await;
    for with_conversations in [false, true] {
        let mut first = store.write().await.unwrap();
        first.lock_conversation(&ada.id, &one.id).await.unwrap().unwrap();
        let deleting = async {
            let mut second = store.write().await.unwrap();
            assert!(second.delete_project(&ada.id, &project.id, NOW).await.unwrap());
            if with_conversations {
                second.delete_conversations_of_project(&ada.id, &project.id, NOW).await.unwrap()
            } else {
                second.detach_conversations(&ada.id, &project.id).await.unwrap()
            }
        };
        let locking = async {
            somebody_waits(&database).await;
            first.lock_conversation(&ada.id, &two.id).await.unwrap().unwrap();
            drop(first);
        };
        assert_eq!(tokio::join!(deleting, locking).0, 2);
    }
}
