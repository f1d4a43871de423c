//! A real store, with somebody in it.

use domain::{
    Clock, Role, Secret,
    ids::{ProjectId, UserId},
    project::Project,
    user::User,
};
use store::{DatabaseOptions, Store};
use testkit::database::Database;

/// The store on this database, migrated.
pub(crate) async fn open(database: &Database) -> Store {
    let url = Some(Secret::new(database.url.clone()));
    Store::open(&DatabaseOptions { url, ..DatabaseOptions::default() }).await.unwrap()
}

pub(crate) async fn insert_user(store: &Store) -> UserId {
    let id = UserId::new(&Clock::System);
    let user = User {
        issuer: "https://jan.test".to_owned(),
        subject: id.to_string(),
        username: format!("guest-{id}"),
        email: None,
        email_verified: false,
        name: None,
        roles: vec![Role::User],
        created_at: Clock::System.now(),
        disabled_at: None,
        id,
    };
    let mut tx = store.write().await.unwrap();
    tx.insert_user(&user).await.unwrap();
    tx.commit().await.unwrap();
    user.id
}

pub(crate) async fn insert_project(store: &Store, user: &UserId) -> ProjectId {
    let now = Clock::System.now();
    let project = Project {
        id: ProjectId::new(&Clock::System),
        user_id: user.clone(),
        name: "Thesis".to_owned(),
        description: None,
        instruction: None,
        is_favorite: false,
        archived_at: None,
        created_at: now,
        updated_at: now,
    };
    let mut tx = store.write().await.unwrap();
    tx.insert_project(&project).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    project.id
}
