//! Everything of a user as a file, and back.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    time::Duration,
};

use app::{
    conversations::{Conversations, NewBranch, NewConversation, Options},
    memories::NewMemory,
    projects::{ProjectChange, Projects},
    prompt::{self, Prompt},
    transfer::{Exported, Imported, Transfer},
};
use domain::{
    Clock, Method, Principal, Role, Timestamp,
    ids::UserId,
    memory::{MemoryKind, MemorySource},
    page::PageRequest,
};
use futures_util::TryStreamExt as _;
use serde_json::{Value, json, value::to_raw_value};
use store::{ChangedSettings, Store};
use testkit::{database::Database, on_both_databases};
use wire::openai::items;

use crate::support::{insert_user, open};

struct World {
    store: Store,
    clock: Clock,
    conversations: Conversations,
    transfer: Transfer,
    ada: Principal,
    bob: Principal,
}

async fn world(database: &Database) -> World {
    let store = open(database).await;
    let clock = Clock::fixed(Timestamp::from_seconds(1_800_000_000));
    let [ada, bob] = [principal(insert_user(&store).await), principal(insert_user(&store).await)];
    let conversations = Conversations::new(store.clone(), clock.clone());
    World { conversations, transfer: Transfer::new(store.clone(), clock.clone()), store, clock, ada, bob }
}

fn principal(user_id: UserId) -> Principal {
    Principal {
        subject: user_id.to_string(),
        username: user_id.to_string(),
        user_id,
        email: None,
        name: None,
        roles: vec![Role::User],
        scopes: Vec::new(),
        method: Method::Jwt(None),
    }
}

impl World {
    async fn export(&self, user: &Principal) -> Vec<Value> {
        let mut text = Vec::new();
        let mut parts = Box::pin(self.transfer.export(user));
        while let Some(part) = parts.try_next().await.unwrap() {
            match part {
                Exported::Settings(line) | Exported::Project(line) | Exported::Memory(line) => {
                    text.extend_from_slice(&line);
                }
                Exported::Conversation(export) => {
                    let pieces: Vec<_> = export.json().try_collect().await.unwrap();
                    text.extend(pieces.concat());
                }
            }
        }
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    async fn import(&self, user: &Principal, file: &str) -> (Vec<Imported>, Result<(), domain::Error>) {
        let mut parts = Vec::new();
        let done = self.transfer.import(&user.user_id, holding(file), |part| parts.push(part)).await;
        (parts, done)
    }

    /// A conversation that took several courses, in a project.
    async fn branched(&self) -> String {
        let (ada, conversations) = (&self.ada, &self.conversations);
        let projects = Projects::new(self.store.clone(), self.clock.clone());
        let wish = ProjectChange { name: Some("Sky".to_owned()), ..ProjectChange::default() };
        let project = projects.create(ada, wish).await.unwrap().project.id.to_string();
        let said = |role: &str, text: &str| json!({"role": role, "content": text, "unknown": [1.0, {"b": 1, "a": 2}]});
        let mut first = vec![said("user", "Why is the sky blue?"), said("assistant", "It is not.")];
        first.push(json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}));
        first.push(json!({"type": "function_call_output", "call_id": "c1", "output": "7"}));
        first.extend([said("assistant", "Seven."), said("user", "And the sea?"), said("assistant", "Also.")]);
        let made = conversations
            .create(
                ada,
                NewConversation {
                    title: Some("Colours".to_owned()),
                    referrer: Some("test".to_owned()),
                    project_id: Some(project),
                    metadata: [("k".to_owned(), "v".to_owned())].into(),
                    items: first.iter().map(|item| items::read(&to_raw_value(item).unwrap(), "").unwrap()).collect(),
                },
            )
            .await
            .unwrap();
        let id = made.id.as_str();
        let all = conversations.items(ada, id, None, &oldest()).await.unwrap().items;
        let item = |at: usize| all[at].id.to_string();
        let content = |text: &str| to_raw_value(text).unwrap();
        conversations.rate(ada, id, &item(1), Some((true, Some("nice".to_owned())))).await.unwrap();
        // An answer that only the active branch shows otherwise, a question put anew, and an item that one branch hides.
        self.clock.advance(Duration::from_mins(1));
        conversations.edit(ada, id, &item(4), &content("Eight.")).await.unwrap();
        conversations.edit(ada, id, &item(5), &content("And the sun?")).await.unwrap();
        let wish = NewBranch {
            name: Some("idea".to_owned()),
            description: Some("what if".to_owned()),
            fork_from_item_id: Some(item(1)),
            parent_branch: None,
        };
        conversations.create_branch(ada, id, wish).await.unwrap();
        let more = items::read(&to_raw_value(&said("user", "What if not?")).unwrap(), "").unwrap();
        conversations.append(ada, id, Some("idea"), vec![more]).await.unwrap();
        conversations.delete_item(ada, id, &item(0), false).await.unwrap();
        id.to_owned()
    }
}

fn oldest() -> PageRequest {
    PageRequest { limit: 100, after: None, order: domain::page::Order::Asc }
}

fn holding(content: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

fn lines(values: &[Value]) -> String {
    values.iter().flat_map(|value| [value.to_string(), "\n".to_owned()]).collect()
}

/// An export without what says when it was made and in which order items were written.
fn comparable(mut export: Vec<Value>) -> Vec<Value> {
    for line in &mut export {
        let line = line.as_object_mut().unwrap();
        line.remove("exported_at");
        for branch in line.get_mut("branches").into_iter().flat_map(|branches| branches.as_array_mut().unwrap()) {
            let branch = branch.as_object_mut().unwrap();
            // A branch has no life before it was forked, nor the first one another birth than its conversation.
            for field in ["created_at", "updated_at", "forked_at", "parent_branch"] {
                branch.remove(field);
            }
            for item in branch["items"].as_array_mut().unwrap() {
                item.as_object_mut().unwrap().remove("sequence_number");
            }
        }
    }
    export
}

fn assert_same(one: Vec<Value>, other: Vec<Value>) {
    let [one, other] = [one, other].map(comparable);
    for (one, other) in one.iter().zip(&other) {
        let branches = |line: &Value| line["branches"].as_array().cloned().unwrap_or_default();
        for (one, other) in branches(one).iter().zip(&branches(other)) {
            for (one, other) in one["items"].as_array().unwrap().iter().zip(other["items"].as_array().unwrap()) {
                assert_eq!(one, other);
            }
        }
        assert_eq!(one, other);
    }
    assert_eq!(one.len(), other.len());
}

/// The texts of each branch.
fn texts(conversation: &Value) -> Vec<(String, Vec<String>)> {
    let branches = conversation["branches"].as_array().unwrap();
    let text = |item: &Value| {
        let part = &item["content"][0]["text"];
        part.as_str().unwrap_or_else(|| item["type"].as_str().unwrap()).to_owned()
    };
    let texts = |branch: &Value| branch["items"].as_array().unwrap().iter().map(text).collect();
    branches.iter().map(|branch| (branch["name"].as_str().unwrap().to_owned(), texts(branch))).collect()
}

on_both_databases! {
    async fn what_was_exported_comes_back_as_it_was(database: Database) {
        let world = world(&database).await;
        let id = world.branched().await;
        let before = world.export(&world.ada).await;
        assert_eq!(before.len(), 2);
        // As on a server that never had it.
        world.conversations.delete(&world.ada, &id).await.unwrap();
        world.clock.advance(Duration::from_secs(1));
        world.conversations.purge(Options { deleted_days: 0 }).await.unwrap();
        let (parts, done) = world.import(&world.ada, &lines(&before)).await;
        done.unwrap();
        assert!(matches!(&parts[..], [Imported::Known, Imported::Conversation { .. }]), "{parts:?}");
        assert_same(world.export(&world.ada).await, before.clone());
        // What is shown is also found, and can be gone on with.
        let more = items::read(&to_raw_value(&json!({"role": "user", "content": "More?"})).unwrap(), "").unwrap();
        world.conversations.append(&world.ada, &id, None, vec![more]).await.unwrap();
        let (parts, done) = world.import(&world.ada, &lines(&before)).await;
        done.unwrap();
        assert!(matches!(&parts[..], [Imported::Known, Imported::Known]), "it would undo what came after: {parts:?}");
    }

    async fn memories_and_settings_come_along(database: Database) {
        let world = world(&database).await;
        let projects = Projects::new(world.store.clone(), world.clock.clone());
        let wish = ProjectChange { name: Some("Sky".to_owned()), ..ProjectChange::default() };
        let project = projects.create(&world.ada, wish).await.unwrap().project.id;
        let prompt = Prompt::new(prompt::Options::default(), world.store.clone(), world.clock.clone(), None);
        for (content, kind, project) in
            [("Likes tea", MemoryKind::Core, None), ("Is about kites", MemoryKind::Fact, Some(project))]
        {
            world.clock.advance(Duration::from_secs(1));
            let new = NewMemory { content: content.to_owned(), kind, project, source: MemorySource::User };
            prompt.memories().create(&world.ada.user_id, new).await.unwrap();
        }
        let changes = json!({"profile_settings": {"nick_name": "Ada"}}).as_object().unwrap().clone();
        let mut tx = world.store.write().await.unwrap();
        let changed = ChangedSettings { changes: changes.clone(), updated_at: world.clock.now() };
        tx.put_user_settings(&world.ada.user_id, &changed).await.unwrap();
        tx.commit().await.unwrap();

        let file = world.export(&world.ada).await;
        let (parts, done) = world.import(&world.bob, &lines(&file)).await;
        done.unwrap();
        let all = [Imported::Settings, Imported::Project, Imported::Memory, Imported::Memory];
        assert_eq!(format!("{parts:?}"), format!("{all:?}"));
        let mut reader = world.store.read().await.unwrap();
        assert_eq!(reader.user_settings(&world.bob.user_id).await.unwrap().unwrap().changes, changes);
        drop(reader);
        let mut copy = world.export(&world.bob).await;
        // Those of one moment have no order.
        copy[2..].sort_by_key(|line| line["memory"]["created_at"].as_i64());
        assert_ne!(copy[1]["project"]["id"], file[1]["project"]["id"], "that one is Ada's");
        assert_eq!(copy[3]["memory"]["project_id"], copy[1]["project"]["id"]);
        let told = |line: &Value| json!([line["format"], line["settings"], line["memory"]["content"],
            line["memory"]["kind"], line["memory"]["source"], line["memory"]["created_at"]]);
        assert!(copy.iter().map(told).eq(file.iter().map(told)), "{copy:?}");
        let (parts, done) = world.import(&world.bob, &lines(&file)).await;
        done.unwrap();
        assert!(parts.iter().all(|part| matches!(part, Imported::Known)), "{parts:?}");

        let memory = |field: &str, value: Value| {
            let mut line = file[2].clone();
            line["memory"][field] = value;
            line
        };
        let mut settings = file[0].clone();
        settings["settings"] = json!({"profile_settings": {"nick_name": 7}});
        for (line, field) in [
            (memory("kind", json!("secret")), "kind"),
            (memory("source", json!("nobody")), "source"),
            (memory("content", json!(" ")), "content"),
            (memory("project_id", json!("proj_0123456789abcdef")), "project_id"),
            (settings, "profile_settings.nick_name"),
        ] {
            let (parts, done) = world.import(&world.bob, &lines(&[line])).await;
            done.unwrap();
            let [Imported::Refused { error, .. }] = &parts[..] else { panic!("{parts:?}") };
            assert_eq!(error.param_name(), Some(field));
        }
    }

    async fn one_that_was_deleted_comes_back_once(database: Database) {
        let world = world(&database).await;
        let id = world.branched().await;
        let file = lines(&world.export(&world.ada).await);
        world.conversations.delete(&world.ada, &id).await.unwrap();
        let (parts, _) = world.import(&world.ada, &file).await;
        let [Imported::Known, Imported::Conversation { id: copy, .. }] = &parts[..] else { panic!("{parts:?}") };
        assert_ne!(copy.as_str(), id, "the deleted one has it until it is gone");
        world.clock.advance(Duration::from_secs(1));
        world.conversations.purge(Options { deleted_days: 0 }).await.unwrap();
        let (parts, _) = world.import(&world.ada, &file).await;
        assert!(matches!(&parts[..], [Imported::Known, Imported::Known]), "{parts:?}");
    }

    async fn another_user_gets_a_copy(database: Database) {
        let world = world(&database).await;
        world.branched().await;
        let before = world.export(&world.ada).await;
        for known in [false, true] {
            let (parts, done) = world.import(&world.bob, &lines(&before)).await;
            done.unwrap();
            assert_eq!(parts.iter().filter(|part| matches!(part, Imported::Known)).count(), if known { 2 } else { 0 });
        }
        assert_same(world.export(&world.ada).await, before.clone());
        let copy = world.export(&world.bob).await;
        assert_eq!(copy.len(), 2);
        assert_eq!(texts(&copy[1]), texts(&before[1]));
        assert_ne!(copy[1]["conversation"]["id"], before[1]["conversation"]["id"]);
        assert_eq!(copy[1]["conversation"]["project_id"], copy[0]["project"]["id"]);
        assert_ne!(copy[0]["project"]["id"], before[0]["project"]["id"]);
        for field in ["title", "referrer", "metadata", "created_at", "updated_at", "active_branch", "item_count"] {
            assert_eq!(copy[1]["conversation"][field], before[1]["conversation"][field], "{field}");
        }
    }

    async fn one_branch_alone_becomes_the_first(database: Database) {
        let world = world(&database).await;
        world.branched().await;
        let mut file = world.export(&world.ada).await.pop().unwrap();
        let branches = file["branches"].as_array_mut().unwrap();
        branches.retain(|branch| branch["name"] == "idea");
        world.import(&world.bob, &lines(&[file])).await.1.unwrap();
        let copy = world.export(&world.bob).await.pop().unwrap();
        let said = ["Why is the sky blue?", "It is not.", "What if not?"].map(str::to_owned);
        assert_eq!(texts(&copy), [("MAIN".to_owned(), said.to_vec())]);
        assert_eq!(copy["conversation"]["active_branch"], "MAIN");
    }

    async fn what_cannot_be_kept_keeps_nothing_else_out(database: Database) {
        let world = world(&database).await;
        world.branched().await;
        let good = world.export(&world.ada).await.pop().unwrap();
        let with = |pointer: &str, value: Value| {
            let mut file = good.clone();
            *file.pointer_mut(pointer).unwrap() = value;
            file
        };
        let branches = good["branches"].as_array().unwrap();
        let bad = [
            json!({}),
            json!([]),
            json!({"format": "other", "version": 1}),
            with("/version", json!(2)),
            with("/conversation/metadata", json!({"_hidden": "x"})),
            with("/conversation/title", json!("t".repeat(257))),
            with("/branches", json!([])),
            with("/branches", json!([branches[0], branches[0]])),
            with("/branches/0/name", json!("a/b")),
            with("/branches/0/items/0", json!({"type": "nothing"})),
        ];
        let (parts, done) = world.import(&world.bob, &lines(&[&bad[..], &[good]].concat())).await;
        done.unwrap();
        let refused: Vec<u64> = parts.iter().filter_map(|part| match part {
            Imported::Refused { number, .. } => Some(*number),
            _ => None,
        }).collect();
        assert_eq!(refused, (1..=bad.len() as u64).collect::<Vec<_>>(), "{parts:?}");
        assert_eq!(world.export(&world.bob).await.len(), 1);
        let (parts, done) = world.import(&world.bob, "{\"format\":").await;
        assert_eq!((parts.len(), done.unwrap_err().code()), (0, "invalid_file"));
    }

    async fn a_foreign_project_is_none(database: Database) {
        let world = world(&database).await;
        world.branched().await;
        let alone = world.export(&world.ada).await.pop().unwrap();
        assert!(alone["conversation"]["project_id"].is_string());
        world.import(&world.bob, &lines(&[alone])).await.1.unwrap();
        assert_eq!(world.export(&world.bob).await[0]["conversation"].get("project_id"), None);
    }

    async fn chatgpt_s_trees_become_branches(database: Database) {
        let world = world(&database).await;
        let (parts, done) = world.import(&world.ada, &json!([chatgpt(), {"title": "Empty", "mapping": {}}]).to_string()).await;
        done.unwrap();
        assert!(
            matches!(parts[..], [Imported::Conversation { left_out: 2, .. }, Imported::Conversation { left_out: 0, .. }]),
            "{parts:?}"
        );
        let made = world.export(&world.ada).await;
        let (first, _) = (&made[0], &made[1]);
        let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(texts(first), [
            ("MAIN".to_owned(), text(&[
                "Plot it\u{fffd}\n\n[image]",
                "Hm.",
                "```python\nprint(`1`)\n```\n",
                "```\n1\n```\n",
                "It is one.",
            ])),
            ("BRANCH_1".to_owned(), text(&["Plot it\u{fffd}\n\n[image]", "I would rather not."])),
        ]);
        let conversation = &first["conversation"];
        assert_eq!((&conversation["title"], &conversation["referrer"]), (&json!("Numbers"), &json!("chatgpt")));
        assert_eq!(conversation["metadata"], json!({"chatgpt_id": "c-1"}));
        assert_eq!((&conversation["created_at"], &conversation["updated_at"]), (&json!(1_700_000_000), &json!(1_700_000_900)));
        let items = first["branches"][0]["items"].as_array().unwrap();
        assert_eq!(items[1]["summary"], json!([{"type": "summary_text", "text": "Thinking"}]));
        assert_eq!((&items[4]["model"], &items[4]["finish_reason"]), (&json!("gpt-5"), &json!("stop")));
        assert_eq!(items[4]["created_at"], json!(1_700_000_040));
        assert_eq!(first["branches"][1]["items"][1]["status"], "incomplete");
        // Once more: the same are known again.
        let (parts, done) = world.import(&world.ada, &json!([chatgpt()]).to_string()).await;
        done.unwrap();
        assert!(matches!(parts[..], [Imported::Known]), "{parts:?}");
    }
}

/// A conversation of an exported archive: an answer regenerated, a tool used, messages that are not shown.
fn chatgpt() -> Value {
    let node = |parent: Option<&str>, message: Value| json!({"parent": parent, "message": message, "children": []});
    let said = |role: &str, at: f64, content: Value| {
        json!({"author": {"role": role}, "create_time": at, "content": content, "recipient": "all", "metadata": {},
            "status": "finished_successfully"})
    };
    let text = |text: &str| json!({"content_type": "text", "parts": [text]});
    let mut answer = said("assistant", 1_700_000_040.5, text("It is \u{e200}cite\u{e202}turn0search1\u{e201}one."));
    answer["metadata"] = json!({"model_slug": "gpt-5", "finish_details": {"type": "stop"}});
    let mut other = said("assistant", 1_700_000_020.0, text("I would rather not."));
    other["status"] = json!("in_progress");
    let mut code =
        said("assistant", 1_700_000_031.0, json!({"content_type": "code", "language": "python", "text": "print(`1`)"}));
    code["recipient"] = json!("python");
    let mut search = said("assistant", 1_700_000_030.5, text("{\"query\": \"one\"}"));
    search["recipient"] = json!("web");
    let question =
        json!({"content_type": "multimodal_text", "parts": ["Plot it\0", {"content_type": "image_asset_pointer"}]});
    let thoughts = json!({"content_type": "thoughts", "thoughts": [{"summary": "Thinking", "content": "Hm."}]});
    json!({
        "title": "Numbers", "create_time": 1_700_000_000.25, "update_time": 1_700_000_900.0, "conversation_id": "c-1",
        "current_node": "n8",
        "mapping": {
            "root": node(None, Value::Null),
            "system": node(Some("root"), said("system", 0.0, text(""))),
            "n1": node(Some("system"), said("user", 1_700_000_010.0, question)),
            "n2": node(Some("n1"), other),
            "n3": node(Some("n1"), said("assistant", 1_700_000_030.0, thoughts)),
            "n4": node(Some("n3"), search),
            "n5": node(Some("n4"), said("tool", 1_700_000_030.6, text("results"))),
            "n6": node(Some("n5"), code),
            "n7": node(Some("n6"), said("tool", 1_700_000_032.0, json!({"content_type": "execution_output", "text": "1"}))),
            "n8": node(Some("n7"), answer),
            "n9": node(Some("n8"), said("assistant", 1_700_000_041.0, json!({"content_type": "reasoning_recap", "content": "5s"}))),
        },
    })
}
