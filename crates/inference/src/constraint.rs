//! Keeps an answer inside a JSON schema while it is generated, with llguidance's grammars.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};

use crate::error::Error;
use crate::tokenizer::Tokenizer;

/// The vocabulary as the grammars need it.
struct Vocabulary {
    trie: TokTrie,
    tokenizer: Arc<Tokenizer>,
}

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.tokenizer.encode(text),
            Err(_) => self.trie.greedy_tokenize(bytes),
        }
    }
}

/// Most members or elements of one part of a schema. The compiler goes one call deeper for each property that may be
/// left out.
const MOST_MEMBERS: usize = 1_000;
/// Most values in a schema, parts of parts included.
const MOST_VALUES: usize = 20_000;
/// Stack for compiling and for following a grammar: a schema within these bounds takes a fraction of it. A stack that
/// overflows ends the process, and schemas come from anybody.
pub(crate) const STACK: usize = 128 * 1024 * 1024;

/// Compiles schemas for one vocabulary.
pub(crate) struct Constraints {
    factory: ParserFactory,
}

impl Constraints {
    pub(crate) fn new(tokenizer: &Arc<Tokenizer>) -> Result<Self, Error> {
        let words: Vec<Vec<u8>> = (0..tokenizer.len() as u32)
            .map(|id| {
                let bytes = tokenizer.bytes(id);
                // The marker keeps special tokens out of every text.
                let marker = tokenizer.is_special(id).then_some(TokTrie::SPECIAL_TOKEN_MARKER);
                marker.into_iter().chain(bytes.iter().copied()).collect()
            })
            .collect();
        let info = TokRxInfo::new(tokenizer.len() as u32, tokenizer.end());
        let trie = TokTrie::from(&info, &words);
        let environment: TokEnv = Arc::new(Vocabulary { trie, tokenizer: Arc::clone(tokenizer) });
        let slices = llguidance::earley::SlicedBiasComputer::json_slices();
        let mut factory = ParserFactory::new(&environment, InferenceCapabilities::default(), &slices)
            .map_err(|e| Error::Internal(e.to_string()))?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        Ok(Self { factory })
    }

    /// A constraint to this schema; `param` is the request's field to blame for a schema that is not
    /// supported.
    pub(crate) fn schema(&self, mut schema: Value, param: &'static str) -> Result<Constraint, Error> {
        let Value::Object(object) = &mut schema else {
            return Err(Error::request(param, "a JSON schema must be an object"));
        };
        // One way of writing spaces: a small model allowed free white space may write it for ever.
        let layout = json!({"whitespace_flexible": false, "item_separator": ", ", "key_separator": ": "});
        object.insert("x-guidance".to_owned(), layout);
        let mut left = MOST_VALUES;
        if !is_bounded(&schema, &mut left) {
            let message = format!("a schema holds at most {MOST_VALUES} values, {MOST_MEMBERS} in each of its parts");
            return Err(Error::request(param, message));
        }
        let compile = || self.factory.create_parser(TopLevelGrammar::from_json_schema(schema));
        let parser = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("schema".to_owned()).stack_size(STACK);
            let result = thread.spawn_scoped(scope, compile)?.join();
            let parser = result.map_err(|_| Error::Internal("compiling a schema panicked".to_owned()))?;
            parser.map_err(|e| Error::request(param, format!("unsupported schema: {e}")))
        })?;
        Ok(Constraint { matcher: Matcher::new(Ok(parser)), param })
    }
}

/// Whether a schema is of a size that a grammar can be made of; `left` counts down the values.
fn is_bounded(schema: &Value, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match schema {
        Value::Object(members) => {
            members.len() <= MOST_MEMBERS && members.values().all(|value| is_bounded(value, left))
        }
        Value::Array(elements) => {
            elements.len() <= MOST_MEMBERS && elements.iter().all(|value| is_bounded(value, left))
        }
        _ => true,
    }
}

/// The state of one answer within its grammar.
pub(crate) struct Constraint {
    matcher: Matcher,
    /// The request's field that the grammar comes from.
    param: &'static str,
}

impl Constraint {
    /// Which tokens may come next.
    pub(crate) fn allowed(&mut self) -> Result<SimpleVob, Error> {
        self.matcher.compute_mask_or_eos().map_err(|_| self.too_hard())
    }

    /// Takes note of a token that was allowed; true if nothing can follow it.
    pub(crate) fn accept(&mut self, token: u32) -> Result<bool, Error> {
        self.matcher.consume_token(token).map_err(|_| self.too_hard())?;
        Ok(self.matcher.is_stopped())
    }

    /// Nothing may follow, or finding out what may takes more work than a token is worth: either way the schema's fault.
    fn too_hard(&self) -> Error {
        Error::request(self.param, "this schema cannot be followed: nothing satisfies it, or it is too complex")
    }
}
