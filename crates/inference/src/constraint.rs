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
        let parser = self.factory.create_parser(TopLevelGrammar::from_json_schema(schema));
        let parser = parser.map_err(|e| Error::request(param, format!("unsupported schema: {e}")))?;
        Ok(Constraint { matcher: Matcher::new(Ok(parser)) })
    }
}

/// The state of one answer within its grammar.
pub(crate) struct Constraint {
    matcher: Matcher,
}

impl Constraint {
    /// Which tokens may come next.
    pub(crate) fn allowed(&mut self) -> Result<SimpleVob, Error> {
        self.matcher.compute_mask_or_eos().map_err(|e| Error::Internal(format!("grammar: {e}")))
    }

    /// Takes note of a token that was allowed; true if nothing can follow it.
    pub(crate) fn accept(&mut self, token: u32) -> Result<bool, Error> {
        self.matcher.consume_token(token).map_err(|e| Error::Internal(format!("grammar: {e}")))?;
        Ok(self.matcher.is_stopped())
    }
}
