//! What a file of conversations holds, one value after the other: never more of it in memory than one.

use std::{
    cell::Cell,
    fmt,
    fs::File,
    io::{BufRead, BufReader, Error as IoError, ErrorKind, Read, Result as IoResult, Seek},
    rc::Rc,
};

use domain::{Error, Result};
use serde::{
    Deserializer as _,
    de::{SeqAccess, Visitor},
};
use serde_json::{Deserializer, value::RawValue};
use zip::ZipArchive;

/// What is read at once.
const BUFFER: usize = 64 * 1024;
/// How a zip file begins (APPNOTE 4.3.7).
const ZIP: &[u8] = b"PK\x03\x04";
const NOT_JSON: &str = "The file is not whole, or not JSON";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Hands over the values of a file, until `each` wants no more: those of JSON Lines, or of a JSON array, or of the arrays in
/// the files `conversations….json` of a zip file. None may have more than `most` bytes.
///
/// # Errors
/// `invalid_file` when it holds something else, or ends within a value.
pub(super) fn values(mut file: File, most: u64, mut each: impl FnMut(Box<RawValue>) -> bool) -> Result<()> {
    let mut start = Vec::new();
    Read::by_ref(&mut file)
        .take(ZIP.len() as u64)
        .read_to_end(&mut start)
        .map_err(invalid_as("The file cannot be read"))?;
    file.rewind().map_err(invalid_as("The file cannot be read"))?;
    if start != ZIP {
        return json(file, most, &mut each).map(drop);
    }
    let mut archive = ZipArchive::new(file).map_err(invalid_as("The zip file cannot be read"))?;
    let names = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned()));
    let mut names: Vec<String> = names.filter(|name| is_conversations(name)).collect();
    if names.is_empty() {
        return Err(invalid("The zip file holds no conversations.json."));
    }
    names.sort_unstable();
    for name in names {
        let entry = archive.by_name(&name).map_err(invalid_as("The zip file cannot be read"))?;
        if !json(entry, most, &mut each)? {
            break;
        }
    }
    Ok(())
}

/// Large archives have the conversations in several files.
fn is_conversations(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let stem = name.strip_suffix(".json").unwrap_or_default();
    let number = stem.strip_prefix("conversations").map(|rest| rest.trim_start_matches(['-', '_']));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Hands over the values of a text; `false` when no more are wanted.
fn json(text: impl Read, most: u64, each: &mut impl FnMut(Box<RawValue>) -> bool) -> Result<bool> {
    // What is read ahead counts for the value before.
    let most = most.saturating_add(BUFFER as u64);
    let left = Rc::new(Cell::new(most));
    let mut text = BufReader::with_capacity(BUFFER, Bounded { text, left: Rc::clone(&left) });
    let mut wanted = true;
    let mut take = |value| {
        left.set(most);
        wanted = each(value);
        wanted
    };
    skip_to_value(&mut text).map_err(invalid_as("The file cannot be read"))?;
    if text.fill_buf().map_err(invalid_as("The file cannot be read"))?.first() == Some(&b'[') {
        let mut array = Deserializer::from_reader(text);
        let read = array.deserialize_seq(Elements(&mut take)).and_then(|()| array.end());
        // The reader calls it an error when the rest is not read.
        return if wanted { read.map(|()| true).map_err(invalid_as(NOT_JSON)) } else { Ok(false) };
    }
    for value in Deserializer::from_reader(text).into_iter() {
        if !take(value.map_err(invalid_as(NOT_JSON))?) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn skip_to_value(text: &mut impl BufRead) -> IoResult<()> {
    if text.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        text.consume(BYTE_ORDER_MARK.len());
    }
    loop {
        let buffer = text.fill_buf()?;
        let space = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if space < buffer.len() || buffer.is_empty() {
            text.consume(space);
            return Ok(());
        }
        text.consume(space);
    }
}

/// A text of which only so much can be read before somebody allows more: a value cannot fill the memory.
struct Bounded<R> {
    text: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        let Some(most) = self.left.get().checked_sub(1) else {
            return Err(IoError::new(ErrorKind::FileTooLarge, "a conversation is too large"));
        };
        let most = usize::try_from(most + 1).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.text.read(&mut buffer[..most])?;
        self.left.set(self.left.get() - read as u64);
        Ok(read)
    }
}

/// Hands over the elements of an array.
struct Elements<'a, F>(&'a mut F);

impl<'de, F: FnMut(Box<RawValue>) -> bool> Visitor<'de> for Elements<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of conversations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            if !self.0(element) {
                break;
            }
        }
        Ok(())
    }
}

/// Says what is the matter with the file, and why.
fn invalid_as<E: fmt::Display>(what: &'static str) -> impl Fn(E) -> Error {
    move |error| invalid(format!("{what}: {error}."))
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::invalid("invalid_file", message)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    const MOST: u64 = 1024 * 1024;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        file
    }

    fn read(content: &[u8]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        values(file(content), MOST, |value| {
            found.push(value.get().to_owned());
            true
        })?;
        Ok(found)
    }

    fn zip(files: &[(&str, &str)]) -> Vec<u8> {
        let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in files {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(content.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn lines_arrays_and_archives_are_read() {
        let two = vec![r#"{"a":1}"#.to_owned(), r#"{"b":[ 2]}"#.to_owned()];
        assert_eq!(read(b"{\"a\":1}\n{\"b\":[ 2]}\n").unwrap(), two);
        assert_eq!(read(b"\xef\xbb\xbf \n[{\"a\":1},\n {\"b\":[ 2]}]\n").unwrap(), two);
        let archive = zip(&[
            ("export/conversations-001.json", "[{\"b\":[ 2]}]"),
            ("export/conversations-000.json", "[{\"a\":1}]"),
            ("shared_conversations.json", "[7]"),
            ("conversations_notes.json", "[8]"),
        ]);
        assert_eq!(read(&archive).unwrap(), two);
        assert_eq!(read(b"").unwrap(), Vec::<String>::new());
        assert_eq!(read(b"[]").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_whole_is_an_error_and_nothing_before_it_is_lost() {
        let mut archive = zip(&[("conversations.json", "[1]")]);
        archive.truncate(archive.len() - 30);
        for content in [&b"{\"a\":1}\n{\"b\":"[..], b"[1,2", b"[1] 2", b"hello", &zip(&[("x.json", "[]")]), &archive] {
            assert_eq!(read(content).unwrap_err().code(), "invalid_file", "{}", String::from_utf8_lossy(content));
        }
        let mut seen = 0;
        let broken = values(file(b"1 2 3 {"), MOST, |_| {
            seen += 1;
            true
        });
        assert_eq!((broken.is_err(), seen), (true, 3));
    }

    #[test]
    fn nothing_is_read_that_is_not_wanted() {
        for content in [&b"1 2 oops"[..], b"[1,2,oops]"] {
            let mut seen = 0;
            values(file(content), MOST, |_| {
                seen += 1;
                seen < 2
            })
            .unwrap();
            assert_eq!(seen, 2);
        }
    }

    #[test]
    fn a_value_is_bounded_however_small_its_archive_is() {
        let most = usize::try_from(MOST).unwrap();
        let text = |length: usize| format!("\"{}\"", "0".repeat(length - 2));
        let [fine, long] = [text(most), text(most + 2 * BUFFER)];
        assert_eq!(read(&zip(&[("conversations.json", &format!("[{fine},{fine},{fine}]"))])).unwrap().len(), 3);
        let archive = zip(&[("conversations.json", &format!("[{fine},{long}]"))]);
        assert!(archive.len() < most / 10);
        let error = read(&archive).unwrap_err();
        assert!(error.message().contains("too large"), "{}", error.message());
    }
}
