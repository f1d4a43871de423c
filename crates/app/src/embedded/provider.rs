//! The provider: served models behind the trait that all providers share.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::Clock;
use outbound::Client;
use providers::{BoxFuture, Call, ChatProvider, Error, Frames, Offer, Result, Whole};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ask::{Asked, ask};
use super::catalogue::CATALOGUE;
use super::served::{Origin, Served, Use};
use super::{FileError, Files, Options, Progress, Reference, Status, stream, whole};

/// The embedded models as a provider. Clones share them.
#[derive(Clone, Debug)]
pub struct Embedded(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    models: Vec<Arc<Served>>,
    files: Files,
    options: Options,
    clock: Clock,
    tracker: TaskTracker,
}

impl Embedded {
    /// Reads the models' names; touches no file and no network. Work that outlives a request runs on `tracker`.
    ///
    /// # Errors
    /// [`FileError::Name`] for a name that means no model, [`FileError::NoDirectory`].
    pub fn new(options: Options, client: Client, clock: Clock, tracker: TaskTracker) -> Result<Self, FileError> {
        let files = Files::new(&options, client)?;
        let served = |id: String, origin| Arc::new(Served::new(id, origin, files.clone(), options.engine()));
        let mut models = Vec::new();
        if let Some(path) = &options.model_file {
            models.push(served(id_of_file(path), Origin::File(path.clone())));
        } else {
            for name in &options.models {
                let model = Reference::parse(name)?;
                if models.iter().all(|other: &Arc<Served>| other.id != model.id()) {
                    models.push(served(model.id().to_owned(), Origin::Cache(model)));
                }
            }
        }
        Ok(Self(Arc::new(Inner { models, files, options, clock, tracker })))
    }

    /// The files that the models come from.
    pub fn files(&self) -> &Files {
        &self.0.files
    }

    /// How each model is.
    pub fn status(&self) -> Vec<Status> {
        self.0.models.iter().map(|model| model.status()).collect()
    }

    /// The background work, until `stop`: fetches files that are not there, unless offline; loads models if that is
    /// wanted; unloads those that nobody uses. `report` is told how a file that is being fetched comes along.
    pub async fn run(&self, stop: CancellationToken, report: impl Fn(&str, Progress) + Send + Sync) {
        let work = async { tokio::join!(self.prepare(&report), self.unload()) };
        tokio::select! {
            () = stop.cancelled() => {}
            _ = work => {}
        }
    }

    async fn prepare(&self, report: &(dyn Fn(&str, Progress) + Send + Sync)) {
        for model in &self.0.models {
            if self.0.options.offline {
                if let Some(problem) = model.status().problem {
                    tracing::warn!(model = model.id, problem, "The embedded model cannot answer");
                }
            } else if let Err(error) = model.fetch(report).await {
                tracing::warn!(model = model.id, %error, "Could not fetch the embedded model");
            }
            if self.0.options.preload {
                model.preload(&self.0.tracker).await;
            }
        }
    }

    async fn unload(&self) {
        let idle = Duration::from_secs(self.0.options.unload_after_seconds);
        if idle.is_zero() {
            return;
        }
        let mut ticks = tokio::time::interval((idle / 4).clamp(Duration::from_millis(100), Duration::from_secs(30)));
        loop {
            ticks.tick().await;
            for model in &self.0.models {
                model.unload_after(idle);
            }
        }
    }

    /// The engine for a call and what to ask it.
    async fn begin(&self, call: &Call) -> Result<(Use, Asked)> {
        let model = self.0.models.iter().find(|model| *model.id == *call.model).ok_or(Error::NoSuchModel)?;
        // What is wrong with a request is told even while the model is not there.
        let most = self.0.options.parallel.max(1) + self.0.options.queue;
        let asked = ask(call, model.defaults, self.0.options.answer_tokens, most)?;
        Ok((model.engine(&self.0.tracker).await?, asked))
    }
}

impl ChatProvider for Embedded {
    fn name(&self) -> &'static str {
        "jan"
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<Offer>>> {
        // Those without a file too: a call of one is told what mends it.
        let offer = |model: &Arc<Served>| Offer {
            id: model.id.clone(),
            created: model.created,
            owned_by: Some(self.name().to_owned()),
        };
        Box::pin(std::future::ready(Ok(self.0.models.iter().map(offer).collect())))
    }

    fn complete(&self, call: Call) -> BoxFuture<'_, Result<Whole>> {
        Box::pin(async move {
            let (engine, asked) = self.begin(&call).await?;
            whole::complete(&engine, asked, &call.stamp, &self.0.clock).await
        })
    }

    fn stream(&self, call: Call) -> BoxFuture<'_, Result<Frames>> {
        Box::pin(async move {
            let (engine, asked) = self.begin(&call).await?;
            stream::begin(engine, asked, call.stamp, self.0.clock.clone()).await
        })
    }

    fn window(&self, model: &str) -> Option<usize> {
        let loaded = self.0.models.iter().find(|known| *known.id == *model)?.loaded();
        Some(loaded.map_or(self.0.options.context, |engine| engine.info().context_length))
    }

    fn reasons(&self, model: &str) -> Option<bool> {
        // Those of the catalogue answer at once; what others do, their files do not say.
        CATALOGUE.iter().any(|known| known.id == model).then_some(false)
    }

    fn count_tokens(&self, model: &str, text: &str) -> Option<usize> {
        let engine = self.0.models.iter().find(|known| *known.id == *model)?.loaded()?;
        Some(engine.count_tokens(text))
    }
}

/// The public id of a file that the operator names: the catalogue's if it is one of its files.
fn id_of_file(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let known = CATALOGUE.iter().find(|known| known.file == name);
    known.map_or_else(
        || path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        |known| known.id.to_owned(),
    )
}

/// What an engine's error means to a caller.
pub(super) fn failed(error: inference::Error) -> Error {
    match error {
        inference::Error::Busy { retry_after } => Error::Busy { retry_after: Some(retry_after) },
        inference::Error::PromptTooLong { .. } => Error::TooLong { message: sentence(&error) },
        inference::Error::InvalidRequest { param, ref message } => {
            Error::Refused { param: Some(param.to_owned()), message: format!("{param}: {message}.") }
        }
        other => Error::Failed(Box::new(other)),
    }
}

/// An error's text with a capital and a full stop.
fn sentence(error: &inference::Error) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
