//! Prompts of chats in a conversation, over a real database.

use app::{
    memories::{MemoryChange, NewMemory},
    models::Models,
    prompt::{Bound, Hints, MemoryAccess, Options, Prompt},
    prompt_templates::{By, TemplateChange},
    settings::UserSettings,
};
use domain::{
    Clock, Method, Principal, Role, Timestamp,
    ids::{ProjectId, UserId},
    memory::{MAX_OF_USER, MemoryKind, MemorySource},
    page::PageRequest,
};
use serde_json::{Value, json};
use store::{MemoryFilter, Store};
use testkit::on_both_databases;
use wire::openai::chat::request::ChatRequest;

use crate::support::{insert_project, insert_user, open};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn prompt(store: &Store, clock: &Clock) -> Prompt {
    Prompt::new(Options::default(), store.clone(), clock.clone(), None)
}

fn request(question: &str) -> ChatRequest {
    serde_json::from_value(json!({"model": "m", "messages": [{"role": "user", "content": question}]})).unwrap()
}

fn hints() -> Hints {
    Hints { memory: MemoryAccess { recall: true, remember: true }, ..Hints::default() }
}

fn bound(project: Option<&ProjectId>) -> Bound<'_> {
    Bound { project, instruction: None, keep: true }
}

/// What is told and which modules speak.
async fn told(prompt: &Prompt, user: &UserId, project: Option<&ProjectId>, question: &str) -> (String, String) {
    let composed = prompt.compose(user, Some(bound(project)), &hints(), &request(question), None).await.unwrap();
    let header = composed.header().unwrap_or_default();
    (composed.text, header)
}

async fn keep(prompt: &Prompt, user: &UserId, content: &str, kind: MemoryKind, project: Option<&ProjectId>) {
    let (content, project) = (content.to_owned(), project.cloned());
    let new = NewMemory { content, kind, project, source: MemorySource::User };
    prompt.memories().create(user, new).await.unwrap();
}

async fn change(prompt: &Prompt, user: &UserId, change: Value) {
    let Value::Object(change) = change else { panic!("{change} is no object") };
    let settings = UserSettings::new(prompt.memories().people().clone(), Models::new(Vec::new(), Clock::System));
    let caller = Principal { user_id: user.clone(), ..principal() };
    settings.change(&caller, &change).await.unwrap();
}

fn principal() -> Principal {
    Principal {
        user_id: UserId::new(&Clock::System),
        subject: "s".to_owned(),
        username: "u".to_owned(),
        email: None,
        name: None,
        roles: vec![Role::User],
        method: Method::Jwt(None),
        scopes: Vec::new(),
    }
}

on_both_databases! {
    async fn a_conversation_gets_what_its_user_and_project_say(database: Database) {
        let store = open(&database).await;
        let (clock, user) = (Clock::fixed(NOW), insert_user(&store).await);
        let project = insert_project(&store, &user).await;
        let prompt = prompt(&store, &clock);
        assert_eq!(told(&prompt, &user, None, "Hi").await.1, "timing");
        change(&prompt, &user, json!({"profile_settings": {"base_style": "Concise", "occupation": "baker"}})).await;
        keep(&prompt, &user, "Speaks Greek", MemoryKind::Core, None).await;
        keep(&prompt, &user, "The thesis is about bread", MemoryKind::Fact, Some(&project)).await;
        keep(&prompt, &user, "Went to Athens", MemoryKind::Episode, None).await;
        let composed = {
            let bound = Bound { project: Some(&project), instruction: Some("Answer in verse."), keep: true };
            let request = request("What is my thesis about? Was I in Athens?");
            prompt.compose(&user, Some(bound), &hints(), &request, None).await.unwrap()
        };
        assert_eq!(composed.applied, ["timing", "project_instruction", "user_profile", "memory"]);
        let text = &composed.text;
        assert!(text.contains("\nAnswer in verse.\n") && text.contains("occupation: baker"), "{text}");
        assert!(text.ends_with("\n- Speaks Greek\n- The thesis is about bread"), "{text}");
        // Outside of the project, and with what happened.
        change(&prompt, &user, json!({"memory_config": {"inject_episodic": true, "inject_user_core": false}})).await;
        let (text, _) = told(&prompt, &user, None, "What is my thesis about? Was I in Athens?").await;
        assert!(text.ends_with(":\n- Went to Athens"), "{text}");
        change(&prompt, &user, json!({"memory_config": {"enabled": false}})).await;
        assert_eq!(told(&prompt, &user, Some(&project), "What is my thesis about?").await.1, "timing,user_profile");
    }

    async fn what_is_to_be_kept_is_kept_and_temporary_chats_keep_nothing(database: Database) {
        let store = open(&database).await;
        let (clock, user) = (Clock::fixed(NOW), insert_user(&store).await);
        let project = insert_project(&store, &user).await;
        let prompt = prompt(&store, &clock);
        let asking = request("Remember that the deadline is in May.");
        let temporary = Some(Bound { keep: false, ..Bound::default() });
        let composed = prompt.compose(&user, temporary, &hints(), &asking, None).await.unwrap();
        assert_eq!(composed.applied, ["timing"]);
        let composed = prompt.compose(&user, Some(bound(Some(&project))), &hints(), &asking, None).await.unwrap();
        assert_eq!(composed.applied, ["timing", "memory_saved"]);
        let again = prompt.compose(&user, Some(bound(Some(&project))), &hints(), &asking, None).await.unwrap();
        assert_eq!(again.applied.last(), Some(&"memory_saved"), "it is known already");
        let page = PageRequest { limit: 9, ..PageRequest::default() };
        let kept = prompt.memories().list(&user, &MemoryFilter::default(), &page).await.unwrap().items;
        assert_eq!(kept.len(), 1);
        assert_eq!((&kept[0].project_id, kept[0].source), (&Some(project.clone()), MemorySource::Chat));
        assert!(told(&prompt, &user, Some(&project), "When is the deadline?").await.0.contains("in May"));
        assert_eq!(told(&prompt, &user, None, "When is the deadline?").await.1, "timing");
    }

    async fn memories_are_bounded(database: Database) {
        let store = open(&database).await;
        let (clock, user) = (Clock::fixed(NOW), insert_user(&store).await);
        let prompt = prompt(&store, &clock);
        keep(&prompt, &user, "The first", MemoryKind::Fact, None).await;
        // The rest at once: each alone would take a second on a slow disk.
        database.execute(&format!(
            "INSERT INTO memories (id, user_id, project_id, kind, content, digest, source, created_at, updated_at)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MAX_OF_USER} - 1)
             SELECT 'mem_' || CAST(100000000 + i AS TEXT), '{user}', '', 'fact', 'x', {}, 'user', 0, 0 FROM n",
            if database.is_postgres() { "CAST(CAST(i AS TEXT) AS BYTEA)" } else { "CAST(i AS BLOB)" },
        )).await;
        let new = |content: &str| {
            let content = content.to_owned();
            NewMemory { content, kind: MemoryKind::Fact, project: None, source: MemorySource::User }
        };
        let error = prompt.memories().create(&user, new("One more")).await.unwrap_err();
        assert_eq!(error.code(), "memory_limit_reached");
        prompt.memories().create(&user, new("the first.")).await.unwrap();
        assert_eq!(told(&prompt, &user, None, "Remember that I like tea").await.1, "timing,memory_not_saved");
        assert_eq!(prompt.memories().delete_all(&user, None).await.unwrap(), u64::from(MAX_OF_USER));
        prompt.memories().create(&user, new("One more")).await.unwrap();
    }

    async fn of_two_that_keep_the_same_at_once_one_does(database: Database) {
        let store = open(&database).await;
        let (clock, user) = (Clock::fixed(NOW), insert_user(&store).await);
        let prompt = prompt(&store, &clock);
        let keeping = || keep(&prompt, &user, "Likes tea", MemoryKind::Fact, None);
        tokio::join!(keeping(), keeping(), keeping());
        assert_eq!(store.read().await.unwrap().count_memories(&user).await.unwrap(), 1);
    }

    async fn others_changes_count_after_a_while(database: Database) {
        let store = open(&database).await;
        let (clock, user) = (Clock::fixed(NOW), insert_user(&store).await);
        let (here, there) = (prompt(&store, &clock), prompt(&store, &clock));
        let id = {
            keep(&here, &user, "Speaks Greek", MemoryKind::Core, None).await;
            assert_eq!(told(&here, &user, None, "Hi").await.1, "timing,memory");
            store.read().await.unwrap().all_memories(&user, 1).await.unwrap().remove(0).id
        };
        let change = MemoryChange { content: Some("Speaks Latin".to_owned()), kind: None };
        there.memories().change(&user, &id, change).await.unwrap();
        let timing = "pt_timing000000000000000000".parse().unwrap();
        let off = TemplateChange { enabled: Some(false), ..TemplateChange::default() };
        there.templates().change(&timing, off, &By::default()).await.unwrap();
        assert_eq!(told(&there, &user, None, "Hi").await.1, "memory", "at once where it was done");
        clock.advance(std::time::Duration::from_secs(10));
        let (text, applied) = told(&here, &user, None, "Hi").await;
        assert!(applied == "memory" && text.contains("Latin"), "{applied} {text}");
    }

    async fn deep_research_needs_a_model_that_reasons(database: Database) {
        let store = open(&database).await;
        let (clock, user) = (Clock::fixed(NOW), insert_user(&store).await);
        let prompt = prompt(&store, &clock);
        let mut asking = request("Why?");
        asking.deep_research = Some(true);
        let hints = hints();
        let error = prompt.compose(&user, Some(bound(None)), &hints, &asking, Some(false)).await.unwrap_err();
        assert_eq!((error.code(), error.param_name()), ("invalid_parameter", Some("deep_research")));
        let composed = prompt.compose(&user, Some(bound(None)), &hints, &asking, Some(true)).await.unwrap();
        assert_eq!(composed.applied, ["deep_research", "timing"]);
        // What the user prefers counts in a conversation, unless the request says otherwise.
        change(&prompt, &user, json!({"preferences": {"enable_deep_research": true}})).await;
        assert_eq!(told(&prompt, &user, None, "Why?").await.1, "deep_research,timing");
        let not_reasoning = prompt.compose(&user, Some(bound(None)), &hints, &request("Why?"), Some(false)).await.unwrap();
        assert_eq!(not_reasoning.applied, ["timing"]);
        asking.deep_research = Some(false);
        assert_eq!(prompt.compose(&user, Some(bound(None)), &hints, &asking, None).await.unwrap().applied, ["timing"]);
    }
}
