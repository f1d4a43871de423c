//! The embedded model: a language model in the process itself, on the CPU. Knows no HTTP server and no
//! wire types; messages, tools and schemas come as JSON values.
//!
//! [`Engine::load`] reads a GGUF file and starts a scheduler on a thread of its own; [`Engine::submit`]
//! takes a [`Request`] and returns a [`Generation`], a stream of [`Event`]s. Inside, from the file to the text:
//!
//! | module | what it does |
//! |---|---|
//! | `gguf`, `quant` | read the file, decode its weights |
//! | `kernel` | int8 matrix products and attention, the one place with `unsafe` |
//! | `model`, `cache` | the transformer and a sequence's keys and values |
//! | `tokenizer`, `template` | messages to tokens and back |
//! | `sampler`, `constraint` | scores to a token, inside a grammar where one is asked for |
//! | `stop`, `tools`, `answer` | tokens to text, tool calls and events |
//! | `embedder` | another kind of model: what texts mean, as vectors |
//! | `scheduler`, `engine` | several requests at a time, bounded; the public face |

mod answer;
mod cache;
mod constraint;
mod embedder;
mod engine;
mod error;
mod gguf;
mod kernel;
mod model;
mod quant;
mod request;
mod sampler;
mod scheduler;
mod stop;
mod template;
mod tokenizer;
mod tools;

pub use embedder::Embedder;
pub use engine::{Engine, EngineOptions, Generation, ModelInfo};
pub use error::Error;
pub use request::{Event, Finish, Format, Request, Sampling, TokenLogprob, ToolChoice};
