//! The configuration section of the embedded model.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The embedded model. Every field has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether the embedded models are served at all.
    pub enabled: bool,
    /// The models to serve: names of the catalogue (`jan-small`, `jan-tiny`), `hf:OWNER/REPO/FILE` with an optional
    /// `@REVISION`, or the name of a file in the cache directory.
    pub models: Vec<String>,
    /// A GGUF file to serve under its own name, in place of `models`.
    pub model_file: Option<PathBuf>,
    /// Never fetches anything; a model whose file is not there answers 503.
    pub offline: bool,
    /// Where model files are kept; by default `jan-server/models` in the user's cache directory, so that every
    /// checkout and every data directory shares them.
    pub cache_dir: Option<PathBuf>,
    /// The server that `hf:` names and the catalogue's first source are fetched from: Hugging Face or a mirror of it.
    pub hugging_face: String,
    /// Threads that compute; by default one per available core.
    pub threads: Option<usize>,
    /// Answers that a model gives at the same time.
    pub parallel: usize,
    /// Requests that may wait for a model; more are told to come back.
    pub queue: usize,
    /// The most tokens of a prompt and its answer together. A token of context takes about 12 kB of memory with
    /// `jan-small`, for each answer given at the same time.
    pub context: usize,
    /// The most tokens of an answer whose request sets no limit. A small model may go on for ever.
    pub answer_tokens: u32,
    /// Whether memories are compared by what they mean, with an encoder of 90 MB that is fetched like the models when
    /// somebody first saves a memory. Otherwise, and until it is there, they are compared by their words.
    pub encoder: bool,
    /// Loads the models at start instead of with the first request. Off by default: a server at rest takes
    /// little memory, and the first request waits about a second.
    pub preload: bool,
    /// Frees a model's memory when nobody has asked it anything for so many seconds; 0 keeps it.
    pub unload_after_seconds: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enabled: true,
            models: vec!["jan-small".to_owned()],
            model_file: None,
            offline: false,
            cache_dir: None,
            hugging_face: "https://huggingface.co".to_owned(),
            threads: None,
            parallel: 4,
            queue: 32,
            context: 8192,
            answer_tokens: 2048,
            encoder: true,
            preload: false,
            unload_after_seconds: 900,
        }
    }
}

impl Options {
    pub(super) fn engine(&self) -> inference::EngineOptions {
        inference::EngineOptions {
            threads: self.threads,
            max_parallel: self.parallel,
            queue: self.queue,
            context: self.context,
        }
    }
}
