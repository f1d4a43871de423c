//! The layers on top of each other, each value with where it came from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    Config, Flag, Origin, Problem, Problems,
    fields::{self, Kind},
    file::Found,
    validate,
};

/// Values under construction.
pub(crate) struct Layers {
    values: Value,
    origins: BTreeMap<String, Origin>,
    problems: Vec<Problem>,
    file: Option<PathBuf>,
}

/// A configuration that was read.
pub(crate) struct Settings {
    /// What to go by.
    pub config: Config,
    /// What was set by somebody, as it was set. Holds secrets.
    pub values: Value,
    origins: BTreeMap<String, Origin>,
    /// The file that was read, if one was there.
    pub file: Option<PathBuf>,
}

impl Settings {
    /// Where a field's value comes from.
    pub(crate) fn origin(&self, path: &str) -> &Origin {
        origin(&self.origins, path)
    }
}

/// The origin of `path`, or of the nearest thing around it.
fn origin<'a>(origins: &'a BTreeMap<String, Origin>, path: &str) -> &'a Origin {
    let mut path = path;
    loop {
        if let Some(origin) = origins.get(path) {
            return origin;
        }
        match path.rfind(['.', '[']) {
            Some(end) => path = &path[..end],
            None => return &Origin::Default,
        }
    }
}

impl Layers {
    pub(crate) fn new() -> Self {
        Self { values: Value::Object(Map::new()), origins: BTreeMap::new(), problems: Vec::new(), file: None }
    }

    /// Adds a file's values.
    pub(crate) fn add_file(&mut self, found: Found) {
        match found {
            Found::None => {}
            Found::Bad(path, what) => self.problem(None, Origin::File(path), what),
            Found::File(path, values) => {
                self.add_table("", values, &path);
                self.file = Some(path);
            }
        }
    }

    fn add_table(&mut self, prefix: &str, table: Map<String, Value>, file: &Path) {
        for (name, value) in table {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            let origin = Origin::File(file.to_owned());
            match (fields::schema_at(&path), value) {
                (None, _) => self.unknown(&path, prefix, origin),
                (Some(schema), Value::Object(inner)) if schema.get("properties").is_some() => {
                    self.add_table(&path, inner, file);
                }
                (Some(_), value) => {
                    self.check_tables(&path, &value, &origin);
                    self.put(&path, value, origin);
                }
            }
        }
    }

    /// Unknown keys within a list of tables.
    fn check_tables(&mut self, path: &str, value: &Value, origin: &Origin) {
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            let item_path = format!("{path}[{index}]");
            for name in item.as_object().into_iter().flat_map(Map::keys) {
                let inner = format!("{item_path}.{name}");
                if fields::schema_at(&inner).is_none() {
                    self.unknown(&inner, &item_path, origin.clone());
                }
            }
        }
    }

    fn unknown(&mut self, path: &str, around: &str, origin: Origin) {
        if !cfg!(feature = "embedded") && path.split('.').next() == Some("embedded") {
            self.problem(Some(path), origin, "this build runs no models itself: it was made without that feature");
            return;
        }
        let name = path.rsplit('.').next().unwrap_or(path);
        let siblings: Vec<&str> = fields::schema_at(around)
            .map(|schema| fields::properties(schema).map(|(name, _)| name.as_str()).collect())
            .unwrap_or_default();
        // The right name in the wrong section is as likely as a typo.
        let mut everywhere = fields::all().iter().map(|field| field.path.as_str());
        let near = fields::nearest(name, siblings.into_iter())
            .or_else(|| everywhere.find(|path| path.rsplit('.').next() == Some(name)));
        self.problem(Some(path), origin, no_such_setting(near));
    }

    /// Adds a flag's value.
    pub(crate) fn add_flag(&mut self, flag: Flag) {
        let origin = Origin::Flag(flag.name);
        match fields::field(flag.path).map(|field| field.kind) {
            Some(Kind::Tables) => self.push(flag.path, flag.value, origin),
            _ => self.put(flag.path, flag.value, origin),
        }
    }

    /// Sets the field at `path`; what was there is replaced.
    pub(crate) fn put(&mut self, path: &str, value: Value, origin: Origin) {
        let mut place = &mut self.values;
        for name in path.split('.') {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place = &mut place[name];
        }
        *place = value;
        self.origins.insert(path.to_owned(), origin);
    }

    /// Adds one table to the list at `path`.
    pub(crate) fn push(&mut self, path: &str, value: Value, origin: Origin) {
        let list = &mut self.values[path];
        if !list.is_array() {
            *list = Value::Array(Vec::new());
        }
        if let Some(list) = list.as_array_mut() {
            self.origins.insert(format!("{path}[{}]", list.len()), origin);
            list.push(value);
        }
    }

    pub(crate) fn problem(&mut self, field: Option<&str>, origin: Origin, what: impl Into<String>) {
        self.problems.push(Problem { field: field.map(str::to_owned), origin, what: what.into() });
    }

    /// Reads the values as a [`Config`] and checks what types cannot say.
    pub(crate) fn finish(mut self) -> Result<Settings, Problems> {
        let config = match serde_path_to_error::deserialize::<_, Config>(&self.values) {
            Ok(config) => config,
            Err(error) => {
                let path = error.path().to_string();
                // What is unknown was told already, and better.
                let told = self.problems.iter().any(|p| {
                    p.field.as_ref().is_some_and(|field| *field == path || field.starts_with(&format!("{path}.")))
                });
                if !told {
                    let what = describe(&path, &error.into_inner());
                    self.problem(Some(&path), origin(&self.origins, &path).clone(), what);
                }
                return Err(Problems(self.problems));
            }
        };
        for (path, what) in validate::check(&config) {
            let from = origin(&self.origins, &path).clone();
            self.problem(Some(&path), from, what);
        }
        if !self.problems.is_empty() {
            return Err(Problems(self.problems));
        }
        let mut settings = Settings { config, values: self.values, origins: self.origins, file: self.file };
        settings.follow_data_dir();
        settings.follow_gateway();
        Ok(settings)
    }
}

impl Settings {
    /// The SQLite file lies in the data directory unless somebody put it elsewhere.
    fn follow_data_dir(&mut self) {
        if *self.origin("database.path") == Origin::Default {
            self.config.database.path = self.config.server.data_dir.join("jan.db");
        }
    }

    /// Clients come to the gateway unless somebody says otherwise. A port that is another one at each start is nothing to
    /// name in tokens: then the default stays.
    fn follow_gateway(&mut self) {
        let port = self.config.ports.gateway;
        if port != 0 && *self.origin("server.public_url") == Origin::Default {
            self.config.server.public_url = format!("http://localhost:{port}");
        }
    }
}

/// What is said of a setting that is none, and is perhaps the mistyped `near`.
pub(super) fn no_such_setting(near: Option<&str>) -> String {
    match near {
        Some(near) => format!("there is no such setting; did you mean `{near}`?"),
        None => "there is no such setting; `jan-server config show` lists all".to_owned(),
    }
}

/// The error in words, without the value where that is a secret.
fn describe(path: &str, error: &serde_json::Error) -> String {
    if fields::is_secret_at(path) {
        return "the value is no text".to_owned();
    }
    error.to_string()
}
