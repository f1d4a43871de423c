//! Conversations: what is not seen through the API.

use std::time::Duration;

use app::{
    conversations::{Conversations, NewBranch, NewConversation, Options},
    projects::{ProjectChange, Projects},
};
use domain::{Clock, Method, Principal, Role, Timestamp};
use store::CleanUp;
use testkit::{database::Database, on_both_databases};

use crate::support::{insert_user, open};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const DAY: Duration = Duration::from_hours(24);

struct World {
    conversations: Conversations,
    clock: Clock,
    ada: Principal,
}

async fn world(database: &Database) -> World {
    let store = open(database).await;
    let clock = Clock::fixed(NOW);
    let ada = Principal {
        user_id: insert_user(&store).await,
        subject: "ada".to_owned(),
        username: "ada".to_owned(),
        email: None,
        name: None,
        roles: vec![Role::User],
        scopes: Vec::new(),
        method: Method::Jwt(None),
    };
    World { conversations: Conversations::new(store, clock.clone()), clock, ada }
}

const PROJECTS: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM projects";
const LEFT: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM conversations";
/// As many branches as there may be.
const MANY: &str = "INSERT INTO conversation_branches
        (conversation, line, name, history, item_count, created_at, updated_at)
    WITH RECURSIVE numbers (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < 999)
    SELECT c.key, n, 'b' || n, '[]', 0, 0, 0 FROM numbers CROSS JOIN conversations c";

on_both_databases! {
    async fn what_was_deleted_leaves_after_its_time(database: Database) {
        let World { conversations, clock, ada } = world(&database).await;
        let made = conversations.create(&ada, NewConversation::default()).await.unwrap();
        conversations.create(&ada, NewConversation::default()).await.unwrap();
        conversations.delete(&ada, made.id.as_str()).await.unwrap();
        let options = Options { deleted_days: 2 };
        clock.advance((2 * DAY).saturating_sub(Duration::from_secs(1)));
        conversations.purge(options).await.unwrap();
        assert_eq!(database.number(LEFT).await, 2);
        clock.advance(Duration::from_secs(1));
        conversations.purge(options).await.unwrap();
        assert_eq!(database.number(LEFT).await, 1);
    }

    async fn another_server_that_removes_is_left_alone(database: Database) {
        let World { conversations, ada, .. } = world(&database).await;
        let made = conversations.create(&ada, NewConversation::default()).await.unwrap();
        conversations.delete(&ada, made.id.as_str()).await.unwrap();
        let options = Options { deleted_days: 0 };
        let another = open(&database).await;
        let mut tx = another.write().await.unwrap();
        assert!(tx.lock_clean_up(CleanUp::Deleted).await.unwrap());
        // SQLite has one writer, and others wait for it.
        if database.is_postgres() {
            conversations.purge(options).await.unwrap();
            assert_eq!(database.number(LEFT).await, 1);
        }
        tx.commit().await.unwrap();
        conversations.purge(options).await.unwrap();
        assert_eq!(database.number(LEFT).await, 0);
    }

    async fn a_deleted_project_leaves_after_its_time(database: Database) {
        let World { conversations, clock, ada } = world(&database).await;
        let projects = Projects::new(open(&database).await, clock.clone());
        let wish = ProjectChange { name: Some("Sky".to_owned()), ..ProjectChange::default() };
        let made = projects.create(&ada, wish).await.unwrap();
        projects.delete(&ada, made.project.id.as_str(), false).await.unwrap();
        let options = Options { deleted_days: 2 };
        clock.advance((2 * DAY).saturating_sub(Duration::from_secs(1)));
        conversations.purge(options).await.unwrap();
        assert_eq!(database.number(PROJECTS).await, 1);
        clock.advance(Duration::from_secs(1));
        conversations.purge(options).await.unwrap();
        assert_eq!(database.number(PROJECTS).await, 0);
    }

    async fn branches_are_bounded(database: Database) {
        let World { conversations, ada, .. } = world(&database).await;
        let made = conversations.create(&ada, NewConversation::default()).await.unwrap();
        let id = made.id.as_str();
        conversations.create_branch(&ada, id, NewBranch::default()).await.unwrap();
        let many = if database.is_postgres() { MANY.replace("'[]'", "CAST('[]' AS JSONB)") } else { MANY.to_owned() };
        database.execute(&many).await;
        let error = conversations.create_branch(&ada, id, NewBranch::default()).await.unwrap_err();
        assert_eq!(error.code(), "branch_limit_reached");
    }
}
