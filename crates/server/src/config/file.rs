//! The configuration file.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// What there is of a file.
pub(crate) enum Found {
    /// Nothing, and nobody asked for one.
    None,
    /// A file that cannot be read, and why.
    Bad(PathBuf, String),
    /// Its values.
    File(PathBuf, Map<String, Value>),
}

/// The file that was named; else `jan.toml` in the data directory, else the one in the working directory.
pub(crate) fn find(named: Option<PathBuf>, data_dir: &Path) -> Found {
    match named {
        Some(path) => read(path),
        None => [data_dir.join("jan.toml"), PathBuf::from("jan.toml")]
            .into_iter()
            .find(|path| path.exists())
            .map_or(Found::None, read),
    }
}

fn read(path: PathBuf) -> Found {
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return Found::Bad(path, format!("cannot be read: {error}")),
    };
    match toml::from_str::<Map<String, Value>>(&text) {
        Ok(values) => Found::File(path, values),
        // The library's full text shows the line, which may hold a key.
        Err(error) => {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let message = error.message().lines().next().unwrap_or_default().to_owned();
            Found::Bad(path, format!("line {line} is no TOML: {message}"))
        }
    }
}
