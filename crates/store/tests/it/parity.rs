//! Both databases have the same schema: tables, columns with their kind and nullability, unique keys, references.

use sqlx::{Connection, PgConnection};
use testkit::database::Database;

use crate::support::open;

/// One line for each column: table, column, kind, whether it may be null.
const SQLITE_COLUMNS: &str = "
    SELECT m.name || '.' || c.name || ' ' || lower(c.type) || CASE WHEN c.\"notnull\" = 1 THEN ' not null' ELSE '' END
    FROM sqlite_master m, pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1";
const POSTGRES_COLUMNS: &str = "
    SELECT table_name || '.' || column_name || ' ' || data_type || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1";

/// One line for each unique key, the primary one included: table and columns in order.
const SQLITE_UNIQUE: &str = "
    SELECT DISTINCT m.name || ' (' || (SELECT group_concat(i.name, ', ') FROM pragma_index_info(l.name) i) || ')'
    FROM sqlite_master m, pragma_index_list(m.name) l
    WHERE m.type = 'table' AND l.\"unique\" = 1
    UNION
    SELECT m.name || ' (' || c.name || ')' FROM sqlite_master m, pragma_table_info(m.name) c
    WHERE m.type = 'table' AND c.pk = 1
        AND NOT EXISTS (SELECT 1 FROM pragma_table_info(m.name) x WHERE x.pk = 2)
    ORDER BY 1";
const POSTGRES_UNIQUE: &str = "
    SELECT DISTINCT t.relname || ' (' || (
        SELECT string_agg(a.attname, ', ' ORDER BY k.place)
        FROM unnest(x.indkey) WITH ORDINALITY AS k (attnum, place)
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum) || ')'
    FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE x.indisunique AND n.nspname = 'public' ORDER BY 1";

/// One line for each index that is there for speed.
const SQLITE_INDEXES: &str = "
    SELECT l.name || ' ' || m.name || ' (' || (SELECT group_concat(i.name, ', ') FROM pragma_index_info(l.name) i) || ')'
    FROM sqlite_master m, pragma_index_list(m.name) l
    WHERE m.type = 'table' AND l.\"unique\" = 0 ORDER BY 1";
const POSTGRES_INDEXES: &str = "
    SELECT i.relname || ' ' || t.relname || ' (' || (
        SELECT string_agg(a.attname, ', ' ORDER BY k.place)
        FROM unnest(x.indkey) WITH ORDINALITY AS k (attnum, place)
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum) || ')'
    FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE NOT x.indisunique AND n.nspname = 'public' ORDER BY 1";

/// One line for each reference: table and column, what it refers to, what happens when that goes.
const SQLITE_REFERENCES: &str = "
    SELECT m.name || '.' || f.\"from\" || ' -> ' || f.\"table\" || '.' || f.\"to\" || ' ' || lower(f.on_delete)
    FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY 1";
const POSTGRES_REFERENCES: &str = "
    SELECT k.table_name || '.' || k.column_name || ' -> ' || u.table_name || '.' || u.column_name || ' '
        || lower(r.delete_rule)
    FROM information_schema.referential_constraints r
    JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name)
    JOIN information_schema.constraint_column_usage u USING (constraint_schema, constraint_name)
    WHERE r.constraint_schema = 'public' ORDER BY 1";

/// PostgreSQL's kinds of columns as SQLite's strict tables write them. A kind that is not here is not used.
const KINDS: [(&str, &str); 5] =
    [("bigint", "integer"), ("boolean", "integer"), ("bytea", "blob"), ("jsonb", "text"), ("text", "text")];

/// The one table that is not made by a migration, and by the same text on both.
const OURS: &str = "schema_migrations.";

/// What only one of the two has: the words of conversations, with the tables that FTS5 makes for itself.
fn is_of_search(line: &str) -> bool {
    line.contains("conversation_search") || line.contains("conversation_item_search")
}

fn translate(column: &str) -> String {
    let (name, rest) = column.split_once(' ').unwrap();
    let (kind, null) = rest.strip_suffix(" not null").map_or((rest, ""), |kind| (kind, " not null"));
    let known = KINDS.iter().find(|(postgres, _)| *postgres == kind);
    let (_, kind) = known.unwrap_or_else(|| panic!("{column}: this kind of column has no equal in SQLite"));
    format!("{name} {kind}{null}")
}

fn lines(connection: &rusqlite::Connection, query: &str) -> Vec<String> {
    let mut statement = connection.prepare(query).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn both_catalogues_say_the_same() {
    let (sqlite, postgres) = (Database::sqlite(), Database::postgres().await);
    open(&sqlite).await.close().await;
    open(&postgres).await.close().await;
    let lite = rusqlite::Connection::open(sqlite.file().unwrap()).unwrap();
    let mut post = PgConnection::connect(&postgres.url).await.unwrap();

    let mut ours: Vec<String> = lines(&lite, SQLITE_COLUMNS);
    let theirs: Vec<String> = sqlx::query_scalar(POSTGRES_COLUMNS).fetch_all(&mut post).await.unwrap();
    let shared = theirs.iter().filter(|column| !is_of_search(column));
    let mut theirs: Vec<String> = shared.map(|column| translate(column)).collect();
    for columns in [&mut ours, &mut theirs] {
        columns.retain(|column| !column.starts_with(OURS) && !is_of_search(column));
        columns.sort();
    }
    assert!(ours.contains(&"users.email text".to_owned()), "{ours:#?}");
    assert_eq!(ours, theirs);

    for (in_sqlite, in_postgres, sample) in [
        (SQLITE_UNIQUE, POSTGRES_UNIQUE, "users (issuer, subject)"),
        (SQLITE_INDEXES, POSTGRES_INDEXES, "api_keys_owner api_keys (user_id, id)"),
        (SQLITE_REFERENCES, POSTGRES_REFERENCES, "sessions.user_id -> users.id cascade"),
    ] {
        let mut ours: Vec<String> = lines(&lite, in_sqlite);
        let mut theirs: Vec<String> = sqlx::query_scalar(in_postgres).fetch_all(&mut post).await.unwrap();
        for lines in [&mut ours, &mut theirs] {
            lines.retain(|line| !is_of_search(line));
            lines.sort();
        }
        assert!(ours.contains(&sample.to_owned()), "{ours:#?}");
        assert_eq!(ours, theirs);
    }
}

#[tokio::test]
async fn sqlite_tables_are_strict() {
    let database = Database::sqlite();
    open(&database).await.close().await;
    let connection = rusqlite::Connection::open(database.file().unwrap()).unwrap();
    let lax = lines(
        &connection,
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0
         AND name NOT LIKE 'sqlite_%' AND name <> 'schema_migrations'",
    );
    assert_eq!(lax, [] as [&str; 0], "`STRICT` is missing");
}
