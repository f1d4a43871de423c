//! What several of these tests need.

use std::{sync::LazyLock, time::Duration};

use ::store::{Appended, DatabaseOptions, ItemPage, NewRefreshToken, Store};
use domain::{
    Clock, Role, Secret, Timestamp,
    api_key::ApiKey,
    conversation::Conversation,
    ids::{ApiKeyId, ConversationId, ItemId, SessionId, TokenId, UserId},
    item::{Head, Item, Making, NewItem},
    page::Order,
    session::Session,
    user::User,
};
use testkit::database::Database;

/// When these tests take place.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

pub(crate) fn options(database: &Database) -> DatabaseOptions {
    DatabaseOptions { url: Some(Secret::new(&*database.url)), ..DatabaseOptions::default() }
}

/// The store on this database, migrated.
pub(crate) async fn open(database: &Database) -> Store {
    Store::open(&options(database)).await.unwrap()
}

/// A user that no other has anything in common with.
pub(crate) fn a_user() -> User {
    let id = UserId::new(&Clock::System);
    User {
        issuer: "https://jan.test".to_owned(),
        subject: id.as_str().to_owned(),
        username: format!("guest-{id}"),
        email: Some("ada@example.org".to_owned()),
        email_verified: false,
        name: None,
        roles: vec![Role::Guest, Role::User],
        created_at: NOW,
        disabled_at: None,
        id,
    }
}

pub(crate) async fn insert_user(store: &Store) -> User {
    let user = a_user();
    let mut tx = store.write().await.unwrap();
    tx.insert_user(&user).await.unwrap();
    tx.commit().await.unwrap();
    user
}

/// A session of `user` that lives for an hour.
pub(crate) fn a_session(user: &User) -> Session {
    Session { id: SessionId::new(&Clock::System), user_id: user.id.clone(), created_at: NOW, expires_at: NOW + HOUR }
}

/// The first refresh token of `session`, alive as long as it; its access token is not asked for.
pub(crate) fn a_refresh_token<'a>(session: &'a Session, digest: &'a [u8; 32]) -> NewRefreshToken<'a> {
    static ACCESS: LazyLock<TokenId> = LazyLock::new(|| TokenId::new(&Clock::System));
    let (created_at, expires_at) = (NOW, session.expires_at);
    NewRefreshToken { digest, session: &session.id, parent: None, access_token: &ACCESS, created_at, expires_at }
}

/// The `n`th key of `user`: later in order than those before it, active for an hour.
pub(crate) fn a_key(user: &User, n: u8) -> ApiKey {
    let clock = Clock::fixed(NOW + Duration::from_secs(u64::from(n)));
    ApiKey {
        id: ApiKeyId::new(&clock),
        user_id: user.id.clone(),
        name: format!("key {n}"),
        prefix: "sk_jan_".to_owned(),
        suffix: format!("{n:04}"),
        scopes: vec!["chat.write".to_owned()],
        created_at: clock.now(),
        expires_at: NOW + HOUR,
        last_used_at: None,
        revoked_at: None,
    }
}

/// A digest like no other: that of the key `id`.
pub(crate) fn digest(key: &ApiKey) -> [u8; 32] {
    let mut digest = [0; 32];
    let id = key.id.as_str().as_bytes();
    digest.copy_from_slice(&id[id.len() - 32..]);
    digest
}

pub(crate) async fn insert_key(store: &Store, key: &ApiKey) {
    let mut tx = store.write().await.unwrap();
    tx.insert_api_key(key, &digest(key)).await.unwrap();
    tx.commit().await.unwrap();
}

/// A conversation of `user`, `n` seconds younger than the first.
pub(crate) fn a_conversation(user: &User, n: u64) -> Conversation {
    let clock = Clock::fixed(NOW + Duration::from_secs(n));
    Conversation::new(ConversationId::new(&clock), user.id.clone(), clock.now())
}

pub(crate) async fn insert_conversation(store: &Store, conversation: &Conversation) {
    let mut tx = store.write().await.unwrap();
    tx.insert_conversation(conversation, Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
}

/// A message with this text.
pub(crate) fn a_message(text: &str) -> NewItem {
    NewItem {
        id: ItemId::new(&Clock::System),
        head: Head {
            kind: "message".to_owned(),
            role: Some("user".to_owned()),
            status: Some("completed".to_owned()),
            call_id: None,
        },
        body: format!(r#"{{"content":[{{"type":"input_text","text":"{text}"}}]}}"#),
        text: Some(text.to_owned()),
        making: Making::default(),
        created_at: NOW,
        ended_at: Some(NOW),
    }
}

/// Adds messages with these texts to the end of a branch; they must be taken.
pub(crate) async fn append(
    store: &Store,
    conversation: &Conversation,
    branch: Option<&str>,
    texts: &[&str],
) -> Vec<Item> {
    let mut tx = store.write().await.unwrap();
    let items = texts.iter().map(|text| a_message(text)).collect();
    let (owner, id) = (&conversation.user_id, &conversation.id);
    let appended = tx.append_items(owner, id, branch, items, true, NOW).await.unwrap();
    tx.commit().await.unwrap();
    let Appended::Items(items) = appended else { panic!("{appended:?}") };
    items
}

/// The texts that a branch shows, oldest first.
pub(crate) async fn texts(store: &Store, conversation: &Conversation, branch: Option<&str>) -> Vec<String> {
    let mut reader = store.read().await.unwrap();
    let (_, history) = reader.history(&conversation.user_id, &conversation.id, branch).await.unwrap().unwrap();
    let page = ItemPage { limit: 1_000, bytes: usize::MAX, after: None, order: Order::Asc };
    let items = reader.items(&history.unwrap(), page).await.unwrap().items;
    items.iter().map(text_of).collect()
}

/// The text of a message made here.
pub(crate) fn text_of(item: &Item) -> String {
    let begin = item.body.rfind(r#""text":""#).unwrap() + r#""text":""#.len();
    item.body[begin..item.body.len() - r#""}]}"#.len()].to_owned()
}

/// Waits until a statement of this database waits for another's lock.
pub(crate) async fn somebody_waits(database: &Database) {
    while database.number("SELECT COUNT(*) FROM pg_locks WHERE NOT granted").await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
