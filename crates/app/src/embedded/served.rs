//! One model's way from its file to an engine, and back to the file when nobody asks it anything.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use inference::{Engine, EngineOptions};
use providers::Error;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::catalogue::Defaults;
use super::{FileError, Files, Progress, Reference};

/// Longest wait of a request for a model that is being loaded.
const LOADING: Duration = Duration::from_mins(1);
/// How long a failure to load is answered from memory before the file is looked at again.
const FAILURE: Duration = Duration::from_secs(10);

/// How a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Its file is not there.
    Absent,
    /// Its file is being fetched.
    Fetching(Progress),
    /// Its file is there; the first request loads it.
    Waiting,
    /// It is being read into memory.
    Loading,
    /// It answers.
    Ready,
    /// Its file cannot be loaded.
    Failed,
}

/// How a served model is, for people and for readiness checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The public id.
    pub id: String,
    /// The file.
    pub path: PathBuf,
    /// How it is.
    pub condition: Condition,
    /// In one line, what is wrong and which command mends it, if something is.
    pub problem: Option<String>,
}

#[derive(Debug)]
enum Phase {
    /// Nothing is under way; the file may be there or not.
    Idle,
    Fetching {
        progress: Progress,
        begun: Instant,
        at: u64,
    },
    Loading,
    Ready(Engine),
    Failed {
        message: String,
        since: Instant,
    },
}

/// What a request has to do.
enum Step {
    Use(Engine),
    Load,
    Wait,
    Refuse(Error),
}

/// Where a model's file comes from.
#[derive(Debug)]
pub(super) enum Origin {
    /// The cache directory.
    Cache(Reference),
    /// A file that the operator names.
    File(PathBuf),
}

/// A model that is served.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) id: String,
    pub(super) origin: Origin,
    pub(super) defaults: Defaults,
    pub(super) created: i64,
    files: Files,
    options: EngineOptions,
    phase: watch::Sender<Phase>,
    uses: AtomicUsize,
    last_use: Mutex<Instant>,
}

/// An engine in use: it is not unloaded as long as this exists.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) engine: Engine,
    served: Arc<Served>,
}

impl Drop for Use {
    fn drop(&mut self) {
        *self.served.last_use.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.served.uses.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Served {
    pub(super) fn new(id: String, origin: Origin, files: Files, options: EngineOptions) -> Self {
        let (defaults, created) = match &origin {
            Origin::Cache(model @ Reference::Known(known)) => (model.defaults(), known.released),
            Origin::Cache(_) | Origin::File(_) => (Defaults::default(), 0),
        };
        Self {
            id,
            origin,
            defaults,
            created,
            files,
            options,
            phase: watch::Sender::new(Phase::Idle),
            uses: AtomicUsize::new(0),
            last_use: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        match &self.origin {
            Origin::Cache(model) => self.files.path(model),
            Origin::File(path) => path.clone(),
        }
    }

    fn is_there(&self) -> bool {
        self.path().is_file()
    }

    /// What mends a model that is not there, or not right.
    fn remedy(&self) -> String {
        match &self.origin {
            Origin::Cache(Reference::Cached(name)) => format!("put {name} into {}", self.files.directory().display()),
            Origin::Cache(model) => format!("`jan-server model pull {}` fetches it", model.argument()),
            Origin::File(_) => "name another file with --model-file".to_owned(),
        }
    }

    pub(super) fn status(&self) -> Status {
        let absent = || format!("the model {} is not there; {}", self.id, self.remedy());
        let (condition, problem) = match &*self.phase.borrow() {
            Phase::Idle if self.is_there() => (Condition::Waiting, None),
            Phase::Idle => (Condition::Absent, Some(absent())),
            Phase::Fetching { progress, .. } => (Condition::Fetching(*progress), None),
            Phase::Loading => (Condition::Loading, None),
            Phase::Ready(_) => (Condition::Ready, None),
            Phase::Failed { message, .. } => (Condition::Failed, Some(message.clone())),
        };
        Status { id: self.id.clone(), path: self.path(), condition, problem }
    }

    /// The engine, loaded first if it must be. Waits for a model that is being loaded, not for one that is fetched.
    pub(super) async fn engine(self: &Arc<Self>, tracker: &TaskTracker) -> Result<Use, Error> {
        let mut changes = self.phase.subscribe();
        let deadline = Instant::now() + LOADING;
        loop {
            match self.step() {
                Step::Use(engine) => {
                    self.uses.fetch_add(1, Ordering::AcqRel);
                    return Ok(Use { engine, served: Arc::clone(self) });
                }
                Step::Refuse(error) => return Err(error),
                Step::Load => {
                    let served = Arc::clone(self);
                    tracker.spawn(async move { served.load().await });
                }
                Step::Wait => {}
            }
            let loaded = changes.wait_for(|phase| !matches!(phase, Phase::Loading));
            if tokio::time::timeout_at(deadline, loaded).await.is_err() {
                let message = format!("The model {} is being loaded.", self.id);
                return Err(Error::NotReady { message, retry_after: Some(Duration::from_secs(5)) });
            }
        }
    }

    /// The engine, if it is loaded.
    pub(super) fn loaded(&self) -> Option<Engine> {
        match &*self.phase.borrow() {
            Phase::Ready(engine) => Some(engine.clone()),
            _ => None,
        }
    }

    /// Looks at the phase; begins to load if that is what comes next, so that only one request does.
    fn step(&self) -> Step {
        let mut step = Step::Wait;
        self.phase.send_if_modified(|phase| {
            step = match phase {
                Phase::Ready(engine) => Step::Use(engine.clone()),
                Phase::Loading => Step::Wait,
                Phase::Fetching { progress, begun, at } => Step::Refuse(self.fetching(*progress, *begun, *at)),
                Phase::Failed { message, since } if since.elapsed() < FAILURE => {
                    Step::Refuse(Error::NotReady { message: message.clone(), retry_after: None })
                }
                Phase::Idle | Phase::Failed { .. } if self.is_there() => Step::Load,
                Phase::Idle | Phase::Failed { .. } => {
                    let message = format!("The model {} is not there yet: {}.", self.id, self.remedy());
                    Step::Refuse(Error::NotReady { message, retry_after: None })
                }
            };
            let loads = matches!(step, Step::Load);
            if loads {
                *phase = Phase::Loading;
            }
            loads
        });
        step
    }

    /// What a request is told while the file is on its way.
    fn fetching(&self, progress: Progress, begun: Instant, at: u64) -> Error {
        let percent = progress.bytes * 100 / progress.total.max(1);
        let arrived = progress.bytes.saturating_sub(at);
        let left = progress.total.saturating_sub(progress.bytes) as f64;
        let seconds = if arrived == 0 { 30.0 } else { begun.elapsed().as_secs_f64() * left / arrived as f64 };
        let message = format!("The model {} is being fetched ({percent} %).", self.id);
        // A client's library waits as long as it is told; two minutes is what they accept.
        Error::NotReady { message, retry_after: Some(Duration::from_secs(seconds.clamp(2.0, 120.0) as u64)) }
    }

    async fn load(&self) {
        let begun = Instant::now();
        let loaded = self.load_engine().await;
        self.phase.send_replace(match loaded {
            Ok(engine) => {
                let seconds = begun.elapsed().as_secs_f64();
                tracing::info!(model = self.id, seconds, "Loaded the embedded model");
                *self.last_use.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                Phase::Ready(engine)
            }
            Err(message) => {
                tracing::error!(model = self.id, problem = message, "Cannot load the embedded model");
                Phase::Failed { message, since: Instant::now() }
            }
        });
    }

    async fn load_engine(&self) -> Result<Engine, String> {
        if let Origin::Cache(model) = &self.origin {
            self.files.verify(model).await.map_err(|error| error.to_string())?;
        }
        let (path, options) = (self.path(), self.options.clone());
        // Callers are told this, too: where the file is kept is the operator's business.
        let shown = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let loading = tokio::task::spawn_blocking(move || Engine::load(&path, &options)).await;
        loading
            .map_err(|error| format!("loading {shown} failed: {error}"))?
            .map_err(|error| format!("the model {} cannot be loaded from {shown}: {error}; {}", self.id, self.remedy()))
    }

    /// Loads the model unless it is loaded or its file is not there.
    pub(super) async fn preload(self: &Arc<Self>, tracker: &TaskTracker) {
        if self.is_there()
            && let Err(error) = self.engine(tracker).await
        {
            tracing::warn!(model = self.id, %error, "Did not load the embedded model at start");
        }
    }

    /// Fetches the file unless it is there. `report` is called as it comes.
    pub(super) async fn fetch(&self, report: &(dyn Fn(&str, Progress) + Send + Sync)) -> Result<(), FileError> {
        let Origin::Cache(model) = &self.origin else { return Ok(()) };
        if self.is_there() {
            return Ok(());
        }
        let _reset = Reset(self);
        let begun = Instant::now();
        let mut first = None;
        let mut progress = |progress: Progress| {
            let at = *first.get_or_insert(progress.bytes);
            report(&self.id, progress);
            self.phase.send_replace(Phase::Fetching { progress, begun, at });
        };
        let path = self.files.pull(model, &mut progress).await?;
        tracing::info!(model = self.id, path = %path.display(), "Fetched the embedded model: it can be asked");
        Ok(())
    }

    /// Frees the engine's memory if nobody has used it for so long.
    pub(super) fn unload_after(&self, idle: Duration) {
        let is_idle = || {
            self.uses.load(Ordering::Acquire) == 0
                && self.last_use.lock().unwrap_or_else(PoisonError::into_inner).elapsed() >= idle
        };
        let unloaded = self.phase.send_if_modified(|phase| {
            let unload = matches!(phase, Phase::Ready(_)) && is_idle();
            if unload {
                *phase = Phase::Idle;
            }
            unload
        });
        if unloaded {
            tracing::info!(model = self.id, "Unloaded the embedded model: nobody has asked it anything lately");
        }
    }
}

/// Ends the phase of fetching, also when the work is cancelled.
struct Reset<'a>(&'a Served);

impl Drop for Reset<'_> {
    fn drop(&mut self) {
        self.0.phase.send_if_modified(|phase| {
            let fetching = matches!(phase, Phase::Fetching { .. });
            if fetching {
                *phase = Phase::Idle;
            }
            fetching
        });
    }
}
