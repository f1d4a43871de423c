//! AVX2, with or without VNNI: eight rows of weights to a register.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_load_si128, _mm256_abs_epi8, _mm256_add_epi32, _mm256_cvtepi32_ps, _mm256_cvtph_ps,
    _mm256_dpbusd_avx_epi32, _mm256_fmadd_ps, _mm256_load_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_mul_ps, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_sign_epi8, _mm256_storeu_ps, _mm256_xor_si256,
};

use super::Work;
use super::matrix::{Block, PANEL, PANELS, Products, ROWS, Scales, Weights};

/// Compiles `work` for this level.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn run<W: Work>(work: W) -> W::Output {
    work.run::<true>()
}

macro_rules! products {
    ($(#[$doc:meta])* $name:ident, $tile:ident, $features:literal, $start:expr, $dot:ident) => {
        $(#[$doc])*
        #[target_feature(enable = $features)]
        pub(super) fn $name(
            panels: [(&[Weights], &[Scales]); PANELS],
            rows: [&[Block]; ROWS],
            count: usize,
        ) -> Products {
            let mut out = [[[0.0; PANEL]; ROWS]; PANELS];
            for (panel, out) in panels.into_iter().zip(&mut out) {
                match count {
                    1 => $tile::<1>(panel, [rows[0]], out),
                    2 => $tile::<2>(panel, [rows[0], rows[1]], out),
                    3 => $tile::<3>(panel, [rows[0], rows[1], rows[2]], out),
                    _ => $tile::<4>(panel, rows, out),
                }
            }
            out
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn $tile<const R: usize>(
            (weights, scales): (&[Weights], &[Scales]),
            rows: [&[Block]; R],
            out: &mut [[f32; PANEL]; ROWS],
        ) {
            let blocks = weights.len();
            let scales = &scales[..blocks];
            let rows = rows.map(|row| &row[..blocks]);
            let mut sums: [[__m256; R]; 2] = [[_mm256_setzero_ps(); R]; 2];
            for b in 0..blocks {
                let start: fn(&Block) -> i32 = $start;
                let mut dots: [[__m256i; R]; 2] =
                    [std::array::from_fn(|r| _mm256_set1_epi32(start(&rows[r][b]))); 2];
                for g in 0..8 {
                    #[expect(clippy::cast_ptr_alignment, reason = "`Weights` is aligned to 64")]
                    let group = (&raw const weights[b].0[g]).cast::<__m256i>();
                    for h in 0..2 {
                        // SAFETY: a group is 64 bytes, aligned to 64: two registers.
                        let w = unsafe { _mm256_load_si256(group.add(h)) };
                        for r in 0..R {
                            dots[h][r] = $dot(dots[h][r], w, _mm256_set1_epi32(rows[r][b].words[g]));
                        }
                    }
                }
                let bits = (&raw const scales[b]).cast::<__m128i>();
                for h in 0..2 {
                    // SAFETY: a block's scales are 32 bytes, aligned to 32: two registers.
                    let scale = _mm256_cvtph_ps(unsafe { _mm_load_si128(bits.add(h)) });
                    for r in 0..R {
                        let both = _mm256_mul_ps(scale, _mm256_set1_ps(rows[r][b].scale));
                        sums[h][r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[h][r]), both, sums[h][r]);
                    }
                }
            }
            for h in 0..2 {
                for r in 0..R {
                    // SAFETY: the target holds sixteen floats: two registers.
                    unsafe { _mm256_storeu_ps(out[r].as_mut_ptr().add(8 * h), sums[h][r]) };
                }
            }
        }
    };
}

products!(
    /// With the 256-bit dot product of AVX-VNNI.
    products_vnni, tile_vnni, "avx2,fma,f16c,avxvnni", |block| block.correction, dot_vnni
);
products!(
    /// With the 16-bit multiply-add of AVX2, on signed weights so that it cannot overflow.
    products, tile, "avx2,fma,f16c", |_| 0, dot
);

#[target_feature(enable = "avx2,avxvnni")]
#[inline]
fn dot_vnni(sum: __m256i, weights: __m256i, values: __m256i) -> __m256i {
    _mm256_dpbusd_avx_epi32(sum, weights, values)
}

#[target_feature(enable = "avx2")]
#[inline]
fn dot(sum: __m256i, weights: __m256i, values: __m256i) -> __m256i {
    let signed = _mm256_xor_si256(weights, _mm256_set1_epi8(-128));
    // |w| · (a with w's sign): two products of at most 127² fit sixteen bits.
    let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(signed), _mm256_sign_epi8(values, signed));
    _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
}
