//! How SQLite goes about a statement: on a request's path along an index, or not at all (ADR 10).
//!
//! Every statement is judged before it first runs, in debug builds, and so in every test: no new one escapes. SQLite's
//! program for it is read, not its rows, so that an empty table tells as much as a full one.

use std::{
    collections::{HashMap, HashSet},
    sync::{LazyLock, Mutex, PoisonError},
};

use rusqlite::{Connection, StatementStatus};

use crate::sqlite::Bound;

/// Tables and indexes that any statement may read from end to end.
const SHORT: [(&str, &str); 6] = [
    ("conversation_search_due", "what is due is taken from its beginning, so much at a time"),
    ("prompt_templates", "there are so many at most, and readers remember them"),
    ("samples", "the first row is read"),
    ("schema_migrations", "one of each version, and its end is read"),
    ("signing_keys", "one of each server, and of those before it that still count"),
    ("users_admins", "few administer a server"),
];

/// Parts of statements that may read longer ones, if they are marked as long.
const LONG: [(&str, &str); 5] = [
    ("FROM audit_logs WHERE TRUE ORDER BY id", "a page of the whole log: it ends with the page"),
    ("OR COALESCE(username_folded, username) LIKE", "an administrator looks for a part of a name, which no index has"),
    (r#"FROM users u WHERE u.roles = '["guest"]'"#, "clean-up of guests, so many at a time, along their own index"),
    (r#"FROM users WHERE roles = '["guest"]' LIMIT"#, "guests are counted once a minute, as far as there may be"),
    ("FROM shares s JOIN share_", "clean-up of what is shared no more"),
];

/// What the statement would read from end to end though it must not. It is judged until it is found to be good.
pub(crate) fn undue_scan(connection: &Connection, statement: Bound<'_, '_>) -> Option<String> {
    static GOOD: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
    let mut good = GOOD.lock().unwrap_or_else(PoisonError::into_inner);
    let may = || statement.is_long && LONG.iter().any(|(part, _)| statement.sql.contains(part));
    if good.contains(statement.sql) || may() {
        return None;
    }
    // One that cannot be explained cannot be run, which is for it to say, and may be later, when its table is there.
    let scan = scans(connection, statement.sql).ok()?.into_iter().next();
    if scan.is_none() {
        good.insert(statement.sql.to_owned());
    }
    scan
}

/// The tables and indexes that a statement reads from end to end, without the short ones.
fn scans(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    /// Steps along a cursor that nothing leads to a place, as SQLite counts them.
    const WHOLE: [i64; 2] = [StatementStatus::FullscanStep as i64, StatementStatus::AutoIndex as i64];
    let mut program = connection.prepare(&format!("EXPLAIN {sql}"))?;
    let (mut rows, mut roots, mut found) = (program.raw_query(), HashMap::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (opcode, cursor): (String, i64) = (row.get("opcode")?, row.get("p1")?);
        match &*opcode {
            // The actions of foreign keys are programs of their own.
            "Init" => roots.clear(),
            "OpenRead" | "OpenWrite" => _ = roots.insert(cursor, row.get::<_, i64>("p2")?),
            "Count" => found.extend(roots.get(&cursor)),
            "Next" | "Prev" if WHOLE.contains(&row.get("p5")?) => found.extend(roots.get(&cursor)),
            _ => {}
        }
    }
    let mut names = connection.prepare("SELECT name, tbl_name FROM sqlite_schema WHERE rootpage = $1")?;
    let name = |root: &i64| names.query_row([root], |row| Ok((row.get(0)?, row.get(1)?)));
    let is_short = |name: &str| SHORT.iter().any(|(short, _)| *short == name);
    let found = found.iter().map(name).collect::<rusqlite::Result<Vec<(String, String)>>>()?;
    Ok(found.into_iter().filter(|(name, table)| !is_short(name) && !is_short(table)).map(|(name, _)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_from_end_to_end_is_seen() {
        let connection = Connection::open_in_memory().unwrap();
        let schema = "PRAGMA foreign_keys = ON;
            CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT, roles TEXT) STRICT;
            CREATE INDEX users_admins ON users (id) WHERE roles = 'admin';
            CREATE TABLE samples (id TEXT PRIMARY KEY) STRICT;
            CREATE TABLE keys (id INTEGER PRIMARY KEY, owner TEXT) STRICT;
            CREATE INDEX keys_owner ON keys (owner);
            CREATE TABLE notes (id INTEGER PRIMARY KEY, owner TEXT REFERENCES users (id) ON DELETE CASCADE) STRICT;";
        connection.execute_batch(schema).unwrap();
        for (sql, found) in [
            ("SELECT id FROM users WHERE id = $1", None),
            ("SELECT k.id FROM users u JOIN keys k ON k.owner = u.id WHERE u.id = $1", None),
            ("WITH few AS MATERIALIZED (SELECT id FROM users WHERE id > $1 LIMIT 3) SELECT * FROM few f", None),
            ("SELECT COUNT(*) FROM users WHERE roles = 'admin'", None),
            ("SELECT COUNT(*) FROM samples", None),
            ("DELETE FROM keys WHERE owner = $1", None),
            ("SELECT id FROM users AS u WHERE name = $1", Some("users")),
            ("SELECT COUNT(*) FROM keys", Some("keys")),
            ("SELECT owner FROM keys ORDER BY owner DESC LIMIT 1 OFFSET $1", Some("keys_owner")),
            ("SELECT 1 FROM users u WHERE id = $1 AND EXISTS (SELECT 1 FROM notes WHERE owner = u.id)", Some("notes")),
            ("UPDATE users SET name = $1 WHERE name = $2", Some("users")),
            ("DELETE FROM users WHERE id = $1", Some("notes")),
        ] {
            assert_eq!(scans(&connection, sql).unwrap().first().map(String::as_str), found, "{sql}");
        }
    }
}
