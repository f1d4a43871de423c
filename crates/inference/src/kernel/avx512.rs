//! AVX-512 with VNNI: sixteen rows of weights to a register.

use std::arch::x86_64::{
    __m256i, __m512, __m512i, _mm256_load_si256, _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_dpbusd_epi32,
    _mm512_fmadd_ps, _mm512_load_si512, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_setzero_si512, _mm512_storeu_ps,
};

use super::Work;
use super::matrix::{Block, PANEL, PANELS, Products, ROWS, Scales, Weights};

/// Compiles `work` for this level.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn run<W: Work>(work: W) -> W::Output {
    work.run::<true>()
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn products(panels: [(&[Weights], &[Scales]); PANELS], rows: [&[Block]; ROWS], count: usize) -> Products {
    let mut out = [[[0.0; PANEL]; ROWS]; PANELS];
    match count {
        1 => tile::<1>(panels, [rows[0]], &mut out),
        2 => tile::<2>(panels, [rows[0], rows[1]], &mut out),
        3 => tile::<3>(panels, [rows[0], rows[1], rows[2]], &mut out),
        _ => tile::<4>(panels, rows, &mut out),
    }
    out
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
#[inline]
fn tile<const R: usize>(panels: [(&[Weights], &[Scales]); PANELS], rows: [&[Block]; R], out: &mut Products) {
    let blocks = panels[0].0.len();
    let weights = panels.map(|(weights, _)| &weights[..blocks]);
    let scales = panels.map(|(_, scales)| &scales[..blocks]);
    let rows = rows.map(|row| &row[..blocks]);
    let mut sums: [[__m512; R]; PANELS] = [[_mm512_setzero_ps(); R]; PANELS];
    for b in 0..blocks {
        let mut dots: [[__m512i; R]; PANELS] = [[_mm512_setzero_si512(); R]; PANELS];
        for r in 0..R {
            let correction = _mm512_set1_epi32(rows[r][b].correction);
            for dots in &mut dots {
                dots[r] = correction;
            }
        }
        for g in 0..8 {
            for p in 0..PANELS {
                // SAFETY: a group is 64 bytes, aligned to 64.
                let w = unsafe { _mm512_load_si512((&raw const weights[p][b].0[g]).cast()) };
                for r in 0..R {
                    dots[p][r] = _mm512_dpbusd_epi32(dots[p][r], w, _mm512_set1_epi32(rows[r][b].words[g]));
                }
            }
        }
        for p in 0..PANELS {
            // SAFETY: a block's scales are 32 bytes, aligned to 32.
            let bits = unsafe { _mm256_load_si256((&raw const scales[p][b]).cast::<__m256i>()) };
            let scale = _mm512_cvtph_ps(bits);
            for r in 0..R {
                let both = _mm512_mul_ps(scale, _mm512_set1_ps(rows[r][b].scale));
                sums[p][r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[p][r]), both, sums[p][r]);
            }
        }
    }
    for p in 0..PANELS {
        for r in 0..R {
            // SAFETY: the target holds sixteen floats.
            unsafe { _mm512_storeu_ps(out[p][r].as_mut_ptr(), sums[p][r]) };
        }
    }
}
