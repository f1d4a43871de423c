//! The product of panels and rows in plain code: the reference, and what runs without special instructions.

use super::matrix::{Block, PANEL, PANELS, Products, ROWS, Scales, Weights};

pub(super) fn products(panels: [(&[Weights], &[Scales]); PANELS], rows: [&[Block]; ROWS], count: usize) -> Products {
    let mut out = [[[0.0; PANEL]; ROWS]; PANELS];
    for ((weights, scales), out) in panels.iter().zip(&mut out) {
        for (row, sums) in rows.iter().zip(out).take(count) {
            for ((weights, scales), block) in weights.iter().zip(*scales).zip(*row) {
                let mut dots = [block.correction; PANEL];
                for (group, word) in weights.0.iter().zip(block.words) {
                    let four = word.to_le_bytes().map(|b| i32::from(b.cast_signed()));
                    for (dot, w) in dots.iter_mut().zip(group.as_chunks::<4>().0) {
                        let products = i32::from(w[0]) * four[0]
                            + i32::from(w[1]) * four[1]
                            + i32::from(w[2]) * four[2]
                            + i32::from(w[3]) * four[3];
                        *dot += products;
                    }
                }
                for ((sum, dot), scale) in sums.iter_mut().zip(dots).zip(scales.0) {
                    *sum += dot as f32 * half::f16::from_bits(scale).to_f32() * block.scale;
                }
            }
        }
    }
    out
}
