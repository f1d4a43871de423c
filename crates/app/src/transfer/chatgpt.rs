//! What `ChatGPT` exports: a tree of messages for each conversation, of which a path from the root to a leaf is a course
//! that it took. The form is documented nowhere and changes; what is not understood is left out and counted.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use domain::{
    Result, Timestamp,
    conversation::MAIN,
    item::{Head, Making},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    invalid,
    whole::{Course, Piece, Whole},
};
use crate::{
    conversations::{branches, fields, markdown},
    text,
};

/// Where the conversations say they come from, and the entry of the metadata with the id that they had there.
const REFERRER: &str = "chatgpt";
const ID: &str = "chatgpt_id";

#[derive(Deserialize)]
struct File {
    id: Option<String>,
    conversation_id: Option<String>,
    title: Option<String>,
    create_time: Option<f64>,
    update_time: Option<f64>,
    current_node: Option<String>,
    mapping: HashMap<String, Node>,
}

#[derive(Deserialize)]
struct Node {
    parent: Option<String>,
    message: Option<Value>,
}

/// Reads one of the conversations.
///
/// # Errors
/// 400 when it is of another form.
pub(super) fn conversation(json: &str, now: Timestamp) -> Result<Whole> {
    let file: File = serde_json::from_str(json).map_err(|error| invalid(&error))?;
    let created_at = file.create_time.and_then(time).unwrap_or(now);
    let tree = Tree::new(&file.mapping, created_at);
    let updated_at = file.update_time.and_then(time).unwrap_or(created_at);
    let source = file.conversation_id.or(file.id);
    // What has no name of its own is known by its messages.
    let source = source.unwrap_or_else(|| file.mapping.keys().min().cloned().unwrap_or_default());
    let title: String = text::title(&file.title.unwrap_or_default()).take(fields::MAX_TITLE).collect();
    let id: String = source.chars().filter(|letter| !letter.is_control()).take(fields::MAX_VALUE).collect();
    Ok(Whole {
        id: None,
        title: Some(title).filter(|title| !title.is_empty()),
        referrer: Some(REFERRER.to_owned()),
        project: None,
        metadata: [(ID.to_owned(), id)].into(),
        created_at,
        updated_at,
        courses: tree.courses(file.current_node.as_deref(), updated_at),
        left_out: tree.left_out,
        source,
    })
}

/// The messages, by the names of their nodes.
struct Tree<'a> {
    nodes: &'a HashMap<String, Node>,
    pieces: HashMap<&'a str, Arc<Piece>>,
    left_out: usize,
}

impl<'a> Tree<'a> {
    fn new(nodes: &'a HashMap<String, Node>, created_at: Timestamp) -> Self {
        let mut tree = Self { nodes, pieces: HashMap::with_capacity(nodes.len()), left_out: 0 };
        for (name, node) in nodes {
            let Some(message) = &node.message else { continue };
            match piece(name, message, created_at) {
                Use::Piece(piece) => _ = tree.pieces.insert(name, Arc::new(*piece)),
                Use::LeftOut => tree.left_out += 1,
                Use::Nothing => {}
            }
        }
        tree
    }

    /// The branches: first the one that the user saw last, then the others by the time of their ends. Each is forked from
    /// the first that shows the last message that is not its own.
    fn courses(&self, current: Option<&str>, updated_at: Timestamp) -> Vec<Course> {
        let parents: HashSet<&str> = self.nodes.values().filter_map(|node| node.parent.as_deref()).collect();
        let names = self.nodes.keys().map(String::as_str);
        let mut ends: Vec<&str> = names.filter(|name| !parents.contains(name)).collect();
        let when = |path: &[Arc<Piece>]| path.last().map(|piece| piece.created_at);
        ends.sort_by_cached_key(|end| (when(&self.path(end)), *end));
        let current = current.filter(|name| self.nodes.contains_key(*name)).or_else(|| ends.last().copied());
        let main = current.map(|end| self.path(end)).unwrap_or_default();
        let mut paths: Vec<Vec<Arc<Piece>>> = vec![main];
        for end in ends {
            let path = self.path(end);
            // Nodes without a message of use make paths that are parts of others.
            let Some(last) = path.last() else { continue };
            let is_part = |other: &Vec<Arc<Piece>>| other.get(path.len() - 1).is_some_and(|at| Arc::ptr_eq(at, last));
            if !paths.iter().any(is_part) {
                paths.push(path);
            }
        }
        // Of too many, those that ended last.
        let surplus = paths.len().saturating_sub(branches::MAX_BRANCHES);
        paths.drain(1..=surplus);
        let mut first_shown: HashMap<*const Piece, usize> = HashMap::new();
        let course = |(number, items): (usize, Vec<Arc<Piece>>)| {
            let at = when(&items).unwrap_or(updated_at);
            let shown = items.iter().map_while(|piece| first_shown.get(&Arc::as_ptr(piece)).copied());
            let parent = shown.last();
            for piece in &items {
                first_shown.entry(Arc::as_ptr(piece)).or_insert(number);
            }
            Course {
                name: if number == 0 { MAIN.to_owned() } else { format!("BRANCH_{number}") },
                description: None,
                parent,
                forked_from: None,
                is_active: number == 0,
                created_at: at,
                updated_at: at,
                items,
            }
        };
        paths.into_iter().enumerate().map(course).collect()
    }

    /// The messages from the root to this node.
    fn path(&self, end: &str) -> Vec<Arc<Piece>> {
        let (mut path, mut seen) = (Vec::new(), HashSet::new());
        let mut next = self.nodes.get_key_value(end);
        // A ring of nodes has no beginning.
        while let Some((name, node)) = next.filter(|(name, _)| seen.insert(*name)) {
            path.extend(self.pieces.get(name.as_str()).cloned());
            next = node.parent.as_deref().and_then(|parent| self.nodes.get_key_value(parent));
        }
        path.reverse();
        path
    }
}

/// What can be done with a message.
enum Use {
    Piece(Box<Piece>),
    /// It says something, but not to a reader: a tool's doings, what is hidden, forms of content that are not known.
    LeftOut,
    /// It says nothing.
    Nothing,
}

fn piece(name: &str, message: &Value, otherwise: Timestamp) -> Use {
    let content = &message["content"];
    let role = match message["author"]["role"].as_str() {
        Some("user") => "user",
        Some("assistant") => "assistant",
        Some("tool") if content["content_type"] == "execution_output" => "assistant",
        Some("system") if said(content).trim().is_empty() => return Use::Nothing,
        _ => return Use::LeftOut,
    };
    let to_somebody_else = message["recipient"].as_str().is_some_and(|to| to != "all");
    let code = content["content_type"] == "code";
    if message["metadata"]["is_visually_hidden_from_conversation"] == true || (to_somebody_else && !code) {
        return Use::LeftOut;
    }
    let (kind, body, found) = match content["content_type"].as_str() {
        Some("text" | "multimodal_text") => spoken(role, &said(content)),
        Some("code") => {
            let language = content["language"].as_str().filter(|language| *language != "unknown");
            let code = content["text"].as_str().unwrap_or_default();
            spoken(role, &markdown::code(language.unwrap_or_default(), code))
        }
        Some("execution_output") => spoken(role, &markdown::code("", content["text"].as_str().unwrap_or_default())),
        Some("thoughts") => ("reasoning", thoughts(content), None),
        Some("reasoning_recap") => return Use::Nothing,
        _ => return Use::LeftOut,
    };
    if kind == "message" && found.is_none() {
        return Use::Nothing;
    }
    let metadata = &message["metadata"];
    let finish = match metadata["finish_details"]["type"].as_str() {
        Some("max_tokens") => Some("length"),
        Some("stop") => Some("stop"),
        _ => None,
    };
    let whole = message["status"] != "in_progress" && metadata["finish_details"]["type"] != "interrupted";
    let created_at = message["create_time"].as_f64().and_then(time).unwrap_or(otherwise);
    let is_message = kind == "message";
    let from_model = |text: Option<&str>| text.filter(|_| role == "assistant").map(str::to_owned);
    Use::Piece(Box::new(Piece {
        source: name.to_owned(),
        id: None,
        head: Head {
            kind: kind.to_owned(),
            role: is_message.then(|| role.to_owned()),
            status: is_message.then(|| if whole { "completed" } else { "incomplete" }.to_owned()),
            call_id: None,
        },
        body: body.to_string(),
        text: found,
        making: Making {
            model: from_model(metadata["model_slug"].as_str()),
            usage: None,
            finish_reason: from_model(finish),
        },
        rating: None,
        created_at,
        ended_at: Some(created_at),
        edited_at: None,
    }))
}

/// A message's type, body and words.
fn spoken(role: &str, text: &str) -> (&'static str, Value, Option<String>) {
    let part = match role {
        "assistant" => json!({"type": "output_text", "text": text, "annotations": []}),
        _ => json!({"type": "input_text", "text": text}),
    };
    ("message", json!({"content": [part]}), Some(text.to_owned()).filter(|text| !text.trim().is_empty()))
}

fn thoughts(content: &Value) -> Value {
    let thoughts = content["thoughts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let parts = |field: &str, kind: &str| -> Vec<Value> {
        let texts = thoughts.iter().filter_map(|thought| thought[field].as_str()).filter(|text| !text.is_empty());
        texts.map(|text| json!({"type": kind, "text": text})).collect()
    };
    json!({"summary": parts("summary", "summary_text"), "content": parts("content", "reasoning_text")})
}

/// What the parts of a message say. Files are not in the conversation; where they were is said.
fn said(content: &Value) -> String {
    let mut said = String::new();
    for part in content["parts"].as_array().into_iter().flatten() {
        let piece = match part {
            Value::String(text) => without_marks(text),
            part => match part["content_type"].as_str() {
                Some("audio_transcription") => without_marks(part["text"].as_str().unwrap_or_default()),
                Some(kind) if kind.contains("image") => "[image]".to_owned(),
                Some(kind) if kind.contains("audio") || kind.contains("video") => "[recording]".to_owned(),
                _ => "[file]".to_owned(),
            },
        };
        if !piece.is_empty() && !said.is_empty() {
            said.push_str("\n\n");
        }
        said.push_str(&piece);
    }
    said
}

/// A text without the marks that stand for its sources, which the export does not name: between U+E200 and U+E201.
fn without_marks(text: &str) -> String {
    let mut pieces = text.split('\u{e200}');
    let mut rest = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        rest.push_str(piece.split_once('\u{e201}').map_or(piece, |(_, after)| after));
    }
    rest
}

/// A time in seconds since the epoch, with a fraction.
fn time(seconds: f64) -> Option<Timestamp> {
    let is_time = seconds.is_finite() && (0.0..4e12).contains(&seconds);
    is_time.then(|| Timestamp::from_micros((seconds * 1e6) as i64))
}
