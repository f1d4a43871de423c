//! The transformer: weights, shapes, and one step over a batch of rows of several sequences.
//!
//! Runs the architectures in [`FAMILIES`]; another that differs only in what [`Family`] says needs one line
//! there. Knows no text and no sampling.

use crate::cache::Cache;
use crate::error::Error;
use crate::gguf::Gguf;
use crate::kernel::attention::{Heads, Segment, attend};
use crate::kernel::ops::{Gate, Norm, Pairs, rotate};
use crate::kernel::{Activations, Level, Matrix, Pool, multiply};
use crate::quant::Encoding;

/// What distinguishes one architecture from another.
struct Family {
    /// `general.architecture`, and the prefix of its metadata.
    name: &'static str,
    pairs: Pairs,
}

/// The architectures this engine runs.
const FAMILIES: &[Family] =
    &[Family { name: "llama", pairs: Pairs::Neighbours }, Family { name: "qwen2", pairs: Pairs::Halves }];

/// Bounds far above any model that a CPU runs; a file beyond them is broken or hostile.
const MAX_LAYERS: usize = 512;
const MAX_WIDTH: usize = 1 << 17;
const MAX_HEAD: usize = 512;

/// A model's shape, from its metadata.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) architecture: &'static str,
    /// The longest sequence the model was made for.
    pub(crate) context: usize,
    pub(crate) layers: usize,
    pub(crate) vocabulary: usize,
    width: usize,
    hidden: usize,
    heads: Heads,
    epsilon: f32,
    pairs: Pairs,
    frequency_base: f64,
    frequency_scale: f64,
}

impl Shape {
    /// Keys (or values) of a position in a layer.
    pub(crate) fn key_width(&self) -> usize {
        self.heads.key * self.heads.dimension
    }

    fn query_width(&self) -> usize {
        self.heads.query * self.heads.dimension
    }

    /// The shape that the file's metadata describes, if this engine runs such models.
    pub(crate) fn read(file: &Gguf) -> Result<Self, Error> {
        let architecture = file.text("general.architecture").ok_or_else(|| Error::file("no general.architecture"))?;
        let Some(family) = FAMILIES.iter().find(|family| family.name == architecture) else {
            let known: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
            return Err(Error::file(format!(
                "architecture {architecture:?} is not supported; supported are {}",
                known.join(", ")
            )));
        };
        let key = |name: &str| format!("{}.{name}", family.name);
        let size = |name: &str, most: usize| match file.size(&key(name)) {
            Some(n) if (1..=most).contains(&n) => Ok(n),
            other => Err(Error::file(format!("{} is {other:?}", key(name)))),
        };
        let width = size("embedding_length", MAX_WIDTH)?;
        let query = size("attention.head_count", 1024)?;
        let key_heads = match file.size(&key("attention.head_count_kv")) {
            None => query,
            Some(n) => n,
        };
        if key_heads == 0 || query % key_heads != 0 {
            return Err(Error::file(format!("{query} query heads on {key_heads} key heads")));
        }
        let dimension = file.size(&key("attention.key_length")).unwrap_or(width / query);
        if dimension == 0 || dimension > MAX_HEAD || !dimension.is_multiple_of(2) {
            return Err(Error::file(format!("a head of {dimension} values")));
        }
        let same = |name: &str| file.size(&key(name)).is_none_or(|n| n == dimension);
        if !same("attention.value_length") || !same("rope.dimension_count") {
            return Err(Error::file("heads that are rotated in part are not supported"));
        }
        let frequency_scale = match file.text(&key("rope.scaling.type")) {
            None | Some("none") => 1.0,
            Some("linear") => file.float(&key("rope.scaling.factor")).unwrap_or(1.0),
            Some(other) => return Err(Error::file(format!("rope scaling {other:?} is not supported"))),
        };
        let frequency_base = file.float(&key("rope.freq_base")).unwrap_or(10_000.0);
        let epsilon = file.float(&key("attention.layer_norm_rms_epsilon")).unwrap_or(1e-5);
        let sane = |x: f64| x.is_finite() && x > 0.0;
        if !sane(frequency_base) || !sane(frequency_scale) || !sane(epsilon) {
            return Err(Error::file("a rope or normalization constant is not a positive number"));
        }
        let embedding = file.tensor("token_embd.weight").ok_or_else(|| Error::file("no tensor token_embd.weight"))?;
        Ok(Self {
            architecture: family.name,
            context: size("context_length", 1 << 24)?,
            layers: size("block_count", MAX_LAYERS)?,
            vocabulary: embedding.rows,
            width,
            hidden: size("feed_forward_length", MAX_WIDTH)?,
            heads: Heads { query, key: key_heads, dimension },
            epsilon: epsilon as f32,
            pairs: family.pairs,
            frequency_base,
            frequency_scale,
        })
    }
}

struct Layer {
    attention_norm: Vec<f32>,
    /// Queries, keys and values in one.
    qkv: Matrix,
    qkv_bias: Option<Vec<f32>>,
    output: Matrix,
    ffn_norm: Vec<f32>,
    /// Gate and up in one.
    gate_up: Matrix,
    down: Matrix,
}

/// The embedding table, in the file's encoding: only rows that occur are decoded.
struct Embedding {
    encoding: Encoding,
    bytes: Vec<u8>,
}

/// A model in memory.
pub(crate) struct Model {
    pub(crate) shape: Shape,
    /// The instructions in use.
    pub(crate) level: Level,
    embedding: Embedding,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    head: Matrix,
    /// Radians per position of each pair of a head.
    frequencies: Vec<f64>,
}

/// Tokens to append to one sequence.
pub(crate) struct Rows<'a> {
    pub(crate) cache: &'a mut Cache,
    pub(crate) tokens: &'a [u32],
    /// Whether the scores of what follows the last token are wanted.
    pub(crate) logits: bool,
}

/// Memory that steps reuse.
pub(crate) struct Scratch {
    activations: Activations,
    state: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    gate_up: Vec<f32>,
    logits: Vec<f32>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            activations: Activations::new(),
            state: Vec::new(),
            qkv: Vec::new(),
            attended: Vec::new(),
            gate_up: Vec::new(),
            logits: Vec::new(),
        }
    }
}

impl Model {
    /// Reads and repacks the weights, tensor by tensor.
    pub(crate) fn load(file: &mut Gguf, shape: Shape, threads: usize) -> Result<Self, Error> {
        let mut loader = Loader { file, threads };
        let (width, hidden) = (shape.width, shape.hidden);
        let (query, key) = (shape.query_width(), shape.key_width());

        let mut layers = Vec::new();
        for n in 0..shape.layers {
            let name = |part: &str| format!("blk.{n}.{part}");
            let qkv = [("attn_q", query), ("attn_k", key), ("attn_v", key)];
            let weights = qkv.map(|(part, rows)| (name(&format!("{part}.weight")), rows));
            layers.push(Layer {
                attention_norm: loader.vector(&name("attn_norm.weight"), width)?,
                qkv: loader.matrix(&weights, width)?,
                qkv_bias: loader.bias(&qkv.map(|(part, rows)| (name(&format!("{part}.bias")), rows)))?,
                output: loader.matrix(&[(name("attn_output.weight"), width)], query)?,
                ffn_norm: loader.vector(&name("ffn_norm.weight"), width)?,
                gate_up: loader.matrix(&[(name("ffn_gate.weight"), hidden), (name("ffn_up.weight"), hidden)], width)?,
                down: loader.matrix(&[(name("ffn_down.weight"), width)], hidden)?,
            });
        }
        let separate = loader.file.tensor("output.weight").is_some();
        let head = if separate { "output.weight" } else { "token_embd.weight" };
        let head = loader.matrix(&[(head.to_owned(), shape.vocabulary)], width)?;
        let norm = loader.vector("output_norm.weight", width)?;
        let (encoding, bytes) = loader.tensor("token_embd.weight", shape.vocabulary, width)?;
        let frequencies = loader.frequencies(&shape)?;
        Ok(Self {
            shape,
            level: Level::best(),
            embedding: Embedding { encoding, bytes },
            layers,
            norm,
            head,
            frequencies,
        })
    }

    /// An empty cache for one sequence.
    pub(crate) fn cache(&self) -> Cache {
        Cache::new(self.shape.layers, self.shape.key_width())
    }

    /// Appends each sequence's tokens to its cache; returns the scores of those that want them, one row
    /// of the vocabulary's length each, in order.
    pub(crate) fn step<'s>(&self, pool: &mut Pool, scratch: &'s mut Scratch, batch: &mut [Rows<'_>]) -> &'s mut [f32] {
        let Shape { width, hidden, heads, epsilon, .. } = self.shape;
        let (query, key) = (self.shape.query_width(), self.shape.key_width());
        let qkv_width = query + 2 * key;
        let level = self.level;
        let rows: usize = batch.iter().map(|b| b.tokens.len()).sum();
        let turns = self.turns(batch);
        let half = heads.dimension / 2;

        let Scratch { activations, state, qkv, attended, gate_up, logits } = scratch;
        state.resize(rows * width, 0.0);
        qkv.resize(rows * qkv_width, 0.0);
        attended.resize(rows * query, 0.0);
        gate_up.resize(rows * 2 * hidden, 0.0);

        let tokens = batch.iter().flat_map(|b| b.tokens.iter());
        let row_bytes = self.embedding.encoding.row_bytes(width);
        for (row, token) in state.chunks_exact_mut(width).zip(tokens) {
            let at = *token as usize * row_bytes;
            self.embedding.encoding.decode(&self.embedding.bytes[at..at + row_bytes], row);
        }

        for (n, layer) in self.layers.iter().enumerate() {
            activations.fill(pool, level, rows, width, |row, out| {
                let input = &state[row * width..(row + 1) * width];
                level.run(Norm { input, weight: &layer.attention_norm, epsilon, out });
            });
            multiply(pool, level, &layer.qkv, activations, false, qkv);
            pool.chunks(qkv, qkv_width, |row, values| {
                if let Some(bias) = &layer.qkv_bias {
                    values.iter_mut().zip(bias).for_each(|(x, b)| *x += b);
                }
                let turns = &turns[row * half..(row + 1) * half];
                rotate(&mut values[..query + key], heads.dimension, turns, self.shape.pairs);
            });

            let mut row = 0;
            let mut segments = Vec::with_capacity(batch.len());
            for sequence in &mut *batch {
                let count = sequence.tokens.len();
                for (i, values) in qkv[row * qkv_width..].chunks_exact(qkv_width).take(count).enumerate() {
                    let (keys, values) = values[query..].split_at(key);
                    sequence.cache.write(n, i, keys, values);
                }
                let (keys, values) = sequence.cache.layer(n);
                segments.push(Segment { keys, values, start: sequence.cache.len(), row, rows: count });
                row += count;
            }
            attend(pool, level, heads, &segments, qkv, qkv_width, attended);
            activations.fill(pool, level, rows, query, |row, out| {
                out.copy_from_slice(&attended[row * query..(row + 1) * query]);
            });
            multiply(pool, level, &layer.output, activations, true, state);

            activations.fill(pool, level, rows, width, |row, out| {
                let input = &state[row * width..(row + 1) * width];
                level.run(Norm { input, weight: &layer.ffn_norm, epsilon, out });
            });
            multiply(pool, level, &layer.gate_up, activations, false, gate_up);
            activations.fill(pool, level, rows, hidden, |row, out| {
                let (input, up) = gate_up[row * 2 * hidden..(row + 1) * 2 * hidden].split_at(hidden);
                level.run(Gate { input, up, out });
            });
            multiply(pool, level, &layer.down, activations, true, state);
        }

        let mut last = Vec::new();
        let mut row = 0;
        for sequence in batch {
            sequence.cache.advance(sequence.tokens.len());
            row += sequence.tokens.len();
            if sequence.logits {
                last.push(row - 1);
            }
        }
        logits.resize(last.len() * self.shape.vocabulary, 0.0);
        if !last.is_empty() {
            activations.fill(pool, level, last.len(), width, |n, out| {
                let input = &state[last[n] * width..(last[n] + 1) * width];
                level.run(Norm { input, weight: &self.norm, epsilon, out });
            });
            multiply(pool, level, &self.head, activations, false, logits);
        }
        logits
    }

    /// Cosine and sine for every row's position and every pair of a head.
    fn turns(&self, batch: &[Rows<'_>]) -> Vec<(f32, f32)> {
        batch
            .iter()
            .flat_map(|sequence| (0..sequence.tokens.len()).map(|i| (sequence.cache.len() + i) as f64))
            .flat_map(|position| {
                self.frequencies.iter().map(move |frequency| {
                    let (sin, cos) = (position * frequency).sin_cos();
                    (cos as f32, sin as f32)
                })
            })
            .collect()
    }
}

/// Reads tensors and checks that they have the shape they must have.
struct Loader<'a> {
    file: &'a mut Gguf,
    threads: usize,
}

impl Loader<'_> {
    fn tensor(&mut self, name: &str, rows: usize, columns: usize) -> Result<(Encoding, Vec<u8>), Error> {
        let tensor = self.file.tensor(name).cloned().ok_or_else(|| Error::file(format!("no tensor {name}")))?;
        if (tensor.rows, tensor.columns) != (rows, columns) {
            return Err(Error::file(format!(
                "tensor {name} is {} × {}, not {rows} × {columns}",
                tensor.rows, tensor.columns
            )));
        }
        Ok((tensor.encoding, self.file.read(&tensor)?))
    }

    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, Error> {
        let (encoding, bytes) = self.tensor(name, 1, length)?;
        let mut values = vec![0.0; length];
        encoding.decode(&bytes, &mut values);
        Ok(values)
    }

    /// The biases one after another, if the file has them.
    fn bias(&mut self, parts: &[(String, usize)]) -> Result<Option<Vec<f32>>, Error> {
        if parts.iter().all(|(name, _)| self.file.tensor(name).is_none()) {
            return Ok(None);
        }
        let mut all = Vec::new();
        for (name, length) in parts {
            all.extend(self.vector(name, *length)?);
        }
        Ok(Some(all))
    }

    /// The rows of several tensors, one after another, as one matrix.
    fn matrix(&mut self, parts: &[(String, usize)], columns: usize) -> Result<Matrix, Error> {
        let mut tensors = Vec::new();
        let mut rows = 0;
        for (name, count) in parts {
            let (encoding, bytes) = self.tensor(name, *count, columns)?;
            tensors.push((rows, encoding, bytes));
            rows += count;
        }
        Ok(Matrix::pack(rows, columns, self.threads, |row, out| {
            let part = tensors.partition_point(|(first, ..)| *first <= row) - 1;
            let (first, encoding, bytes) = &tensors[part];
            let size = encoding.row_bytes(columns);
            encoding.decode(&bytes[(row - first) * size..(row - first + 1) * size], out);
        }))
    }

    fn frequencies(&mut self, shape: &Shape) -> Result<Vec<f64>, Error> {
        let half = shape.heads.dimension / 2;
        let factors = match self.file.tensor("rope_freqs.weight") {
            Some(_) => self.vector("rope_freqs.weight", half)?,
            None => vec![1.0; half],
        };
        let frequency = |(i, factor): (usize, &f32)| {
            let exponent = -2.0 * i as f64 / shape.heads.dimension as f64;
            shape.frequency_base.powf(exponent) / f64::from(*factor) / shape.frequency_scale
        };
        Ok(factors.iter().enumerate().map(frequency).collect())
    }
}
