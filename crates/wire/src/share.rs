//! What a shared conversation shows to everybody: the parts of the contract's E28 and nothing else.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A frozen conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ShareSnapshot)]
pub struct Snapshot {
    /// What it is called.
    #[schema(example = "Why is the sky blue?")]
    pub title: String,
    /// The model that gave the last answer, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub model_name: Option<String>,
    /// When the conversation was made, in seconds since the Unix epoch.
    #[schema(example = 1_800_000_000)]
    pub created_at: i64,
    /// The messages of the user and of the assistant, in order.
    pub items: Vec<Message>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SharedMessage)]
pub struct Message {
    /// Its id.
    #[schema(example = "msg_0mhk2v1qs5x3n8r7")]
    pub id: String,
    /// Always `message`.
    #[serde(rename = "type")]
    #[schema(example = "message")]
    pub kind: String,
    /// `user` or `assistant`.
    #[schema(example = "assistant")]
    pub role: String,
    /// What it says, in order.
    pub content: Vec<Part>,
    /// In seconds since the Unix epoch.
    #[schema(example = 1_800_000_000)]
    pub created_at: i64,
}

/// A part of a message: a text, or an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SharedPart)]
pub struct Part {
    /// `text`, `input_text`, `output_text` or `image`.
    #[serde(rename = "type")]
    #[schema(example = "output_text")]
    pub kind: String,
    /// The text, Markdown as a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub text: Option<String>,
    /// The sources on the web that the text names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Citation>,
    /// The image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub file_ref: Option<FileRef>,
}

/// A source on the web.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SharedCitation)]
pub struct Citation {
    /// Always `url_citation`.
    #[serde(rename = "type")]
    #[schema(example = "url_citation")]
    pub kind: String,
    /// Its address.
    #[schema(example = "https://example.org/")]
    pub url: String,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub title: Option<String>,
    /// Where in the text it is named first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub start_index: Option<u64>,
    /// Where that ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub end_index: Option<u64>,
}

/// An image that is part of a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SharedFile)]
pub struct FileRef {
    /// Its name within the share.
    #[schema(example = "image-1")]
    pub file_id: String,
    /// What it is.
    #[schema(example = "image/png")]
    pub mime_type: String,
    /// The same, as a file's name.
    #[schema(example = "image-1.png")]
    pub name: String,
    /// Where it can be had by everybody, as long as the share lives.
    #[schema(example = "https://jan.example/v1/share/3kTMd9sLqX0aZbYcWvUe1f/images/1")]
    pub url: String,
}
