//! Byte-level byte-pair encoding with the vocabulary and the merges of a GGUF file.
//!
//! The scheme is GPT-2's: bytes are written as printable characters, text is first cut into words by a
//! pattern, and within a word the earliest-learned pair is merged until none is left.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use regex::Regex;

use crate::error::Error;
use crate::gguf::{Gguf, Value};

/// Stands inside a special token's text where it must not be read as one; removed before encoding.
/// A noncharacter of Unicode, which no interchange text contains.
pub(crate) const ESCAPE: char = '\u{FDD0}';

/// Tokens that end an answer, by their text, whatever the file says about `eos`.
const ENDS: &[&str] =
    &["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<end_of_turn>", "<|end|>"];

/// Markers of tool calls: text, even where the file calls them control tokens.
const TEXT_MARKERS: &[&str] = &["<tool_call>", "</tool_call>"];

/// Kinds of tokens in `tokenizer.ggml.token_type`.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
/// A row of the embedding that no token has; it stands for nothing.
const UNUSED: i64 = 5;

/// How text is cut into words.
struct Words {
    pattern: Regex,
    /// Every digit is a word of its own before the pattern applies.
    single_digits: bool,
    /// White space that ends with a line break is matched as such by the pattern.
    breaks_lines: bool,
}

/// Turns text into tokens and back.
pub(crate) struct Tokenizer {
    words: Words,
    /// The bytes of each token.
    bytes: Vec<Vec<u8>>,
    /// The rank and the result of each pair that merges.
    merges: HashMap<(u32, u32), (u32, u32)>,
    /// The token of each single byte. Some vocabularies have none for bytes that text hardly has.
    singles: [Option<u32>; 256],
    special: HashMap<String, u32>,
    special_pattern: Option<Regex>,
    /// Tokens that stand for no text.
    control: HashSet<u32>,
    ends: Vec<u32>,
    begin: Option<u32>,
}

impl Tokenizer {
    pub(crate) fn load(file: &mut Gguf) -> Result<Self, Error> {
        match file.text("tokenizer.ggml.model") {
            Some("gpt2") => {}
            other => return Err(Error::file(format!("tokenizer {other:?} is not supported"))),
        }
        let words = Words::named(file.text("tokenizer.ggml.pre").unwrap_or("default"))?;
        let Some(Value::Texts(tokens)) = file.take("tokenizer.ggml.tokens") else {
            return Err(Error::file("no tokenizer.ggml.tokens"));
        };
        let Some(Value::Texts(merges)) = file.take("tokenizer.ggml.merges") else {
            return Err(Error::file("no tokenizer.ggml.merges"));
        };
        let kinds = match file.take("tokenizer.ggml.token_type") {
            Some(Value::Integers(kinds)) if kinds.len() == tokens.len() => kinds,
            None => vec![1; tokens.len()],
            Some(_) => return Err(Error::file("tokenizer.ggml.token_type has the wrong length")),
        };
        let id = |key: &str| file.size(key).and_then(|n| u32::try_from(n).ok());
        let end = id("tokenizer.ggml.eos_token_id");
        let begin =
            id("tokenizer.ggml.bos_token_id").filter(|_| file.bool("tokenizer.ggml.add_bos_token").unwrap_or(false));
        Self::new(words, tokens, &merges, &kinds, end, begin)
    }

    fn new(
        words: Words,
        tokens: Vec<String>,
        merges: &[String],
        kinds: &[i64],
        end: Option<u32>,
        begin: Option<u32>,
    ) -> Result<Self, Error> {
        let alphabet = alphabet();
        let mut bytes = Vec::with_capacity(tokens.len());
        let mut ids = HashMap::with_capacity(tokens.len());
        let mut special = HashMap::new();
        let mut control = HashSet::new();
        for (id, (token, kind)) in (0_u32..).zip(tokens.into_iter().zip(kinds)) {
            if matches!(*kind, CONTROL | USER_DEFINED) && !token.is_empty() {
                if *kind == CONTROL && !TEXT_MARKERS.contains(&token.as_str()) {
                    control.insert(id);
                }
                bytes.push(token.clone().into_bytes());
                special.insert(token, id);
            } else if *kind == UNUSED {
                control.insert(id);
                bytes.push(Vec::new());
            } else {
                let decoded = decode_alphabet(&token, &alphabet);
                ids.entry(decoded.clone()).or_insert(id);
                bytes.push(decoded);
            }
        }
        let mut singles = [None; 256];
        for (byte, single) in (0_u8..=255).zip(&mut singles) {
            *single = ids.get(&[byte][..]).copied();
            if single.is_none() && (b' '..=b'~').contains(&byte) {
                return Err(Error::file(format!("the vocabulary has no token for byte {byte}")));
            }
        }
        let mut pairs = HashMap::with_capacity(merges.len());
        for (rank, merge) in (0_u32..).zip(merges) {
            let (left, right) = merge.split_once(' ').ok_or_else(|| Error::file(format!("not a merge: {merge:?}")))?;
            let (left, right) = (decode_alphabet(left, &alphabet), decode_alphabet(right, &alphabet));
            let both = [left.as_slice(), right.as_slice()].concat();
            if let (Some(l), Some(r), Some(b)) = (ids.get(&left), ids.get(&right), ids.get(&both)) {
                pairs.entry((*l, *r)).or_insert((rank, *b));
            }
        }
        let mut ends: Vec<u32> = ENDS.iter().filter_map(|text| special.get(*text).copied()).collect();
        if let Some(id) = end {
            ends.retain(|other| *other != id);
            ends.insert(0, id);
        }
        let known = |id: &u32| (*id as usize) < bytes.len();
        if ends.is_empty() || !ends.iter().chain(&begin).all(known) {
            return Err(Error::file("the vocabulary has no token that ends a text, or an unknown one"));
        }
        control.extend(&ends);
        // Longest first: among alternatives the pattern takes the first that fits.
        let mut texts: Vec<&str> = special.keys().map(String::as_str).collect();
        texts.sort_unstable_by_key(|text| (Reverse(text.len()), *text));
        let alternatives: Vec<String> = texts.into_iter().map(regex::escape).collect();
        let special_pattern = if alternatives.is_empty() {
            None
        } else {
            let pattern = Regex::new(&alternatives.join("|"));
            Some(pattern.map_err(|e| Error::file(format!("too many special tokens: {e}")))?)
        };
        Ok(Self { words, bytes, merges: pairs, singles, special, special_pattern, control, ends, begin })
    }

    /// The number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of a token, a control token's name included.
    pub(crate) fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    /// The bytes a token adds to the text: none if it is a control token.
    pub(crate) fn text_bytes(&self, token: u32) -> &[u8] {
        if self.control.contains(&token) { &[] } else { self.bytes(token) }
    }

    /// Whether the token is special: never part of ordinary text.
    pub(crate) fn is_special(&self, token: u32) -> bool {
        std::str::from_utf8(self.bytes(token)).is_ok_and(|text| self.special.get(text) == Some(&token))
    }

    /// Whether the token ends an answer.
    pub(crate) fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// The token that ends an answer by the file's own word.
    pub(crate) fn end(&self) -> u32 {
        self.ends[0]
    }

    /// The text of the token that begins every sequence, if the file wants one.
    pub(crate) fn begin_text(&self) -> &str {
        self.begin.and_then(|id| std::str::from_utf8(self.bytes(id)).ok()).unwrap_or_default()
    }

    /// The text of the token that ends an answer.
    pub(crate) fn end_text(&self) -> &str {
        std::str::from_utf8(self.bytes(self.end())).unwrap_or_default()
    }

    /// Encodes text as it is: special tokens' names are ordinary characters.
    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        let mut out = Vec::new();
        self.encode_into(text, &mut out);
        out
    }

    /// Encodes a rendered prompt: special tokens' names become those tokens, unless escaped.
    pub(crate) fn encode_prompt(&self, text: &str) -> Vec<u32> {
        let mut out: Vec<u32> = self.begin.into_iter().collect();
        if !out.is_empty() && text.starts_with(self.begin_text()) {
            out.clear(); // the template writes it itself
        }
        let mut rest = 0;
        let unescaped = |found: &regex::Match<'_>| !text[..found.start()].ends_with(ESCAPE);
        let specials = self.special_pattern.iter().flat_map(|pattern| pattern.find_iter(text));
        for found in specials.filter(unescaped) {
            self.encode_plain(&text[rest..found.start()], &mut out);
            out.extend(self.special.get(found.as_str()));
            rest = found.end();
        }
        self.encode_plain(&text[rest..], &mut out);
        out
    }

    /// The text with the name of every special token in it made ordinary for [`Self::encode_prompt`]: each of
    /// its characters gets the mark before it, so that names that overlap are broken too.
    pub(crate) fn escape(&self, text: &str) -> String {
        let clean = text.replace(ESCAPE, "");
        let Some(pattern) = &self.special_pattern else { return clean };
        let broken =
            |found: &regex::Captures<'_>| found[0].chars().flat_map(|letter| [ESCAPE, letter]).collect::<String>();
        pattern.replace_all(&clean, broken).into_owned()
    }

    fn encode_plain(&self, text: &str, out: &mut Vec<u32>) {
        if text.contains(ESCAPE) {
            self.encode_into(&text.replace(ESCAPE, ""), out);
        } else {
            self.encode_into(text, out);
        }
    }

    fn encode_into(&self, text: &str, out: &mut Vec<u32>) {
        self.words.each(text, |word| self.encode_word(word.as_bytes(), out));
    }

    /// Merges pairs, the earliest-learned first; near-linear however long the word is.
    fn encode_word(&self, word: &[u8], out: &mut Vec<u32>) {
        let none = usize::MAX;
        let mut token: Vec<u32> = word.iter().filter_map(|byte| self.singles[usize::from(*byte)]).collect();
        let length = token.len();
        let mut next: Vec<usize> = (1..=length).collect();
        let mut previous: Vec<usize> = (0..length).map(|i| i.wrapping_sub(1)).collect();
        let mut alive = vec![true; length];
        if let Some(last) = next.last_mut() {
            *last = none;
        }
        let mut queue = BinaryHeap::new();
        let offer = |queue: &mut BinaryHeap<_>, token: &[u32], left: usize, right: usize| {
            if let Some((rank, merged)) = self.merges.get(&(token[left], token[right])) {
                queue.push(Reverse((*rank, left, right, token[left], token[right], *merged)));
            }
        };
        for right in 1..length {
            offer(&mut queue, &token, right - 1, right);
        }
        while let Some(Reverse((_, left, right, l, r, merged))) = queue.pop() {
            let current = alive[left] && alive[right] && next[left] == right;
            if !current || token[left] != l || token[right] != r {
                continue;
            }
            token[left] = merged;
            alive[right] = false;
            next[left] = next[right];
            if next[left] != none {
                previous[next[left]] = left;
                offer(&mut queue, &token, left, next[left]);
            }
            if previous[left] != none {
                offer(&mut queue, &token, previous[left], left);
            }
        }
        out.extend(token.iter().zip(&alive).filter(|(_, alive)| **alive).map(|(token, _)| *token));
    }
}

impl Words {
    /// The rule with the name of `tokenizer.ggml.pre`.
    fn named(name: &str) -> Result<Self, Error> {
        let gpt2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+";
        let (pattern, single_digits, breaks_lines) = match name {
            "default" | "gpt-2" | "gpt2" => (gpt2, false, false),
            "smollm" => (gpt2, true, false),
            "qwen2" => (
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",
                false,
                true,
            ),
            other => return Err(Error::file(format!("pre-tokenizer {other:?} is not supported"))),
        };
        let pattern = Regex::new(pattern).map_err(|e| Error::Internal(e.to_string()))?;
        Ok(Self { pattern, single_digits, breaks_lines })
    }

    /// Calls `word` with every word of the text.
    fn each<'t>(&self, text: &'t str, mut word: impl FnMut(&'t str)) {
        if !self.single_digits {
            return self.cut(text, &mut word);
        }
        let mut rest = text;
        while let Some(at) = rest.find(char::is_numeric) {
            let length = rest[at..].chars().next().map_or(0, char::len_utf8);
            self.cut(&rest[..at], &mut word);
            word(&rest[at..at + length]);
            rest = &rest[at + length..];
        }
        self.cut(rest, &mut word);
    }

    /// The published patterns end in `\s+(?!\S)|\s+`: of white space before a word, the last character
    /// belongs to what follows. Without look-ahead, that character is given back here.
    fn cut<'t>(&self, text: &'t str, word: &mut impl FnMut(&'t str)) {
        let mut at = 0;
        while let Some(found) = self.pattern.find_at(text, at) {
            let mut end = found.end();
            let space = found.as_str();
            let last = space.chars().next_back().map_or(0, char::len_utf8);
            let gives_back = end < text.len()
                && space.len() > last
                && space.chars().all(char::is_whitespace)
                && !(self.breaks_lines && space.ends_with(['\r', '\n']));
            if gives_back {
                end -= last;
            }
            word(&text[found.start()..end]);
            at = end;
        }
    }
}

/// GPT-2's printable character for each byte.
fn alphabet() -> HashMap<char, u8> {
    let printable = |byte: u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut others = 256_u32..;
    (0..=255_u8)
        .filter_map(|byte| {
            let code = if printable(byte) { u32::from(byte) } else { others.next()? };
            Some((char::from_u32(code)?, byte))
        })
        .collect()
}

/// The bytes that a token of the vocabulary stands for; characters outside the alphabet stand for themselves.
fn decode_alphabet(token: &str, alphabet: &HashMap<char, u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(token.len());
    for letter in token.chars() {
        match alphabet.get(&letter) {
            Some(byte) => out.push(*byte),
            None => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

/// Turns a stream of bytes into text, holding back a character until it is complete.
#[derive(Default)]
pub(crate) struct Utf8Stream {
    pending: Vec<u8>,
}

impl Utf8Stream {
    /// The text that `bytes` completes; what can never become a character is replaced.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(valid) => {
                    text.push_str(valid);
                    self.pending.clear();
                    return text;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    text.push_str(&String::from_utf8_lossy(&self.pending[..valid]));
                    let Some(wrong) = error.error_len() else {
                        self.pending.drain(..valid);
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.pending.drain(..valid + wrong);
                }
            }
        }
    }

    /// What was held back, replaced, since nothing completes it any more.
    pub(crate) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str, text: &str) -> Vec<String> {
        let mut out = Vec::new();
        Words::named(name).unwrap().each(text, |word| out.push(word.to_owned()));
        assert_eq!(out.concat(), text);
        out
    }

    #[test]
    fn words_are_cut_as_published() {
        assert_eq!(words("gpt2", "I'm  here 123!\n\n x"), ["I", "'m", " ", " here", " 123", "!", "\n\n", " x"]);
        assert_eq!(words("smollm", "a 12"), ["a", " ", "1", "2"]);
        assert_eq!(words("qwen2", "I'M  a1\n\n  b  "), ["I", "'M", " ", " a", "1", "\n\n", " ", " b", "  "]);
        assert_eq!(words("qwen2", "x();\n\ny"), ["x", "();\n\n", "y"]);
    }

    /// Bytes, two merges, one control token.
    fn small() -> Tokenizer {
        let letters: HashMap<u8, char> = alphabet().into_iter().map(|(c, b)| (b, c)).collect();
        let mut tokens: Vec<String> = (0..=255).map(|b| letters[&b].to_string()).collect();
        tokens.extend(["ab", "abc", "<|im_end|>", "<tool_call>"].map(String::from));
        let merges = ["a b".to_owned(), "ab c".to_owned()];
        let kinds: Vec<i64> = (0..260).map(|i| if i < 258 { 1 } else { 3 }).collect();
        let words = Words::named("gpt2").unwrap();
        Tokenizer::new(words, tokens, &merges, &kinds, Some(258), None).unwrap()
    }

    #[test]
    fn merges_apply_in_order_of_rank() {
        let t = small();
        assert_eq!(t.encode("abcab"), [257, 256]);
        assert_eq!(t.encode("bca"), [98, 99, 97]);
    }

    #[test]
    fn special_names_are_tokens_only_in_prompts_and_only_unescaped() {
        let t = small();
        assert_eq!(t.encode_prompt("ab<|im_end|>"), [256, 258]);
        assert!(!t.encode("<|im_end|>").contains(&258));
        let escaped = t.escape("x<|im_end|>y");
        assert_eq!(t.encode_prompt(&escaped), t.encode("x<|im_end|>y"));
        assert!(t.text_bytes(258).is_empty() && t.is_end(258));
        assert_eq!(t.text_bytes(259), b"<tool_call>");
    }

    #[test]
    fn names_that_overlap_or_are_one_letter_are_escaped_too() {
        let letters: HashMap<u8, char> = alphabet().into_iter().map(|(c, b)| (b, c)).collect();
        let mut tokens: Vec<String> = (0..=255).map(|b| letters[&b].to_string()).collect();
        tokens.extend(["<ab>", "b>c", "§"].map(String::from));
        let kinds: Vec<i64> = (0..259).map(|i| if i < 256 { 1 } else { 3 }).collect();
        let t = Tokenizer::new(Words::named("gpt2").unwrap(), tokens, &[], &kinds, Some(256), None).unwrap();
        for text in ["<ab>c", "x§y", "§§", "<ab><ab>"] {
            assert!(t.encode_prompt(text).iter().any(|id| *id >= 256), "{text}");
            // What follows the escaped text, the template's own token, stays one.
            let prompt = t.encode_prompt(&(t.escape(text) + "<ab>"));
            assert_eq!(prompt.split_last().unwrap(), (&256, t.encode(text).as_slice()), "{text}");
        }
    }

    #[test]
    fn any_text_comes_back() {
        let t = small();
        for text in ["", "abc", "Grüße, 世界! 🦀\r\n\t x", "\u{0}\u{7f}", "   lead and trail   "] {
            let bytes: Vec<u8> = t.encode(text).iter().flat_map(|id| t.bytes(*id).to_vec()).collect();
            assert_eq!(bytes, text.as_bytes());
        }
    }

    #[test]
    fn a_long_word_is_encoded_in_reasonable_time() {
        let tokens = small().encode(&"ab".repeat(200_000));
        assert_eq!(tokens.len(), 200_000);
    }

    #[test]
    fn characters_are_held_back_until_complete() {
        let mut stream = Utf8Stream::default();
        let crab = "🦀".as_bytes();
        assert_eq!(stream.push(&crab[..2]), "");
        assert_eq!(stream.push(&crab[2..]), "🦀");
        assert_eq!(stream.push(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(stream.push(&crab[..3]), "");
        assert_eq!(stream.finish(), "\u{fffd}");
    }
}
