//! Int8 matrices and activations, and their product.
//!
//! **Weights** lie in panels of 16 rows and blocks of 32 columns. Within a block, four consecutive values
//! of each of the 16 rows stand together (64 bytes), so that one vector instruction multiplies four
//! values of one activation with four values of 16 rows and no sum across lanes is ever needed. A weight
//! is stored as an unsigned byte, 128 added, because the int8 dot product takes one unsigned operand; what
//! that adds to each dot product depends on the activations alone and is computed with them.
//!
//! **Activations** are quantized per row and block of 32, symmetric, with their own scale.

use super::pool::{Disjoint, Pool};
use super::{Level, Work};

/// Columns that share a scale.
pub(super) const BLOCK: usize = 32;
/// Rows of a panel.
pub(super) const PANEL: usize = 16;
/// Scales are stored multiplied by this, so that small ones keep their precision as 16-bit floats.
const SCALE_UNIT: f32 = 256.0;
/// Panels multiplied together in one go.
pub(super) const PANELS: usize = 2;
/// Rows of activations multiplied together in one go.
pub(super) const ROWS: usize = 4;

/// 16 rows × 32 columns of weights: group, then row, then four columns.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Weights(pub(super) [[u8; 64]; 8]);

/// The 16 rows' scales of a block, as bits of 16-bit floats.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(super) struct Scales(pub(super) [u16; PANEL]);

/// A block of one row of activations.
#[derive(Clone, Copy, Default)]
pub(super) struct Block {
    /// 32 signed bytes, four to a word, the first in the lowest.
    pub(super) words: [i32; 8],
    /// The value of one step, divided by the unit of the weights' scales.
    pub(super) scale: f32,
    /// What must be added to a dot product because weights are stored 128 too large.
    pub(super) correction: i32,
}

/// Weights packed for the kernels.
pub(crate) struct Matrix {
    rows: usize,
    blocks: usize,
    weights: Vec<Weights>,
    scales: Vec<Scales>,
}

impl Matrix {
    /// Packs a matrix; `row` decodes one of its rows. Uses `threads` threads.
    pub(crate) fn pack(rows: usize, columns: usize, threads: usize, row: impl Fn(usize, &mut [f32]) + Sync) -> Self {
        let blocks = columns.div_ceil(BLOCK);
        let panels = rows.div_ceil(PANEL);
        let mut weights = vec![Weights([[128; 64]; 8]); panels * blocks];
        let mut scales = vec![Scales([0; PANEL]); panels * blocks];
        let level = Level::best();
        let share = panels.div_ceil(threads.max(1)).max(1);
        std::thread::scope(|scope| {
            let parts = weights.chunks_mut(share * blocks).zip(scales.chunks_mut(share * blocks));
            for (part, (weights, scales)) in parts.enumerate() {
                let row = &row;
                scope.spawn(move || {
                    let mut values = vec![0.0; blocks * BLOCK];
                    let panels = weights.chunks_mut(blocks).zip(scales.chunks_mut(blocks));
                    for (panel, (weights, scales)) in panels.enumerate() {
                        let first = (part * share + panel) * PANEL;
                        for r in 0..PANEL.min(rows - first) {
                            row(first + r, &mut values[..columns]);
                            level.run(PackRow { values: &values, row: r, weights, scales });
                        }
                    }
                });
            }
        });
        Self { rows, blocks, weights, scales }
    }

    fn panels(&self) -> usize {
        self.rows.div_ceil(PANEL)
    }

    fn panel(&self, n: usize) -> (&[Weights], &[Scales]) {
        let at = n * self.blocks;
        (&self.weights[at..at + self.blocks], &self.scales[at..at + self.blocks])
    }
}

/// Writes row `row` of a panel; `values` is padded with zeros to whole blocks.
struct PackRow<'a> {
    values: &'a [f32],
    row: usize,
    weights: &'a mut [Weights],
    scales: &'a mut [Scales],
}

impl Work for PackRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let blocks = self.values.as_chunks::<BLOCK>().0.iter();
        for (values, (block, scales)) in blocks.zip(self.weights.iter_mut().zip(self.scales)) {
            // What is stored is the rounded scale, so the values are divided by that.
            let stored = half::f16::from_f32((largest(values) / 127.0 * SCALE_UNIT).min(60_000.0));
            scales.0[self.row] = stored.to_bits();
            let scale = stored.to_f32() / SCALE_UNIT;
            let inverse = if scale > 0.0 { scale.recip() } else { 0.0 };
            let mut bytes = [0_u8; BLOCK];
            for (byte, x) in bytes.iter_mut().zip(values) {
                *byte = nearest((x * inverse).clamp(-127.0, 127.0)).cast_unsigned() ^ 0x80;
            }
            for (group, four) in block.0.iter_mut().zip(bytes.as_chunks::<4>().0) {
                group[self.row * 4..self.row * 4 + 4].copy_from_slice(four);
            }
        }
    }
}

/// The largest magnitude of a block; values that are no numbers do not count.
#[inline(always)]
fn largest(values: &[f32; BLOCK]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    for half in values.as_chunks::<16>().0 {
        for (lane, x) in lanes.iter_mut().zip(half) {
            *lane = lane.max(x.abs());
        }
    }
    lanes.iter().fold(0.0, |m, x| m.max(*x))
}

/// The integer nearest to a value of at most 127, in operations that vectorize; 0 for what is no number.
#[inline(always)]
fn nearest(x: f32) -> i8 {
    /// Adding it leaves the rounded value in the low bits of the mantissa.
    const MAGIC: f32 = 12_582_912.0;
    (x + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits()).cast_signed() as i8
}

/// Rows of quantized activations.
pub(crate) struct Activations {
    rows: usize,
    blocks: usize,
    data: Vec<Block>,
}

impl Activations {
    pub(crate) fn new() -> Self {
        Self { rows: 0, blocks: 0, data: Vec::new() }
    }

    /// Replaces the content by `rows` rows of `columns` values; `fill` writes row `n` into a scratch row.
    pub(crate) fn fill(
        &mut self,
        pool: &mut Pool,
        level: Level,
        rows: usize,
        columns: usize,
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        let blocks = columns.div_ceil(BLOCK);
        self.rows = rows;
        self.blocks = blocks;
        self.data.resize(rows * blocks, Block::default());
        pool.chunks(&mut self.data, blocks, |n, out| {
            let mut values = vec![0.0; blocks * BLOCK];
            fill(n, &mut values[..columns]);
            level.run(Quantize { values: &values, out });
        });
    }

    fn row(&self, n: usize) -> &[Block] {
        &self.data[n * self.blocks..(n + 1) * self.blocks]
    }
}

struct Quantize<'a> {
    values: &'a [f32],
    out: &'a mut [Block],
}

impl Work for Quantize<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (values, block) in self.values.as_chunks::<BLOCK>().0.iter().zip(self.out) {
            let largest = largest(values);
            let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
            let mut bytes = [0_i8; BLOCK];
            let mut sum = 0_i32;
            for (byte, x) in bytes.iter_mut().zip(values) {
                *byte = nearest(x * inverse);
                sum = sum.wrapping_add(i32::from(*byte));
            }
            for (word, four) in block.words.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *word = i32::from_le_bytes(four.map(i8::cast_unsigned));
            }
            block.scale = largest / 127.0 / SCALE_UNIT;
            block.correction = sum.wrapping_mul(-128);
        }
    }
}

/// `out[r] = matrix · activations[r]` for every row, or `out[r] += …` with `add`.
///
/// `out` has as many columns as the matrix has rows.
pub(crate) fn multiply(
    pool: &mut Pool,
    level: Level,
    matrix: &Matrix,
    activations: &Activations,
    add: bool,
    out: &mut [f32],
) {
    assert_eq!(activations.blocks, matrix.blocks, "the inner dimensions differ");
    assert_eq!(out.len(), activations.rows * matrix.rows, "the output has the wrong size");
    let pairs = matrix.panels().div_ceil(PANELS);
    // Parts small enough that the threads finish together, large enough that claiming them is nothing.
    let per_part = (pairs / (pool.threads() * 6)).clamp(1, 64);
    let out = Disjoint::new(out);
    pool.run(pairs.div_ceil(per_part), |part| {
        for pair in part * per_part..((part + 1) * per_part).min(pairs) {
            multiply_pair(level, matrix, activations, add, pair, &out);
        }
    });
}

/// Multiplies two panels with all activations. The caller gives each pair to one thread only.
fn multiply_pair(
    level: Level,
    matrix: &Matrix,
    activations: &Activations,
    add: bool,
    pair: usize,
    out: &Disjoint<'_, f32>,
) {
    let first = pair * PANELS;
    let panels: [_; PANELS] = std::array::from_fn(|p| matrix.panel((first + p).min(matrix.panels() - 1)));
    let present = PANELS.min(matrix.panels() - first);
    for row in (0..activations.rows).step_by(ROWS) {
        let count = ROWS.min(activations.rows - row);
        let rows: [_; ROWS] = std::array::from_fn(|r| activations.row((row + r).min(activations.rows - 1)));
        let products = level.products(panels, rows, count);
        for (p, products) in products.iter().enumerate().take(present) {
            let column = (first + p) * PANEL;
            let width = PANEL.min(matrix.rows - column);
            for (r, product) in products.iter().enumerate().take(count) {
                // SAFETY: these columns belong to this pair of panels, which one thread computes.
                let target = unsafe { out.slice((row + r) * matrix.rows + column, width) };
                if add {
                    target.iter_mut().zip(product).for_each(|(t, x)| *t += x);
                } else {
                    target.copy_from_slice(&product[..width]);
                }
            }
        }
    }
}

/// The products of two panels with up to four rows.
pub(super) type Products = [[[f32; PANEL]; ROWS]; PANELS];

impl Level {
    /// Multiplies two panels with the first `count` of four rows; the others' results mean nothing.
    fn products(self, panels: [(&[Weights], &[Scales]); PANELS], rows: [&[Block]; ROWS], count: usize) -> Products {
        match self {
            Self::Scalar => super::scalar::products(panels, rows, count),
            // SAFETY: a level other than `Scalar` exists only where `available` found its features.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { super::avx2::products(panels, rows, count) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => unsafe { super::avx2::products_vnni(panels, rows, count) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { super::avx512::products(panels, rows, count) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator; tests must not depend on chance.
    fn noise(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
        }
    }

    fn compute(level: Level, threads: usize, shape: (usize, usize, usize), add: bool) -> (Vec<f32>, Vec<f32>) {
        let (rows, columns, inputs) = shape;
        let mut next = noise(rows as u64 * 31 + columns as u64);
        let w: Vec<f32> = (0..rows * columns).map(|_| next() * 0.05).collect();
        let x: Vec<f32> = (0..inputs * columns).map(|_| next() * 3.0).collect();
        let mut pool = Pool::new(threads).unwrap();
        let matrix = Matrix::pack(rows, columns, threads, |r, out| {
            out.copy_from_slice(&w[r * columns..(r + 1) * columns]);
        });
        let mut activations = Activations::new();
        activations.fill(&mut pool, level, inputs, columns, |n, out| {
            out.copy_from_slice(&x[n * columns..(n + 1) * columns]);
        });
        let mut out = vec![1.0; inputs * rows];
        multiply(&mut pool, level, &matrix, &activations, add, &mut out);
        let exact = (0..inputs * rows)
            .map(|i| {
                let (n, r) = (i / rows, i % rows);
                let dot: f32 = (0..columns).map(|k| w[r * columns + k] * x[n * columns + k]).sum();
                dot + if add { 1.0 } else { 0.0 }
            })
            .collect();
        (out, exact)
    }

    #[test]
    fn every_level_agrees_with_the_scalar_one_and_with_floats() {
        let shapes = [(1, 1, 1), (16, 32, 1), (33, 64, 3), (48, 100, 4), (70, 257, 5), (17, 31, 9), (200, 576, 6)];
        for shape in shapes {
            for add in [false, true] {
                let (scalar, exact) = compute(Level::Scalar, 1, shape, add);
                for level in Level::available() {
                    let (out, _) = compute(level, 2, shape, add);
                    for ((a, b), e) in out.iter().zip(&scalar).zip(&exact) {
                        assert!((a - b).abs() < 1e-4, "{level:?} {shape:?}: {a}, scalar {b}");
                        let bound = 0.02 * (shape.1 as f32).sqrt();
                        assert!((a - e).abs() < bound, "{level:?} {shape:?}: {a}, exact {e}");
                    }
                }
            }
        }
    }
}
