//! `WordPiece`: text to tokens as uncased BERT models were trained. Lower case without accents, words and marks apart,
//! each word cut into the longest pieces that the vocabulary has.

use std::{collections::HashMap, path::Path};

use serde::Deserialize;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::error::Error;

/// Longest file accepted, in bytes.
const MAX_FILE: u64 = 64 << 20;
/// A longer word is unknown as a whole.
const MAX_WORD: usize = 100;

pub(super) struct WordPiece {
    vocabulary: HashMap<String, u32>,
    unknown: u32,
    begin: u32,
    end: u32,
}

#[derive(Deserialize)]
struct TokenizerFile {
    model: Model,
    normalizer: Normalizer,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: String,
    vocab: HashMap<String, u32>,
}

#[derive(Deserialize)]
struct Normalizer {
    #[serde(rename = "type")]
    kind: String,
    lowercase: bool,
}

impl WordPiece {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        if std::fs::metadata(path)?.len() > MAX_FILE {
            return Err(Error::file("the tokenizer's file is too long"));
        }
        let file: TokenizerFile = serde_json::from_slice(&std::fs::read(path)?)
            .map_err(|e| Error::file(format!("the tokenizer's file: {e}")))?;
        if file.model.kind != "WordPiece" || file.normalizer.kind != "BertNormalizer" || !file.normalizer.lowercase {
            return Err(Error::file("only tokenizers of uncased BERT models are supported"));
        }
        Self::new(file.model.vocab)
    }

    fn new(vocabulary: HashMap<String, u32>) -> Result<Self, Error> {
        let find = |word: &str| {
            vocabulary.get(word).copied().ok_or_else(|| Error::file(format!("the vocabulary has no {word}")))
        };
        let (unknown, begin, end) = (find("[UNK]")?, find("[CLS]")?, find("[SEP]")?);
        Ok(Self { vocabulary, unknown, begin, end })
    }

    pub(super) fn largest_id(&self) -> usize {
        self.vocabulary.values().max().map_or(0, |id| *id as usize)
    }

    /// The tokens of a text, at most `most` with those at its ends.
    pub(super) fn encode(&self, text: &str, most: usize) -> Vec<u32> {
        let room = most.saturating_sub(2);
        let mut tokens = vec![self.begin];
        // Each token needs at least a letter: what is far beyond the last one need not be looked at.
        let text: String = text.chars().take(room.saturating_mul(MAX_WORD)).collect();
        for word in words(&text) {
            self.cut(&word, &mut tokens);
            if tokens.len() > room {
                break;
            }
        }
        tokens.truncate(room + 1);
        tokens.push(self.end);
        tokens
    }

    /// Cuts a word into the longest pieces there are.
    fn cut(&self, word: &str, tokens: &mut Vec<u32>) {
        let before = tokens.len();
        if word.chars().count() > MAX_WORD {
            tokens.push(self.unknown);
            return;
        }
        let mut piece = String::with_capacity(word.len() + 2);
        let mut start = 0;
        while start < word.len() {
            let ends = word[start..].char_indices().map(|(at, letter)| start + at + letter.len_utf8());
            let ends: Vec<usize> = ends.collect();
            let found = ends.into_iter().rev().find_map(|end| {
                piece.clear();
                if start > 0 {
                    piece.push_str("##");
                }
                piece.push_str(&word[start..end]);
                self.vocabulary.get(&piece).map(|id| (*id, end))
            });
            let Some((id, end)) = found else {
                tokens.truncate(before);
                tokens.push(self.unknown);
                return;
            };
            tokens.push(id);
            start = end;
        }
    }
}

/// Words in lower case without accents; each mark and each Chinese character is a word.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let plain = text.nfd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase);
    for letter in plain {
        if letter.is_whitespace() || (letter.is_control() && matches!(letter, '\t' | '\n' | '\r')) {
            words.push(String::new());
        } else if letter == '\0' || letter == '\u{fffd}' || is_invisible(letter) {
        } else if is_mark(letter) || is_chinese(letter) {
            words.push(letter.into());
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.push(letter);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_invisible(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}')
}

/// Punctuation and symbols: whatever is neither letter nor digit in the ranges that texts use.
fn is_mark(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_punctuation();
    }
    matches!(letter,
        '\u{a1}' | '\u{a7}' | '\u{ab}' | '\u{b6}' | '\u{b7}' | '\u{bb}' | '\u{bf}' | '\u{2010}'..='\u{2027}'
        | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}'
        | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}')
}

fn is_chinese(letter: char) -> bool {
    matches!(letter,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2ceaf}'
        | '\u{2f800}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces() -> WordPiece {
        let words = ["[UNK]", "[CLS]", "[SEP]", "un", "##believ", "##able", "cafe", "!", "\u{4f60}", "a"];
        let vocabulary = words.iter().enumerate().map(|(id, word)| ((*word).to_owned(), id as u32));
        WordPiece::new(vocabulary.collect()).unwrap()
    }

    #[test]
    fn words_are_cut_into_the_longest_pieces() {
        let pieces = pieces();
        assert_eq!(pieces.encode("Unbelievable!", 9), [1, 3, 4, 5, 7, 2]);
        assert_eq!(pieces.encode(" CAF\u{c9}\n\u{4f60}a", 9), [1, 6, 8, 9, 2]);
        assert_eq!(pieces.encode("cafe\u{301}", 9), [1, 6, 2]);
        assert_eq!(pieces.encode("unx a", 9), [1, 0, 9, 2], "a word with an unknown piece is unknown");
        assert_eq!(pieces.encode(&"a".repeat(101), 9), [1, 0, 2]);
        assert_eq!(pieces.encode("", 9), [1, 2]);
    }

    #[test]
    fn long_texts_are_cut_off() {
        assert_eq!(pieces().encode(&"a ".repeat(1_000), 5), [1, 9, 9, 9, 2]);
    }
}
