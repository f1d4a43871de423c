//! The steps between the matrix products: exponential, normalization, gating, rotation.

use super::{Work, multiply_add};

/// `eˣ` to about 2·10⁻⁷, in operations that vectorize. Below −87 it gives about 10⁻³⁸, not 0.
#[inline(always)]
pub(super) fn exp<const FMA: bool>(x: f32) -> f32 {
    /// Adding it rounds to an integer, left in the low bits of the mantissa.
    const MAGIC: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = multiply_add::<FMA>(x, std::f32::consts::LOG2_E, MAGIC);
    let n = shifted - MAGIC;
    // ln 2 in two parts, so that n·ln 2 is subtracted without losing bits.
    let r = multiply_add::<FMA>(n, -0.693_359_4, x);
    let r = multiply_add::<FMA>(n, 2.121_944_4e-4, r);
    let mut p = 1.0 / 720.0;
    for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = multiply_add::<FMA>(p, r, c);
    }
    let power = shifted.to_bits().wrapping_sub(MAGIC.to_bits()).wrapping_add(127) << 23;
    p * f32::from_bits(power)
}

/// Root-mean-square normalization of one row.
pub(crate) struct Norm<'a> {
    pub(crate) input: &'a [f32],
    pub(crate) weight: &'a [f32],
    pub(crate) epsilon: f32,
    pub(crate) out: &'a mut [f32],
}

impl Work for Norm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let mut lanes = [0.0_f32; 16];
        let (chunks, rest) = self.input.as_chunks::<16>();
        for chunk in chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *lane = multiply_add::<FMA>(*x, *x, *lane);
            }
        }
        let squares: f32 = lanes.iter().sum::<f32>() + rest.iter().map(|x| x * x).sum::<f32>();
        let scale = (squares / self.input.len() as f32 + self.epsilon).sqrt().recip();
        for ((out, x), w) in self.out.iter_mut().zip(self.input).zip(self.weight) {
            *out = x * scale * w;
        }
    }
}

/// `out = silu(input) · up`.
pub(crate) struct Gate<'a> {
    pub(crate) input: &'a [f32],
    pub(crate) up: &'a [f32],
    pub(crate) out: &'a mut [f32],
}

impl Work for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((out, g), up) in self.out.iter_mut().zip(self.input).zip(self.up) {
            *out = g / (1.0 + exp::<FMA>(-g)) * up;
        }
    }
}

/// Which two values of a head are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// Neighbours, as files of the `llama` architecture order them.
    Neighbours,
    /// The first half with the second half ("neox").
    Halves,
}

/// Rotates each head of a row by its position; `turns` holds cosine and sine per pair.
pub(crate) fn rotate(row: &mut [f32], dimension: usize, turns: &[(f32, f32)], pairs: Pairs) {
    let half = turns.len();
    for head in row.chunks_exact_mut(dimension) {
        match pairs {
            Pairs::Neighbours => {
                for ([a, b], (cos, sin)) in head.as_chunks_mut::<2>().0.iter_mut().zip(turns) {
                    (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
                }
            }
            Pairs::Halves => {
                let (first, second) = head.split_at_mut(half);
                for ((a, b), (cos, sin)) in first.iter_mut().zip(second).zip(turns) {
                    (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_is_accurate() {
        for i in -8600..8700 {
            let x = i as f32 / 100.0;
            for y in [exp::<false>(x), exp::<true>(x)] {
                assert!((y / x.exp() - 1.0).abs() < 1e-6, "exp({x}) = {y}, not {}", x.exp());
            }
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "a quarter turn and none are exact")]
    fn rotation_turns_the_right_pairs() {
        let quarter = [(0.0, 1.0), (1.0, 0.0)];
        let mut row = [1.0, 2.0, 3.0, 4.0];
        rotate(&mut row, 4, &quarter, Pairs::Neighbours);
        assert_eq!(row, [-2.0, 1.0, 3.0, 4.0]);
        let mut row = [1.0, 2.0, 3.0, 4.0];
        rotate(&mut row, 4, &quarter, Pairs::Halves);
        assert_eq!(row, [-3.0, 2.0, 1.0, 4.0]);
    }
}
