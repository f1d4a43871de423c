//! What is generated from the fields: `docs/reference/config.md`, `config/default.toml`, `config/schema.json`.

use std::fmt::Write;

use serde_json::Value;

use super::{
    aliases::{ALIASES, UPSTREAM_ALIASES},
    environment::variable,
    fields::{self, Field, Kind},
    show::toml_value,
};

const HEAD: &str = "\
# Configuration

`jan-server serve` needs none. What is set anyway is taken from, the later winning: the defaults, one TOML file, the
environment, the flags. The file is the one named with `--config`, else `jan.toml` in the data directory, else `jan.toml`
in the working directory; the first line that the server writes says which was read.

The variable of a setting is `JAN_`, its section, two underscores and its name in capitals; lists have commas between
their items; times may be written `90s`, `5m`, `2h`. An empty variable counts as absent. An unknown setting is an error.

`jan-server config check` says what is wrong and where it stands, `jan-server config show` what is in effect and where it
comes from, with secrets masked. `config/default.toml` has everything with its default, to copy from.
";

/// The reference page.
pub(crate) fn markdown() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for field in fields::all() {
        let around = field.path.rsplit_once('.').map_or(field.path.as_str(), |(around, _)| around);
        if around != section {
            section = around;
            let about = fields::schema_at(section).map(fields::about).unwrap_or_default();
            let brackets = if field.kind == Kind::Tables { ("[[", "]]") } else { ("[", "]") };
            _ = write!(text, "\n## `{}{section}{}`\n\n{}\n\n", brackets.0, brackets.1, one_line(&about));
            text.push_str("| setting | default | variable | what it is |\n|---|---|---|---|\n");
        }
        if field.kind == Kind::Tables {
            write_item_fields(&mut text, field);
        } else {
            write_row(&mut text, field);
        }
    }
    write_aliases(&mut text);
    text
}

fn write_row(text: &mut String, field: &Field) {
    let name = field.path.rsplit('.').next().unwrap_or(&field.path);
    let secret = if field.secret { " A secret." } else { "" };
    let variable = variable(&field.path);
    let default = default_text(field);
    _ = writeln!(text, "| `{name}` | {default} | `{variable}` | {}{secret} |", one_line(&field.about));
}

fn write_item_fields(text: &mut String, field: &Field) {
    let Some(items) = fields::schema_at(&field.path).and_then(|schema| schema.get("items")) else { return };
    for (name, schema) in fields::properties(items) {
        let secret = if fields::is_secret_at(&format!("{}[0].{name}", field.path)) { " A secret." } else { "" };
        _ = writeln!(text, "| `{name}` | | | {}{secret} |", one_line(&fields::about(schema)));
    }
    _ = writeln!(
        text,
        "\n`JAN_UPSTREAMS` adds some: `URL[,KEY]`, with blanks between them. So does `--upstream URL[,KEY]`, but other users \
         of the machine can read a command line."
    );
}

fn write_aliases(text: &mut String) {
    text.push_str("\n## Other variables\n\nAlso understood; the `JAN_` variable of the same setting wins.\n\n");
    text.push_str("| variable | setting |\n|---|---|\n");
    for alias in ALIASES {
        _ = writeln!(text, "| `{}` | `{}` |", alias.name, alias.path);
    }
    for alias in UPSTREAM_ALIASES {
        _ = writeln!(text, "| `{}`, `{}` | an upstream `{}` and its key |", alias.url, alias.key, alias.name);
    }
}

fn default_text(field: &Field) -> String {
    match (&field.default, field.path.as_str()) {
        (_, "database.path") => "`jan.db` in the data directory".to_owned(),
        (Value::Null, _) => "none".to_owned(),
        (value, _) => format!("`{}`", toml_value(value)),
    }
}

/// Everything with its default, commented out, to copy from.
pub(crate) fn default_file() -> String {
    let mut text =
        "# Every setting with its default. Copy what you change to jan.toml in the data directory.\n".to_owned();
    let mut section = "";
    for field in fields::all() {
        let (around, name) = field.path.rsplit_once('.').unwrap_or((&field.path, ""));
        if around != section {
            section = around;
            let about = fields::schema_at(section).map(fields::about).unwrap_or_default();
            _ = writeln!(text, "\n{}", comment(&about));
            match field.kind {
                Kind::Tables => _ = writeln!(text, "# [[{section}]]"),
                _ => _ = writeln!(text, "[{section}]"),
            }
        }
        if field.kind == Kind::Tables {
            write_items(&mut text, field);
            continue;
        }
        _ = writeln!(text, "{}", comment(&format!("{} ({})", field.about, field.kind.name())));
        match &field.default {
            Value::Null => _ = writeln!(text, "# {name} ="),
            value => _ = writeln!(text, "# {name} = {}", toml_value(value)),
        }
    }
    text
}

fn write_items(text: &mut String, field: &Field) {
    let Some(items) = fields::schema_at(&field.path).and_then(|schema| schema.get("items")) else { return };
    for (name, schema) in fields::properties(items) {
        _ = writeln!(text, "{}\n# {name} =", comment(&fields::about(schema)));
    }
}

/// The schema of the file, for editors.
pub(crate) fn schema() -> String {
    format!("{:#}\n", fields::schema())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn comment(text: &str) -> String {
    text.lines().map(|line| format!("# {}", line.trim())).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_is_toml_and_says_what_the_code_says() {
        let commented = default_file();
        // Take the comment off every setting that has a default: the file then sets everything to what it is anyway.
        let is_setting = |line: &str| {
            line.split_once(" = ").is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            })
        };
        let lines = commented.lines().map(|line| match line.strip_prefix("# ") {
            Some(setting) if is_setting(setting) => setting,
            _ => line,
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        let set: super::super::Config = toml::from_str(&text).unwrap();
        assert_eq!(format!("{set:?}"), format!("{:?}", super::super::Config::default()));
        assert!(text.contains("\nllm_api = 8080"), "{text}");
    }

    #[test]
    fn the_page_names_every_field_and_variable() {
        let page = markdown();
        for field in fields::all().iter().filter(|field| field.kind != Kind::Tables) {
            assert!(page.contains(&variable(&field.path)), "{}", field.path);
        }
    }
}
