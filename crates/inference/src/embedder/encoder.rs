//! The encoder of a BERT model: every token looks at every other.

use super::safetensors::{Table, Tensors};
use crate::{
    error::Error,
    kernel::{Activations, Level, Matrix, Pool, multiply},
};

/// The values of a head. All encoders of this kind have heads of 32 or 64.
const HEAD: usize = 32;
const EPSILON: f32 = 1e-12;
/// Bounds far above any encoder that a CPU runs; a file beyond them is broken or hostile.
const MAX_LAYERS: usize = 48;
const MAX_WIDTH: usize = 4096;

/// A matrix product with what is added to it.
struct Linear {
    matrix: Matrix,
    bias: Vec<f32>,
}

/// Brings a row to mean 0 and variance 1, then scales and moves it.
struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

struct Layer {
    /// Queries, keys and values in one.
    qkv: Linear,
    output: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

pub(super) struct Encoder {
    tensors: Tensors,
    /// Read row by row when they are needed: half of the file, of which a text uses some kilobytes.
    words: Table,
    /// What is added for each position, the kind of text included.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    width: usize,
    hidden: usize,
    pool: Pool,
    level: Level,
    activations: Activations,
}

impl Encoder {
    pub(super) fn load(tensors: Tensors, most_tokens: usize, threads: usize) -> Result<Self, Error> {
        let words = tensors.table("embeddings.word_embeddings.weight")?;
        let width = words.columns;
        let positions = tensors.table("embeddings.position_embeddings.weight")?;
        let hidden = tensors.table("encoder.layer.0.intermediate.dense.weight")?.rows;
        if width > MAX_WIDTH || hidden > 4 * MAX_WIDTH || !width.is_multiple_of(HEAD) || positions.columns != width {
            return Err(Error::file("an encoder of an unsupported shape"));
        }
        if positions.rows < most_tokens {
            return Err(Error::file(format!("an encoder for fewer than {most_tokens} tokens")));
        }
        let kind = tensors.all("embeddings.token_type_embeddings.weight")?;
        let mut positions = tensors.all("embeddings.position_embeddings.weight")?;
        positions.truncate(most_tokens * width);
        if kind.len() < width {
            return Err(Error::file("an encoder without kinds of text"));
        }
        for row in positions.chunks_exact_mut(width) {
            row.iter_mut().zip(&kind).for_each(|(x, kind)| *x += kind);
        }
        let mut layers = Vec::new();
        while tensors.table(&format!("encoder.layer.{}.output.dense.weight", layers.len())).is_ok() {
            if layers.len() == MAX_LAYERS {
                return Err(Error::file("an encoder of too many layers"));
            }
            layers.push(layer(&tensors, layers.len(), width, hidden, threads)?);
        }
        let pool = Pool::new(threads.max(1))?;
        let norm = norm(&tensors, "embeddings.LayerNorm", width)?;
        let activations = Activations::new();
        Ok(Self { tensors, words, positions, norm, layers, width, hidden, pool, level: Level::best(), activations })
    }

    /// Words that the model knows.
    pub(super) fn vocabulary(&self) -> usize {
        self.words.rows
    }

    /// The vector of a text: the mean of its tokens' last states, of length 1.
    pub(super) fn encode(&mut self, tokens: &[u32]) -> Result<Vec<f32>, Error> {
        let (width, rows) = (self.width, tokens.len());
        let mut state = vec![0.0; rows * width];
        for ((row, token), position) in
            state.chunks_exact_mut(width).zip(tokens).zip(self.positions.chunks_exact(width))
        {
            self.tensors.read(self.words, *token as usize, row)?;
            row.iter_mut().zip(position).for_each(|(x, position)| *x += position);
            self.norm.apply(row);
        }
        let mut qkv = vec![0.0; rows * 3 * width];
        let mut attended = vec![0.0; rows * width];
        let mut up = vec![0.0; rows * self.hidden];
        let mut step = vec![0.0; rows * width];
        for layer in &self.layers {
            let run = &mut (&mut self.pool, self.level, &mut self.activations);
            layer.qkv.apply(run, &state, &mut qkv);
            attend(&qkv, width, rows, &mut attended);
            layer.output.apply(run, &attended, &mut step);
            add_and_norm(&mut state, &step, &layer.attention_norm, width);
            layer.up.apply(run, &state, &mut up);
            for x in &mut up {
                *x = gelu(*x);
            }
            layer.down.apply(run, &up, &mut step);
            add_and_norm(&mut state, &step, &layer.norm, width);
        }
        let mut vector = vec![0.0; width];
        for row in state.chunks_exact(width) {
            vector.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        for x in &mut vector {
            *x /= length;
        }
        Ok(vector)
    }
}

/// What a product runs on.
type Run<'a> = (&'a mut Pool, Level, &'a mut Activations);

impl Linear {
    fn apply(&self, (pool, level, activations): &mut Run<'_>, input: &[f32], out: &mut [f32]) {
        let rows = out.len() / self.bias.len();
        let columns = input.len() / rows;
        activations.fill(pool, *level, rows, columns, |row, out| {
            out.copy_from_slice(&input[row * columns..(row + 1) * columns]);
        });
        multiply(pool, *level, &self.matrix, activations, false, out);
        for row in out.chunks_exact_mut(self.bias.len()) {
            row.iter_mut().zip(&self.bias).for_each(|(x, bias)| *x += bias);
        }
    }
}

impl Norm {
    fn apply(&self, row: &mut [f32]) {
        let count = row.len() as f32;
        let mean = row.iter().sum::<f32>() / count;
        let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / count;
        let scale = (variance + EPSILON).sqrt().recip();
        for ((x, weight), bias) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
            *x = (*x - mean) * scale * weight + bias;
        }
    }
}

fn add_and_norm(state: &mut [f32], step: &[f32], norm: &Norm, width: usize) {
    for (row, step) in state.chunks_exact_mut(width).zip(step.chunks_exact(width)) {
        row.iter_mut().zip(step).for_each(|(x, step)| *x += step);
        norm.apply(row);
    }
}

/// Each head of each token looks at that head of all tokens.
fn attend(qkv: &[f32], width: usize, rows: usize, out: &mut [f32]) {
    let scale = (HEAD as f32).sqrt().recip();
    let mut scores = vec![0.0_f32; rows];
    let part = |row: usize, which: usize, head: usize| {
        let at = row * 3 * width + which * width + head * HEAD;
        &qkv[at..at + HEAD]
    };
    for head in 0..width / HEAD {
        for row in 0..rows {
            let query = part(row, 0, head);
            let mut largest = f32::NEG_INFINITY;
            for (other, score) in scores.iter_mut().enumerate() {
                let key = part(other, 1, head);
                *score = query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>() * scale;
                largest = largest.max(*score);
            }
            let mut sum = 0.0;
            for score in &mut scores {
                *score = (*score - largest).exp();
                sum += *score;
            }
            let target = &mut out[row * width + head * HEAD..row * width + (head + 1) * HEAD];
            target.fill(0.0);
            for (other, score) in scores.iter().enumerate() {
                let weight = score / sum;
                target.iter_mut().zip(part(other, 2, head)).for_each(|(x, value)| *x += weight * value);
            }
        }
    }
}

/// `x · Φ(x)`, with the error function of Abramowitz and Stegun 7.1.26, good to 1.5·10⁻⁷.
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut polynomial = 1.061_405_4;
    for c in [-1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        polynomial = polynomial * t + c;
    }
    let erf = (1.0 - polynomial * t * (-z * z).exp()).copysign(x);
    0.5 * x * (1.0 + erf)
}

fn layer(tensors: &Tensors, n: usize, width: usize, hidden: usize, threads: usize) -> Result<Layer, Error> {
    let name = |part: &str| format!("encoder.layer.{n}.{part}");
    let own = |part: &str, rows: usize, columns: usize| linear(tensors, &[&name(part)], rows, columns, threads);
    let qkv = ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
    Ok(Layer {
        qkv: linear(tensors, &[&qkv[0], &qkv[1], &qkv[2]], width, width, threads)?,
        output: own("attention.output.dense", width, width)?,
        attention_norm: norm(tensors, &name("attention.output.LayerNorm"), width)?,
        up: own("intermediate.dense", hidden, width)?,
        down: own("output.dense", width, hidden)?,
        norm: norm(tensors, &name("output.LayerNorm"), width)?,
    })
}

/// One product of several of the file's, each of so many rows.
fn linear(tensors: &Tensors, names: &[&str], rows: usize, columns: usize, threads: usize) -> Result<Linear, Error> {
    let (mut weights, mut bias) = (Vec::new(), Vec::new());
    for name in names {
        let table = tensors.table(&format!("{name}.weight"))?;
        if (table.rows, table.columns) != (rows, columns) {
            return Err(Error::file(format!("{name} has an unexpected shape")));
        }
        weights.extend(tensors.all(&format!("{name}.weight"))?);
        bias.extend(vector(tensors, &format!("{name}.bias"), rows)?);
    }
    let matrix = Matrix::pack(names.len() * rows, columns, threads, |row, out| {
        out.copy_from_slice(&weights[row * columns..(row + 1) * columns]);
    });
    Ok(Linear { matrix, bias })
}

fn norm(tensors: &Tensors, name: &str, width: usize) -> Result<Norm, Error> {
    Ok(Norm {
        weight: vector(tensors, &format!("{name}.weight"), width)?,
        bias: vector(tensors, &format!("{name}.bias"), width)?,
    })
}

fn vector(tensors: &Tensors, name: &str, length: usize) -> Result<Vec<f32>, Error> {
    let values = tensors.all(name)?;
    if values.len() == length { Ok(values) } else { Err(Error::file(format!("{name} has an unexpected length"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_activation_is_accurate() {
        for (x, y) in [(-3.0, -0.004_049_7), (-1.0, -0.158_655_3), (0.0, 0.0), (0.5, 0.345_731_2), (2.0, 1.954_499_7)] {
            assert!((gelu(x) - y).abs() < 1e-5, "gelu({x}) = {}", gelu(x));
        }
    }

    #[test]
    fn rows_are_normalized() {
        let norm = Norm { weight: vec![1.0, 2.0], bias: vec![0.5, 0.0] };
        let mut row = [1.0, 3.0];
        norm.apply(&mut row);
        assert!((row[0] + 0.5).abs() < 1e-5 && (row[1] - 2.0).abs() < 1e-5, "{row:?}");
    }

    #[test]
    fn tokens_look_at_what_is_like_them() {
        // One head, two tokens whose query meets only its own key.
        let mut qkv = vec![0.0; 2 * 3 * HEAD];
        for row in 0..2 {
            for which in 0..2 {
                qkv[row * 3 * HEAD + which * HEAD + row] = 20.0;
            }
            qkv[row * 3 * HEAD + 2 * HEAD] = row as f32 + 1.0;
        }
        let mut out = vec![0.0; 2 * HEAD];
        attend(&qkv, HEAD, 2, &mut out);
        assert!((out[0] - 1.0).abs() < 1e-5 && (out[HEAD] - 2.0).abs() < 1e-5, "{out:?}");
    }
}
