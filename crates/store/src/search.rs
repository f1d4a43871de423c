//! Finding conversations by the words of their titles and messages: the one place that knows two full-text indexes.
//!
//! Both databases are given words that are taken apart here, so that both find the same: SQLite's FTS5 and PostgreSQL's
//! `tsvector` would each have their own idea of a word, and none for scripts without spaces. Such scripts are kept as
//! pairs of characters. Every entry also holds its owner as a word, which lets the index leave other people's out; who
//! may see what is decided by the tables.

use std::{collections::HashSet, ops::ControlFlow};

use domain::ids::UserId;
use rusqlite::Connection;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::{
    Reader, Result, Store, Tx,
    engine::Conn,
    row::{self, row},
    sqlite,
    statement::{Statement, query},
    text,
};

/// Different words of one text that are kept.
const MOST_TERMS: usize = 5_000;
/// Characters of a text whose words are kept.
const MOST_CHARACTERS: usize = 200_000;
/// Words of a question that are looked for, and pairs of characters of scripts without spaces.
const MOST_ASKED: usize = 32;
/// Bytes of a word that are kept.
const LONGEST_TERM: usize = 64;

/// Rows whose texts are put into SQLite's index in one transaction, and bytes of them: others wait for it.
const MOST_DUE: usize = 256;
const MOST_DUE_BYTES: usize = 1024 * 1024;

const DONE: &str = "DELETE FROM conversation_search_due WHERE user_id = $1 AND entry = $2";
/// Statements about what is due, of everybody and of one owner (`$1`).
struct Due {
    is_there: &'static str,
    /// Each with the title or the body that it is about; with neither when that is gone.
    next: &'static str,
}

macro_rules! due {
    ($($of:literal)?) => {
        Due {
            is_there: concat!("SELECT EXISTS (SELECT 1 FROM conversation_search_due d ", $($of,)? ")"),
            next: concat!(
                "SELECT d.user_id, d.entry, COALESCE(c.title, CASE WHEN c.key IS NOT NULL THEN '' END) AS title, i.body
                FROM conversation_search_due d
                    LEFT JOIN conversations c ON d.entry % 2 = 0 AND c.key = d.entry / 2
                    LEFT JOIN conversation_items i ON d.entry % 2 = 1 AND i.key = d.entry / 2 ",
                $($of,)?
                "ORDER BY d.user_id, d.entry"
            ),
        }
    };
}
const OF_ALL: Due = due!();
const OF_ONE: Due = due!("WHERE d.user_id = $1 ");

/// What entries of the index are of.
#[derive(PartialEq, Eq)]
struct Subject {
    /// What is added to twice a row's number: so titles and items share the numbers of entries that are due.
    mark: i64,
    // An entry of FTS5 is replaced as a row is; `rowid` is the row's number there.
    sqlite: &'static str,
    table: &'static str,
    key: &'static str,
}

const TITLE: Subject = Subject {
    mark: 0,
    sqlite: "INSERT OR REPLACE INTO conversation_search (rowid, terms) VALUES ($1, $2)",
    table: "conversation_search",
    key: "conversation",
};
const ITEM: Subject = Subject {
    mark: 1,
    sqlite: "INSERT OR REPLACE INTO conversation_item_search (rowid, terms) VALUES ($1, $2)",
    table: "conversation_item_search",
    key: "item",
};

/// Entries that one statement writes, or puts down as due.
const ROWS: usize = 32;

/// By what a conversation is to be found.
pub(crate) struct Entry<'a> {
    subject: &'static Subject,
    key: i64,
    text: &'a str,
}

impl<'a> Entry<'a> {
    /// By its title; `key` is the conversation's row.
    pub(crate) fn title(key: i64, title: &'a str) -> Self {
        Self { subject: &TITLE, key, text: title }
    }

    /// By the text of one of its items, which is what the item's body says; `key` is the item's row.
    pub(crate) fn item(key: i64, text: &'a str) -> Self {
        Self { subject: &ITEM, key, text }
    }

    /// Its number among those that are due.
    fn number(&self) -> i64 {
        2 * self.key + self.subject.mark
    }
}

impl Tx {
    /// Makes the owner's conversations findable. On SQLite it is put down that the entries are to be written, with many
    /// others ([`Store::index_due`]): by themselves that costs many times what it costs to keep the texts.
    pub(crate) async fn index(&mut self, owner: &UserId, entries: &[Entry<'_>]) -> Result<()> {
        if self.is_postgres() {
            return self.index_now(owner, entries).await;
        }
        for some in entries.chunks(ROWS) {
            let rows = (2..some.len() + 2).map(|at| format!("($1, ${at})")).collect::<Vec<_>>().join(", ");
            let due =
                format!("INSERT INTO conversation_search_due (user_id, entry) VALUES {rows} ON CONFLICT DO NOTHING");
            let due = query(due).bind(owner.as_str());
            some.iter().fold(due, |due, entry| due.bind(entry.number())).execute(self).await?;
        }
        Ok(())
    }

    async fn index_now(&mut self, owner: &UserId, entries: &[Entry<'_>]) -> Result<()> {
        for some in entries.chunks(ROWS) {
            let mut at = 0;
            let writes = some.chunk_by(|one, next| one.subject == next.subject).map(|same| {
                let Subject { table, key, .. } = same[0].subject;
                let rows = same.iter().map(|_| {
                    at += 2;
                    format!("(${}, array_to_tsvector(${at}))", at - 1)
                });
                let rows = rows.collect::<Vec<_>>().join(", ");
                format!(
                    "INSERT INTO {table} ({key}, terms) VALUES {rows}
                    ON CONFLICT ({key}) DO UPDATE SET terms = excluded.terms"
                )
            });
            // A title and messages are written in one journey: what stands before the last is done with it.
            let mut writes: Vec<String> = writes.collect();
            let last = writes.pop().unwrap_or_default();
            let before = writes.iter().enumerate().map(|(nth, write)| format!("part_{nth} AS ({write})"));
            let before = before.collect::<Vec<_>>().join(", ");
            let write = if before.is_empty() { last } else { format!("WITH {before} {last}") };
            let terms: Vec<_> = some.iter().map(|entry| terms(owner, entry.text)).collect();
            let rows = some.iter().zip(&terms);
            let write = rows.fold(query(write), |write, (entry, terms)| {
                write.bind(entry.key).bind(terms.iter().map(String::as_str).collect::<Vec<_>>())
            });
            write.execute(self).await?;
        }
        Ok(())
    }

    /// Makes a conversation findable by the texts of one of its items, which has several.
    pub(crate) async fn index_item_by(&mut self, owner: &UserId, key: i64, texts: &str) -> Result<()> {
        let entry = Entry::item(key, texts);
        if self.is_postgres() {
            return self.index_now(owner, &[entry]).await;
        }
        query(DONE).bind(owner.as_str()).bind(entry.number()).execute(self).await?;
        query(ITEM.sqlite).bind(key).bind(line(owner, texts)).execute(self).await.map(drop)
    }
}

impl Store {
    /// Makes everything of the owner's findable that was written before this was called.
    pub async fn catch_up_index(&self, owner: &UserId) -> Result<()> {
        if self.has_due(Some(owner)).await? {
            while self.index_due(Some(owner)).await? {}
        }
        Ok(())
    }

    /// Writes some of the entries of the index that are due, of everybody or of one owner; says whether there are more.
    /// On PostgreSQL nothing ever is.
    pub async fn index_due(&self, owner: Option<&UserId>) -> Result<bool> {
        self.check_migrated()?;
        // Not counted among the writes: it waits for those.
        let mut tx = Tx(Reader(self.0.engine.write().await?));
        let Conn::Sqlite(connection) = tx.conn() else { return Ok(false) };
        let is_more = sqlite::blocking(|| index_some(connection, owner))?;
        tx.commit().await?;
        Ok(is_more)
    }

    /// Whether entries of the index are due, of anybody or of one owner.
    pub async fn has_due(&self, owner: Option<&UserId>) -> Result<bool> {
        let mut reader = self.read().await?;
        if reader.is_postgres() { Ok(false) } else { due(owner, |due| due.is_there).fetch_one(&mut reader).await }
    }
}

fn due(owner: Option<&UserId>, pick: impl Fn(&Due) -> &'static str) -> Statement<'_> {
    match owner {
        Some(owner) => query(pick(&OF_ONE)).bind(owner.as_str()),
        None => query(pick(&OF_ALL)),
    }
}

row! {
    /// An entry that is due.
    struct DueRow {
        user_id: String,
        entry: i64,
        title: Option<String>,
        body: Option<String>,
    }
}

/// Writes some of the entries that are due; says whether there are more.
fn index_some(connection: &Connection, owner: Option<&UserId>) -> Result<bool> {
    let (mut entries, mut read) = (Vec::new(), row::reader::<DueRow>());
    let (mut bytes, mut is_more) = (0, false);
    sqlite::each_row(connection, due(owner, |due| due.next).bound(), |row| {
        is_more = entries.len() == MOST_DUE || bytes >= MOST_DUE_BYTES;
        if is_more {
            return Ok(ControlFlow::Break(()));
        }
        let entry = read(&row)?;
        bytes += [&entry.title, &entry.body].into_iter().flatten().map(String::len).sum::<usize>();
        entries.push(entry);
        Ok(ControlFlow::Continue(()))
    })?;
    for DueRow { user_id, entry, title, body } in &entries {
        let owner = text::id(user_id, "conversation_search_due.user_id")?;
        let written = match (title, body) {
            (Some(title), _) => Some((TITLE.sqlite, line(&owner, title))),
            (None, Some(body)) => Some((ITEM.sqlite, line(&owner, &wire::openai::items::texts(body)))),
            (None, None) => None,
        };
        if let Some((statement, terms)) = written {
            sqlite::execute(connection, query(statement).bind(entry / 2).bind(terms).bound())?;
        }
        sqlite::execute(connection, query(DONE).bind(user_id).bind(*entry).bound())?;
    }
    Ok(is_more)
}

/// A question to the index, in the words of both databases: `"§owner" AND "word" *` or `'§owner' & 'word':*`.
pub(crate) struct Query {
    sqlite: String,
    postgres: String,
}

impl Query {
    /// A question for texts of `owner` with all these words, or words that begin so. `None` when there is no word.
    pub(crate) fn new(owner: &UserId, text: &str) -> Option<Self> {
        let mut asked = words(text).flat_map(Word::asked).take(MOST_ASKED).peekable();
        asked.peek()?;
        let owner = owner_term(owner);
        let mut query = Self { sqlite: format!("\"{owner}\""), postgres: format!("'{owner}'") };
        for (term, is_beginning) in asked {
            // Terms are letters and digits, so there is nothing in them to escape.
            let (sqlite, postgres) = if is_beginning { (" *", ":*") } else { ("", "") };
            query.sqlite.extend([" AND \"", &term, "\"", sqlite]);
            query.postgres.extend([" & '", &term, "'", postgres]);
        }
        Some(query)
    }

    /// The question in the words of the database whose list it is put to.
    pub(crate) fn text(&self, is_postgres: bool) -> &str {
        if is_postgres { &self.postgres } else { &self.sqlite }
    }
}

/// What an entry holds: the owner, and the different words of the text.
fn terms(owner: &UserId, text: &str) -> HashSet<String> {
    let mut terms = HashSet::from([owner_term(owner)]);
    for word in words(text) {
        terms.extend(word.kept());
        if terms.len() > MOST_TERMS {
            break;
        }
    }
    terms
}

/// The same as SQLite takes it: with spaces between the words.
fn line(owner: &UserId, text: &str) -> String {
    terms(owner, text).iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// The owner as a word. No word of a text has this sign in it.
fn owner_term(owner: &UserId) -> String {
    format!("\u{a7}{}", owner.as_str().trim_start_matches(UserId::PREFIX))
}

/// A word of a text, or a run of characters of a script that does not part its words.
enum Word {
    Spaced(String),
    Run(Vec<char>),
}

impl Word {
    /// What is kept of it: the word itself; of a run each character with the one that follows, and the last alone.
    fn kept(self) -> Vec<String> {
        match self {
            Self::Spaced(word) => vec![word],
            Self::Run(run) => {
                let last = run.last().map(char::to_string);
                pairs(&run).chain(last).collect()
            }
        }
    }

    /// What is asked for, and whether that is how a word may begin.
    fn asked(self) -> Vec<(String, bool)> {
        match self {
            Self::Spaced(word) => vec![(word, true)],
            Self::Run(run) if run.len() == 1 => run.iter().map(|one| (one.to_string(), true)).collect(),
            Self::Run(run) => pairs(&run).map(|pair| (pair, false)).collect(),
        }
    }
}

fn pairs(run: &[char]) -> impl Iterator<Item = String> {
    run.windows(2).map(|pair| pair.iter().collect())
}

/// The words of a text, in small letters and without accents.
fn words(text: &str) -> Box<dyn Iterator<Item = Word> + '_> {
    if text.is_ascii() {
        // There is nothing to take apart, which takes four times as long as all the rest.
        return Box::new(words_of(text.bytes().map(|byte| char::from(byte.to_ascii_lowercase()))));
    }
    Box::new(words_of(text.nfkd().flat_map(char::to_lowercase).filter(|letter| !is_accent(*letter))))
}

fn words_of(letters: impl Iterator<Item = char>) -> impl Iterator<Item = Word> {
    let mut letters = letters.take(MOST_CHARACTERS).peekable();
    std::iter::from_fn(move || {
        while letters.next_if(|letter| !is_part_of_word(*letter)).is_some() {}
        let first = *letters.peek()?;
        if is_unspaced(first) {
            let mut run = Vec::new();
            while let Some(letter) = letters.next_if(|letter| is_unspaced(*letter)) {
                run.push(letter);
            }
            return Some(Word::Run(run));
        }
        let mut word = String::new();
        while let Some(letter) = letters.next_if(|letter| is_part_of_word(*letter) && !is_unspaced(*letter)) {
            if word.len() + letter.len_utf8() <= LONGEST_TERM {
                word.push(letter);
            }
        }
        Some(Word::Spaced(word))
    })
}

fn is_part_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || is_combining_mark(letter)
}

/// Accents of European scripts; the marks of others are letters to their readers.
fn is_accent(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}')
}

/// Whether the script has no spaces between words: Thai to Burmese, Khmer, Kana, Han.
fn is_unspaced(letter: char) -> bool {
    matches!(letter, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        && is_part_of_word(letter)
}

#[cfg(test)]
mod tests {
    use domain::Clock;

    use super::*;

    fn kept(text: &str) -> Vec<String> {
        words(text).flat_map(Word::kept).collect()
    }

    #[test]
    fn words_are_folded() {
        assert_eq!(kept("  Caf\u{e9} DE_FLORE, caf\u{65}\u{301} 2x4!"), ["cafe", "de", "flore", "cafe", "2x4"]);
        assert_eq!(kept("\u{421}\u{427}\u{401}\u{422} \u{fb01}n"), ["\u{441}\u{447}\u{435}\u{442}", "fin"]);
        assert_eq!(kept("\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}"), ["\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}"]);
        assert_eq!(kept("Caf\u{e9}-BAR 2X4!"), kept("Cafe-BAR 2X4!"));
        assert_eq!(kept(" !? "), [] as [&str; 0]);
        assert_eq!(kept(&"x".repeat(10_000)), ["x".repeat(LONGEST_TERM)]);
    }

    #[test]
    fn runs_are_kept_in_pairs() {
        assert_eq!(kept("\u{6771}\u{4eac}\u{90fd}a"), ["\u{6771}\u{4eac}", "\u{4eac}\u{90fd}", "\u{90fd}", "a"]);
    }

    #[test]
    fn questions_have_the_owner_and_each_word() {
        let owner = UserId::new(&Clock::System);
        let query = Query::new(&owner, "Tax \u{6771}\u{4eac}").unwrap();
        let id = owner.as_str().trim_start_matches("user_");
        assert_eq!(query.text(false), format!("\"\u{a7}{id}\" AND \"tax\" * AND \"\u{6771}\u{4eac}\""));
        assert_eq!(query.text(true), format!("'\u{a7}{id}' & 'tax':* & '\u{6771}\u{4eac}'"));
        assert!(Query::new(&owner, "' OR 1 \" *").is_some_and(|query| query.text(true).ends_with("& 'or':* & '1':*")));
        assert!(Query::new(&owner, "\u{a7} !").is_none());
        for many in ["\u{6771}\u{4eac}\u{90fd}".repeat(1_000), "tax ".repeat(1_000)] {
            let query = Query::new(&owner, &many).unwrap();
            assert_eq!(query.text(false).matches(" AND ").count(), MOST_ASKED);
            assert_eq!(query.text(true).matches(" & ").count(), MOST_ASKED);
        }
    }

    #[test]
    fn an_entry_is_bounded() {
        let many = (0..20_000).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
        let owner = UserId::new(&Clock::System);
        assert!(terms(&owner, &many).len() <= MOST_TERMS + 1);
        let long = "\u{6771}\u{4eac}\u{90fd}\u{5e02}".repeat(50_000);
        assert!(terms(&owner, &long).len() <= MOST_TERMS + 1);
    }
}
