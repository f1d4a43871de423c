//! What texts mean: a small encoder that makes a vector of a text, such that texts of like meaning have like vectors.
//!
//! Runs models of the BERT kind as `sentence-transformers` publishes them, from a safetensors file and a `tokenizer.json`:
//! mean pooling over all tokens, vectors of length 1. The weights are packed to int8 like those of chat models.

mod encoder;
mod safetensors;
mod wordpiece;

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use self::{encoder::Encoder, safetensors::Tensors, wordpiece::WordPiece};
use crate::error::Error;

/// Most tokens of a text that count: what these models were trained with.
const MAX_TOKENS: usize = 256;

/// A loaded encoder.
pub struct Embedder {
    words: WordPiece,
    /// One text at a time: its scratch memory and its threads are shared.
    encoder: Mutex<Encoder>,
}

impl Embedder {
    /// Loads a model on `threads` threads.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for files that are broken or of another kind, [`Error::Io`].
    pub fn load(weights: &Path, tokenizer: &Path, threads: usize) -> Result<Self, Error> {
        let words = WordPiece::read(tokenizer)?;
        let tensors = Tensors::open(weights)?;
        let encoder = Encoder::load(tensors, MAX_TOKENS, threads)?;
        if words.largest_id() >= encoder.vocabulary() {
            return Err(Error::file("the tokenizer has more words than the model"));
        }
        Ok(Self { words, encoder: Mutex::new(encoder) })
    }

    /// The vector of a text. What is longer than the model reads is cut off. Takes some milliseconds of one thread or
    /// more: call it where that blocks nobody.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read any more.
    pub fn embed(&self, text: &str) -> Result<Vec<f32>, Error> {
        let tokens = self.words.encode(text, MAX_TOKENS);
        self.encoder.lock().unwrap_or_else(PoisonError::into_inner).encode(&tokens)
    }
}
