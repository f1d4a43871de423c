//! The texts in use: what the server brings along, and what administrators put in its place.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use domain::{Clock, Timestamp, prompt_template::MAX_TEMPLATES};
use minijinja::{Environment, Value};
use store::{ActivePromptTemplate, Store};
use tokio::sync::Mutex;

use super::{
    module::{MODULES, Module},
    sandbox,
};

/// How long the texts are believed. What is changed through this process counts at once; what another process changes
/// counts after this.
const FRESH: Duration = Duration::from_secs(10);
/// What the key of a persona's template begins with.
pub(crate) const PERSONA: &str = "persona.";

/// The texts, read from the database when they are old. Clones share them.
#[derive(Clone)]
pub(crate) struct Texts(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    current: ArcSwap<Read>,
    reading: Mutex<()>,
    /// Counts changes, so that what was read before one is not believed after it.
    changes: AtomicU64,
}

/// A change of the texts: when it is over, however it ended, they are read anew by who needs them next.
pub(crate) struct Changing<'a>(&'a Texts);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.0.changes.fetch_add(1, Ordering::AcqRel);
        self.0.forget();
    }
}

struct Read {
    table: Arc<Table>,
    /// None before the first time.
    at: Option<Timestamp>,
}

impl Texts {
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        let read = Read { table: Arc::new(Table::new(Vec::new())), at: None };
        let (current, reading, changes) = (ArcSwap::from_pointee(read), Mutex::new(()), AtomicU64::new(0));
        Self(Arc::new(Inner { store, clock, current, reading, changes }))
    }

    /// The texts as they are now. While the database does not answer they are what they were: a chat does not fail for
    /// its prompt.
    pub(crate) async fn table(&self) -> Arc<Table> {
        if let Some(table) = self.fresh() {
            return table;
        }
        let _one_at_a_time = self.0.reading.lock().await;
        if let Some(table) = self.fresh() {
            return table;
        }
        let now = self.0.clock.now();
        let changes = self.0.changes.load(Ordering::Acquire);
        let table = match self.read().await {
            Ok(rows) => Arc::new(Table::new(rows)),
            Err(error) => {
                tracing::warn!(%error, "The prompt templates could not be read; those of before stay in use");
                Arc::clone(&self.0.current.load().table)
            }
        };
        self.0.current.store(Arc::new(Read { table: Arc::clone(&table), at: Some(now) }));
        if self.0.changes.load(Ordering::Acquire) != changes {
            self.forget();
        }
        table
    }

    /// Begins a change of the texts.
    pub(crate) fn changing(&self) -> Changing<'_> {
        Changing(self)
    }

    fn forget(&self) {
        let table = Arc::clone(&self.0.current.load().table);
        self.0.current.store(Arc::new(Read { table, at: None }));
    }

    fn fresh(&self) -> Option<Arc<Table>> {
        let current = self.0.current.load();
        let at = current.at?;
        let age = self.0.clock.now().micros() - at.micros();
        (u128::try_from(age).is_ok_and(|age| age < FRESH.as_micros())).then(|| Arc::clone(&current.table))
    }

    async fn read(&self) -> Result<Vec<ActivePromptTemplate>, store::StoreError> {
        self.0.store.read().await?.active_prompt_templates(MAX_TEMPLATES).await
    }
}

/// The texts of one moment, compiled.
pub(crate) struct Table {
    environment: Environment<'static>,
    /// What administrators say of a key and a model; an empty model is every model.
    said: HashMap<(String, String), Said>,
}

/// What an administrator says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// Nothing is to be told.
    Off,
    /// This text.
    Own,
    /// What the server brings along.
    BuiltIn,
}

impl Table {
    pub(crate) fn new(rows: Vec<ActivePromptTemplate>) -> Self {
        let mut environment = sandbox::environment();
        for module in MODULES {
            // Ours compile: a test sees to that.
            let _ = environment.add_template(module.key, module.text);
        }
        let mut said = HashMap::new();
        for row in rows {
            let what = match row.content {
                _ if !row.enabled => Said::Off,
                None => Said::BuiltIn,
                Some(content) => match environment.add_template_owned(name(&row.key, &row.model), content) {
                    Ok(()) => Said::Own,
                    Err(error) => {
                        // Checked when it was written; a newer server may have written it.
                        tracing::warn!(key = row.key, model = row.model, %error, "A prompt template does not compile");
                        Said::BuiltIn
                    }
                },
            };
            said.insert((row.key, row.model), what);
        }
        Self { environment, said }
    }

    /// What a module says to a model; `None` where it is switched off.
    pub(crate) fn say(&self, module: &Module, model: &str, variables: &Value) -> Option<String> {
        let own = self.own(module.key, model);
        let own = match own {
            Some((Said::Off, _)) => return None,
            Some((Said::Own, name)) => self.render(&name, variables),
            Some((Said::BuiltIn, _)) | None => None,
        };
        own.or_else(|| self.render(module.key, variables))
    }

    /// The text of a persona that administrators gave a name; `None` for others.
    pub(crate) fn persona(&self, persona: &str, model: &str) -> Option<String> {
        match self.own(&format!("{PERSONA}{persona}"), model)? {
            (Said::Own, name) => self.render(&name, &Value::from(())),
            _ => None,
        }
    }

    /// What administrators say of a key: of this model, or else of all.
    fn own(&self, key: &str, model: &str) -> Option<(Said, String)> {
        if self.said.is_empty() {
            return None;
        }
        [model, ""].into_iter().find_map(|model| {
            let said = self.said.get(&(key.to_owned(), model.to_owned()))?;
            Some((*said, name(key, model)))
        })
    }

    fn render(&self, name: &str, variables: &Value) -> Option<String> {
        let template = self.environment.get_template(name).ok()?;
        match sandbox::render_template(&template, variables) {
            Ok(text) => Some(text),
            Err(error) => {
                tracing::warn!(template = name, error, "A prompt template could not be filled in");
                None
            }
        }
    }
}

/// What a template is called in the environment. No key and no model has a line feed.
fn name(key: &str, model: &str) -> String {
    format!("{key}\n{model}")
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;
    use crate::prompt::module;

    fn row(key: &str, model: &str, enabled: bool, content: Option<&str>) -> ActivePromptTemplate {
        ActivePromptTemplate {
            key: key.to_owned(),
            model: model.to_owned(),
            enabled,
            content: content.map(str::to_owned),
        }
    }

    #[test]
    fn the_nearest_text_is_used() {
        let memory = module::find("memory").unwrap();
        let table = Table::new(vec![
            row("memory", "", true, Some("all: {{ memories }}")),
            row("memory", "a/b", true, Some("one: {{ memories }}")),
            row("memory", "off", false, Some("never")),
            row("memory", "plain", true, None),
            row("memory", "broken", true, Some("{{ memories.x.y }}")),
        ]);
        let say = |model| table.say(memory, model, &context! { memories => ["m"] });
        assert_eq!(say("a/b").unwrap(), "one: ['m']");
        assert_eq!(say("c").unwrap(), "all: ['m']");
        assert_eq!(say("off"), None);
        assert!(say("plain").unwrap().ends_with(":\n- m\n"));
        assert!(say("broken").unwrap().ends_with(":\n- m\n"), "what fails is replaced by what the server brings along");
    }

    #[test]
    fn personas_have_names() {
        let table =
            Table::new(vec![row("persona.pirate", "", true, Some("a pirate")), row("persona.off", "", false, None)]);
        assert_eq!(table.persona("pirate", "m").as_deref(), Some("a pirate"));
        assert_eq!((table.persona("off", "m"), table.persona("a nurse", "m")), (None, None));
    }
}
