//! What of a conversation is shared: what the user and the assistant said to each other, and nothing beside it.
//!
//! Nothing is copied as it stands. Each part of the snapshot is made anew from what is known to be meant for reading;
//! what is not known here does not get in.

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    Error, Kind, Result,
    item::Item,
    share::{Image, Slug},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use wire::share::{Citation, FileRef, Message, Part};

use crate::text;

/// Most that a snapshot may hold, images included, in bytes.
pub(super) const MAX_SIZE: usize = 10 * 1024 * 1024;
/// The image formats that are shared: nothing in them can run. With how they begin.
const FORMATS: [(&str, &str, &[u8]); 4] = [
    ("image/png", "png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", "jpg", b"\xff\xd8\xff"),
    ("image/gif", "gif", b"GIF8"),
    ("image/webp", "webp", b"RIFF"),
];
/// Most citations of a text, and longest address or title of one in bytes.
const MAX_CITATIONS: usize = 100;
const MAX_CITATION: usize = 2_048;

/// Gathers what is shared.
pub(super) struct Gathering<'a> {
    /// Where its images will be.
    slug: &'a Slug,
    public_url: &'a str,
    with_images: bool,
    pub(super) messages: Vec<Message>,
    pub(super) images: Vec<Image>,
    pub(super) model: Option<String>,
    size: usize,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    content: Content,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Map<String, Value>>),
    Other(serde::de::IgnoredAny),
}

impl Default for Content {
    fn default() -> Self {
        Self::Parts(Vec::new())
    }
}

impl<'a> Gathering<'a> {
    pub(super) fn new(slug: &'a Slug, public_url: &'a str, with_images: bool) -> Self {
        Self { slug, public_url, with_images, messages: Vec::new(), images: Vec::new(), model: None, size: 0 }
    }

    /// Adds what is shared of an item, if anything is.
    ///
    /// # Errors
    /// `snapshot_too_large`.
    pub(super) fn add(&mut self, item: &Item) -> Result<()> {
        let Some(role) = shared_role(item) else { return Ok(()) };
        let Ok(body) = serde_json::from_str::<Body>(&item.body) else { return Ok(()) };
        let content = match body.content {
            Content::Text(text) => vec![text_part("text", text, Vec::new())],
            Content::Parts(parts) => parts.into_iter().filter_map(|part| self.part(&part)).collect(),
            Content::Other(_) => Vec::new(),
        };
        if content.is_empty() {
            return Ok(());
        }
        self.size += content.iter().map(size_of_part).sum::<usize>();
        if self.size > MAX_SIZE {
            return Err(too_large());
        }
        if role == "assistant" {
            self.model.clone_from(&item.making.model);
        }
        self.messages.push(Message {
            id: item.id.to_string(),
            kind: "message".to_owned(),
            role: role.to_owned(),
            content,
            created_at: item.created_at.seconds(),
        });
        Ok(())
    }

    fn part(&mut self, part: &Map<String, Value>) -> Option<Part> {
        match part.get("type")?.as_str()? {
            kind @ ("text" | "input_text" | "output_text") => {
                let text = part.get("text").or_else(|| part.get(kind))?;
                let annotations = text.get("annotations").or_else(|| part.get("annotations"));
                let citations = annotations.map(citations).unwrap_or_default();
                // A text stands by itself, or beside its annotations.
                let text = text.as_str().or_else(|| text.get("text")?.as_str())?;
                Some(text_part(kind, text.to_owned(), citations)).filter(|_| !text.is_empty())
            }
            "image" | "image_url" | "input_image" if self.with_images => self.image(image_url(part)?),
            _ => None,
        }
    }

    /// An image that stands in the conversation itself. What stands elsewhere is not fetched, and not pointed at: that
    /// would tell another server who reads the share.
    fn image(&mut self, url: &str) -> Option<Part> {
        let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
        let kind = head.strip_suffix(";base64")?;
        let (mime_type, ending, begins) = FORMATS.iter().find(|(mime_type, ..)| kind == *mime_type)?;
        let content = STANDARD.decode(data.trim()).ok().filter(|content| content.starts_with(begins))?;
        self.size += content.len();
        self.images.push(Image { mime_type: (*mime_type).to_owned(), content });
        let number = self.images.len();
        Some(Part {
            kind: "image".to_owned(),
            file_ref: Some(FileRef {
                file_id: format!("image-{number}"),
                mime_type: (*mime_type).to_owned(),
                name: format!("image-{number}.{ending}"),
                url: format!("{}/v1/share/{}/images/{number}", self.public_url, self.slug),
            }),
            ..Part::default()
        })
    }
}

/// Who speaks, if what is said is shared: the user or the assistant, and not in the middle of it.
pub(super) fn shared_role(item: &Item) -> Option<&'static str> {
    let is_whole = matches!(item.head.status.as_deref(), None | Some("completed" | "incomplete"));
    match item.head.role.as_deref() {
        _ if item.head.kind != "message" || !is_whole => None,
        Some("user") => Some("user"),
        Some("assistant") => Some("assistant"),
        _ => None,
    }
}

fn text_part(kind: &str, text: String, annotations: Vec<Citation>) -> Part {
    Part { kind: kind.to_owned(), text: Some(text), annotations, file_ref: None }
}

/// The address of an image, in whichever of the spellings.
fn image_url(part: &Map<String, Value>) -> Option<&str> {
    let at = |name| part.get(name).and_then(|value| value.as_str().or_else(|| value.get("url")?.as_str()));
    at("image_url").or_else(|| at("image")).or_else(|| at("url"))
}

/// The sources on the web. Files that are cited are the user's own and stay private.
fn citations(annotations: &Value) -> Vec<Citation> {
    let read = |annotation: &Value| {
        let annotation = annotation.as_object()?;
        let text = |name: &str| {
            let text = annotation.get(name)?.as_str()?;
            (text.len() <= MAX_CITATION).then(|| text.to_owned())
        };
        let is_citation = annotation.get("type").and_then(Value::as_str) == Some("url_citation");
        let url = text("url").filter(|url| is_citation && is_on_the_web(url))?;
        let index = |name: &str| annotation.get(name).and_then(Value::as_u64);
        let (start_index, end_index) = (index("start_index"), index("end_index"));
        Some(Citation { kind: "url_citation".to_owned(), url, title: text("title"), start_index, end_index })
    };
    annotations.as_array().into_iter().flatten().filter_map(read).take(MAX_CITATIONS).collect()
}

/// Whether an address is one that anybody may be sent to: on the web, without a name or password in it.
pub(super) fn is_on_the_web(url: &str) -> bool {
    let has_scheme = |scheme: &str| url.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
    let is_plain = !url.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\');
    let rest = if has_scheme("https://") {
        &url[8..]
    } else if has_scheme("http://") {
        &url[7..]
    } else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    is_plain && !host.is_empty() && !host.contains('@')
}

fn size_of_part(part: &Part) -> usize {
    let citations = part.annotations.iter().map(|c| c.url.len() + c.title.as_ref().map_or(0, String::len) + 64);
    part.text.as_ref().map_or(0, String::len) + citations.sum::<usize>() + 64
}

#[cold]
fn too_large() -> Error {
    let message = format!("What is to be shared has more than {} MiB.", MAX_SIZE / (1024 * 1024));
    Error::new(Kind::TooLarge, "snapshot_too_large", message)
}

/// Longest title, in characters.
const MAX_TITLE: usize = 256;
/// How much of the first question serves as a title, in bytes.
const TITLE_BYTES: usize = 50;

/// What the share is called: as its maker says, as the conversation is called, or as it begins.
pub(super) fn title(given: Option<&str>, conversation: Option<&str>, messages: &[Message]) -> String {
    let named = [given, conversation].into_iter().flatten().map(plain).find(|title| !title.is_empty());
    named.or_else(|| beginning(messages)).unwrap_or_else(|| "Untitled Conversation".to_owned())
}

/// A title in one line, without what is not to be seen.
fn plain(text: &str) -> String {
    text::title(text).take(MAX_TITLE).collect()
}

fn beginning(messages: &[Message]) -> Option<String> {
    let text = plain(first_text(messages)?);
    if text.len() <= TITLE_BYTES {
        return Some(text).filter(|text| !text.is_empty());
    }
    Some(format!("{}…", text[..text.floor_char_boundary(TITLE_BYTES)].trim_end()))
}

/// The first thing that the user says.
pub(super) fn first_text(messages: &[Message]) -> Option<&str> {
    messages
        .iter()
        .filter(|message| message.role == "user")
        .flat_map(|message| &message.content)
        .find_map(|part| part.text.as_deref())
}

#[cfg(test)]
mod tests {
    use domain::{
        Clock, Timestamp,
        ids::ItemId,
        item::{Head, Making},
    };
    use serde_json::json;

    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

    fn item(kind: &str, role: Option<&str>, status: Option<&str>, body: &Value) -> Item {
        Item {
            id: ItemId::new(&Clock::System),
            branch: "SECRET_BRANCH".to_owned(),
            sequence: 1,
            head: Head {
                kind: kind.to_owned(),
                role: role.map(str::to_owned),
                status: status.map(str::to_owned),
                call_id: None,
            },
            body: body.to_string(),
            making: Making { model: Some("model-1".to_owned()), ..Making::default() },
            rating: None,
            created_at: Timestamp::from_seconds(5),
            ended_at: None,
            edited_at: None,
        }
    }

    fn message(role: &str, content: &Value) -> Item {
        item("message", Some(role), Some("completed"), &json!({"content": content, "secret": "SECRET"}))
    }

    /// What is shared of an item, as JSON.
    fn shared(item: &Item, with_images: bool) -> Vec<Value> {
        let slug = Slug::random();
        let mut gathering = Gathering::new(&slug, "https://jan.example", with_images);
        gathering.add(item).unwrap();
        gathering.messages.iter().map(|message| serde_json::to_value(message).unwrap()).collect()
    }

    fn data_url(kind: &str, bytes: &[u8]) -> String {
        format!("data:{kind};base64,{}", STANDARD.encode(bytes))
    }

    #[test]
    fn texts_of_both_are_shared_in_every_spelling() {
        for content in [
            json!("hello"),
            json!([{"type": "text", "text": "hello"}]),
            json!([{"type": "input_text", "text": "hello"}]),
            json!([{"type": "output_text", "text": "hello", "annotations": [], "logprobs": ["SECRET"]}]),
            json!([{"type": "text", "text": {"text": "hello", "annotations": []}}]),
            json!([{"type": "output_text", "output_text": {"text": "hello"}}]),
        ] {
            for role in ["user", "assistant"] {
                let found = shared(&message(role, &content), false);
                assert_eq!(found[0]["content"][0]["text"], "hello", "{content}");
                assert_eq!(found[0]["role"], role);
                let keys: Vec<_> = found[0].as_object().unwrap().keys().cloned().collect();
                assert_eq!(keys, ["id", "type", "role", "content", "created_at"]);
                assert!(!found[0].to_string().contains("SECRET"));
            }
        }
    }

    #[test]
    fn nothing_private_is_shared() {
        let secret = json!([{"type": "text", "text": "SECRET"}]);
        for role in ["system", "developer", "critic", "tool", "discriminator", "unknown", "User"] {
            assert_eq!(shared(&message(role, &secret), true), [] as [Value; 0], "{role}");
        }
        for kind in [
            "reasoning",
            "function_call",
            "function_call_output",
            "mcp_call",
            "web_search_call",
            "custom_tool_call",
            "",
        ] {
            let item = item(kind, Some("assistant"), None, &json!({"content": secret, "arguments": "SECRET"}));
            assert_eq!(shared(&item, true), [] as [Value; 0], "{kind}");
        }
        for status in ["in_progress", "streaming", "failed", "cancelled", "generating"] {
            let item = item("message", Some("assistant"), Some(status), &json!({"content": secret}));
            assert_eq!(shared(&item, true), [] as [Value; 0], "{status}");
        }
        let parts = [
            "reasoning_text",
            "thinking",
            "summary_text",
            "refusal",
            "tool_result",
            "audio",
            "input_audio",
            "code",
            "file",
            "computer_screenshot",
            "computer_action",
            "function_call",
            "function_call_output",
            "tool_calls",
            "mcp_call",
            "new",
        ];
        let parts: Vec<Value> = parts
            .iter()
            .map(|kind| json!({"type": kind, "text": "SECRET", kind.to_string(): "SECRET", "data": "SECRET"}))
            .chain([json!({"type": "text", "text": "seen"}), json!({"text": "SECRET"})])
            .collect();
        let found = shared(&message("assistant", &json!(parts)), true);
        assert_eq!(found[0]["content"], json!([{"type": "text", "text": "seen"}]));
        assert_eq!(shared(&message("user", &json!({"text": "SECRET"})), true), [] as [Value; 0]);
    }

    #[test]
    fn sources_on_the_web_are_shared_and_files_are_not() {
        let annotations = json!([
            {"type": "url_citation", "url": "https://example.org/a", "title": "A", "start_index": 1, "end_index": 2,
                "other": "SECRET"},
            {"type": "file_citation", "file_id": "SECRET", "filename": "SECRET.pdf"},
            {"type": "url_citation", "url": "javascript:alert(1)", "title": "SECRET"},
            {"type": "url_citation", "url": "https://user:SECRET@example.org/"},
            {"type": "container_file_citation", "url": "https://example.org/SECRET"},
        ]);
        let content = json!([{"type": "output_text", "text": "x", "annotations": annotations}]);
        assert_eq!(
            shared(&message("assistant", &content), false)[0]["content"][0]["annotations"],
            json!([{"type": "url_citation", "url": "https://example.org/a", "title": "A", "start_index": 1,
                "end_index": 2}])
        );
    }

    #[test]
    fn images_are_shared_when_asked_for_and_only_those_at_hand() {
        let png = data_url("image/png", PNG);
        let content = json!([
            {"type": "text", "text": "look"},
            {"type": "input_image", "image_url": png},
            {"type": "image", "image": {"url": png, "file_id": "SECRET"}},
            {"type": "image_url", "image_url": {"url": png}},
            {"type": "image", "url": "https://elsewhere.example/SECRET.png"},
            {"type": "image", "file_id": "jan_SECRET"},
            {"type": "image", "url": data_url("image/svg+xml", b"<svg onload=SECRET>")},
            {"type": "image", "url": data_url("text/html", b"SECRET")},
            {"type": "image", "url": data_url("image/png", b"<script>SECRET")},
            {"type": "image", "url": "data:image/png;base64,@@@"},
            {"type": "image", "url": "data:image/png,SECRET"},
        ]);
        let item = message("user", &content);
        assert_eq!(shared(&item, false)[0]["content"].as_array().unwrap().len(), 1);
        let slug = Slug::random();
        let mut gathering = Gathering::new(&slug, "https://jan.example", true);
        gathering.add(&item).unwrap();
        assert_eq!(gathering.images, vec![Image { mime_type: "image/png".to_owned(), content: PNG.to_vec() }; 3]);
        let files: Vec<_> = gathering.messages[0].content.iter().filter_map(|part| part.file_ref.clone()).collect();
        assert_eq!(files.len(), 3);
        assert_eq!(files[2].name, "image-3.png");
        assert_eq!(files[2].url, format!("https://jan.example/v1/share/{slug}/images/3"));
        assert!(!serde_json::to_string(&gathering.messages).unwrap().contains("SECRET"));
    }

    #[test]
    fn a_snapshot_is_bounded() {
        let slug = Slug::random();
        let mut gathering = Gathering::new(&slug, "", true);
        let mut error = None;
        for _ in 0..12 {
            error = gathering.add(&message("user", &json!("x".repeat(1024 * 1024)))).err();
        }
        let error = error.unwrap();
        assert_eq!((error.code(), error.kind()), ("snapshot_too_large", Kind::TooLarge));
        let mut image = PNG.to_vec();
        image.resize(MAX_SIZE + 1, 0);
        let content = json!([{"type": "input_image", "image_url": data_url("image/png", &image)}]);
        assert!(Gathering::new(&slug, "", true).add(&message("user", &content)).is_err());
        assert!(Gathering::new(&slug, "", false).add(&message("user", &content)).is_ok());
    }

    #[test]
    fn titles_come_from_what_there_is() {
        let slug = Slug::random();
        let mut gathering = Gathering::new(&slug, "", false);
        assert_eq!(title(None, None, &gathering.messages), "Untitled Conversation");
        gathering.add(&message("assistant", &json!("not this"))).unwrap();
        gathering.add(&message("user", &json!("Why\n\n is \u{7}the sky blue?"))).unwrap();
        let messages = gathering.messages;
        assert_eq!(title(None, Some(" \n"), &messages), "Why is the sky blue?");
        assert_eq!(title(None, Some("Sky"), &messages), "Sky");
        assert_eq!(title(Some("Mine"), Some("Sky"), &messages), "Mine");
        assert_eq!(title(Some(" \u{0}"), Some("Sky"), &messages), "Sky");
        assert_eq!(title(Some(&"\u{e9}".repeat(300)), None, &messages).chars().count(), MAX_TITLE);
        let mut long = messages[1].clone();
        long.content[0].text = Some("\u{1f469}".repeat(20));
        assert_eq!(title(None, None, &[long]), format!("{}…", "\u{1f469}".repeat(12)));
    }

    #[test]
    fn addresses_are_judged_by_their_scheme() {
        for good in ["https://example.org", "HTTP://example.org/?a=b#c", "https://example.org/@x"] {
            assert!(is_on_the_web(good), "{good}");
        }
        for bad in [
            "",
            "http://",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " https://example.org",
            "java\nscript:x",
            "//x",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "https://user@example.org",
            "https://a\\b",
            "http:x",
            "https:\u{a0}//x",
            "\u{1}https://x",
            "https://exa mple.org",
            "blob:https://x",
            "h\u{e9}tps://x",
        ] {
            assert!(!is_on_the_web(bad), "{bad:?}");
        }
    }
}
