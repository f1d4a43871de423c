//! Attention over a cache of 16-bit keys and values, in one pass (online softmax).
//!
//! Keys are stored transposed in tiles of 32 positions, so that the scores of 32 positions are computed
//! side by side; values are stored row after row. Queries that share a key head are computed together, so
//! that each tile is converted to `f32` once for all of them.

use super::ops::exp;
use super::pool::{Disjoint, Pool};
use super::{Level, Work, multiply_add};

/// Positions in a tile of keys.
pub(crate) const TILE: usize = 32;
/// Queries computed together, at least; a group of heads is never divided.
const QUERIES: usize = 16;

/// The heads of a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    /// Query heads; a multiple of `key_heads`.
    pub(crate) query: usize,
    pub(crate) key: usize,
    /// Values in a head.
    pub(crate) dimension: usize,
}

/// Some rows of one sequence: row `i` sees positions up to and including `start + i`.
pub(crate) struct Segment<'a> {
    /// Tiles of keys: tile, key head, dimension, position in the tile; bits of 16-bit floats.
    pub(crate) keys: &'a [u16],
    /// Values: position, key head, dimension.
    pub(crate) values: &'a [u16],
    /// The position of the first row.
    pub(crate) start: usize,
    /// The first row among the batch's rows.
    pub(crate) row: usize,
    pub(crate) rows: usize,
}

/// Attention of every segment. `queries` has `stride` values a row, the heads first; `out` has the heads only.
pub(crate) fn attend(
    pool: &mut Pool,
    level: Level,
    heads: Heads,
    segments: &[Segment<'_>],
    queries: &[f32],
    stride: usize,
    out: &mut [f32],
) {
    let group = heads.query / heads.key;
    let together = QUERIES.div_ceil(group);
    let mut parts = Vec::new();
    // Later rows see more and take longer: first, so that the threads finish together.
    for segment in segments {
        for first in (0..segment.rows).step_by(together).rev() {
            let rows = together.min(segment.rows - first);
            parts.extend((0..heads.key).map(|head| (segment, first, rows, head)));
        }
    }
    let width = heads.query * heads.dimension;
    let out = Disjoint::new(out);
    pool.run(parts.len(), |n| {
        let (segment, first, rows, head) = parts[n];
        let result = level.run(Part { heads, segment, first, rows, head, queries, stride });
        for (row, result) in result.chunks_exact(group * heads.dimension).enumerate() {
            let at = (segment.row + first + row) * width + head * group * heads.dimension;
            // SAFETY: a part has these rows and this group of heads to itself.
            unsafe { out.slice(at, result.len()) }.copy_from_slice(result);
        }
    });
}

/// Some rows of a segment and one key head with its query heads.
struct Part<'a> {
    heads: Heads,
    segment: &'a Segment<'a>,
    first: usize,
    rows: usize,
    head: usize,
    queries: &'a [f32],
    stride: usize,
}

impl Work for Part<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Vec<f32> {
        let dimension = self.heads.dimension;
        let group = self.heads.query / self.heads.key;
        let count = self.rows * group;
        let scale = (dimension as f32).sqrt().recip();

        let mut queries = vec![0.0; count * dimension];
        for (row, target) in queries.chunks_exact_mut(group * dimension).enumerate() {
            let at = (self.segment.row + self.first + row) * self.stride + self.head * group * dimension;
            for (q, x) in target.iter_mut().zip(&self.queries[at..at + group * dimension]) {
                *q = x * scale;
            }
        }
        let mut out = vec![0.0; count * dimension];
        let mut largest = vec![f32::NEG_INFINITY; count];
        let mut total = vec![0.0_f32; count];
        let mut keys = vec![[0.0_f32; TILE]; dimension];
        let mut values = vec![0.0_f32; TILE * dimension];

        let last = self.segment.start + self.first + self.rows - 1;
        let stride = self.heads.key * dimension;
        for tile in 0..=last / TILE {
            let at = tile * stride * TILE + self.head * dimension * TILE;
            let stored = self.segment.keys[at..at + dimension * TILE].as_chunks::<TILE>().0;
            for (key, bits) in keys.iter_mut().zip(stored) {
                for (x, b) in key.iter_mut().zip(bits) {
                    *x = widen(*b);
                }
            }
            let first = tile * TILE;
            let present = TILE.min(last + 1 - first);
            for (position, row) in values.chunks_exact_mut(dimension).enumerate().take(present) {
                let at = (first + position) * stride + self.head * dimension;
                for (x, b) in row.iter_mut().zip(&self.segment.values[at..at + dimension]) {
                    *x = widen(*b);
                }
            }
            for q in 0..count {
                let position = self.segment.start + self.first + q / group;
                if position < first {
                    continue;
                }
                let visible = TILE.min(position + 1 - first);
                let query = &queries[q * dimension..(q + 1) * dimension];
                let mut scores = scores::<FMA>(query, &keys);
                for score in &mut scores[visible..] {
                    *score = f32::NEG_INFINITY;
                }
                let top = scores.iter().fold(largest[q], |a, b| a.max(*b));
                let shrink = exp::<FMA>(largest[q] - top);
                largest[q] = top;
                for score in &mut scores {
                    *score = exp::<FMA>(*score - top);
                }
                total[q] = total[q] * shrink + scores[..visible].iter().sum::<f32>();
                let out = &mut out[q * dimension..(q + 1) * dimension];
                accumulate::<FMA>(out, shrink, &scores[..visible], &values);
            }
        }
        for (out, total) in out.chunks_exact_mut(dimension).zip(total) {
            for x in out {
                *x /= total;
            }
        }
        out
    }
}

/// The scores of a tile's positions.
#[inline(always)]
fn scores<const FMA: bool>(query: &[f32], keys: &[[f32; TILE]]) -> [f32; TILE] {
    // Two sums, so that one addition need not wait for the one before.
    let mut sums = [[0.0_f32; TILE]; 2];
    let (pairs, rest) = query.as_chunks::<2>();
    let (key_pairs, key_rest) = keys.as_chunks::<2>();
    for (q, k) in pairs.iter().zip(key_pairs) {
        for i in 0..TILE {
            sums[0][i] = multiply_add::<FMA>(q[0], k[0][i], sums[0][i]);
            sums[1][i] = multiply_add::<FMA>(q[1], k[1][i], sums[1][i]);
        }
    }
    for (q, k) in rest.iter().zip(key_rest) {
        for i in 0..TILE {
            sums[0][i] = multiply_add::<FMA>(*q, k[i], sums[0][i]);
        }
    }
    std::array::from_fn(|i| sums[0][i] + sums[1][i])
}

/// `out = out · shrink + Σ weights · values`.
#[inline(always)]
fn accumulate<const FMA: bool>(out: &mut [f32], shrink: f32, weights: &[f32], values: &[f32]) {
    let dimension = out.len();
    let (chunks, rest) = out.as_chunks_mut::<32>();
    let whole = chunks.len() * 32;
    for (n, chunk) in chunks.iter_mut().enumerate() {
        let mut sums = chunk.map(|x| x * shrink);
        for (w, value) in weights.iter().zip(values.chunks_exact(dimension)) {
            for (sum, x) in sums.iter_mut().zip(&value[n * 32..n * 32 + 32]) {
                *sum = multiply_add::<FMA>(*w, *x, *sum);
            }
        }
        *chunk = sums;
    }
    for (i, x) in rest.iter_mut().enumerate() {
        let sum: f32 = weights.iter().zip(values.chunks_exact(dimension)).map(|(w, v)| w * v[whole + i]).sum();
        *x = *x * shrink + sum;
    }
}

/// A finite 16-bit float as `f32`, in operations that vectorize.
#[inline(always)]
fn widen(bits: u16) -> f32 {
    /// 2¹¹², the difference of the exponents' offsets.
    const SHIFT: f32 = f32::from_bits(0x7780_0000);
    let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * SHIFT;
    f32::from_bits(magnitude.to_bits() | u32::from(bits & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widening_is_exact() {
        for bits in 0..=u16::MAX {
            let exact = half::f16::from_bits(bits);
            if exact.is_finite() {
                assert_eq!(widen(bits).to_bits(), exact.to_f32().to_bits(), "{bits:#x}");
            }
        }
    }

    #[test]
    fn every_level_agrees_with_the_definition() {
        let heads = Heads { query: 6, key: 2, dimension: 36 };
        let (start, rows) = (61_usize, 9);
        let (positions, stride) = (start + rows, heads.key * heads.dimension);
        let value = |n: usize| ((n * 7919 % 1013) as f32 / 1013.0 - 0.5) * 2.0;
        let bits = |x: f32| half::f16::from_f32(x).to_bits();
        let mut keys = vec![0; positions.div_ceil(TILE) * TILE * stride];
        let mut values = vec![0; positions * stride];
        for p in 0..positions {
            for i in 0..stride {
                keys[p / TILE * TILE * stride + i * TILE + p % TILE] = bits(value(p * stride + i));
                values[p * stride + i] = bits(value(p * stride + i + 5));
            }
        }
        let width = heads.query * heads.dimension;
        let queries: Vec<f32> = (0..rows * width).map(|n| value(n + 3) * 4.0).collect();
        let round = |x: f32| half::f16::from_f32(x).to_f32();
        let mut exact = vec![0.0; rows * width];
        for row in 0..rows {
            for head in 0..heads.query {
                let kv = head / 3 * heads.dimension;
                let q = &queries[row * width + head * heads.dimension..][..heads.dimension];
                let weights: Vec<f32> = (0..=start + row)
                    .map(|p| {
                        let dot: f32 = q.iter().enumerate().map(|(d, q)| q * round(value(p * stride + kv + d))).sum();
                        (dot / (heads.dimension as f32).sqrt()).exp()
                    })
                    .collect();
                let total: f32 = weights.iter().sum();
                for d in 0..heads.dimension {
                    let sum: f32 =
                        weights.iter().enumerate().map(|(p, w)| w * round(value(p * stride + kv + d + 5))).sum();
                    exact[row * width + head * heads.dimension + d] = sum / total;
                }
            }
        }
        for level in Level::available() {
            let mut pool = Pool::new(2).unwrap();
            let segment = Segment { keys: &keys, values: &values, start, row: 0, rows };
            let mut out = vec![0.0; rows * width];
            attend(&mut pool, level, heads, &[segment], &queries, width, &mut out);
            for (a, b) in out.iter().zip(&exact) {
                assert!((a - b).abs() < 1e-4, "{level:?}: {a}, exactly {b}");
            }
        }
    }
}
