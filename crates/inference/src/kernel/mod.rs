//! The arithmetic: int8 matrix products, attention and the small steps between, on a pool of threads.
//!
//! Which instructions are used is decided at run time ([`Level`]); every level gives the same result as
//! the scalar code up to rounding, and the tests hold them to it. Knows no model and no file.

#![expect(
    unsafe_code,
    reason = "SIMD loads, calls into code compiled for more instructions than the target's, and a thread \
              pool that lends borrowed work to its threads; each use states why it is sound"
)]
#![expect(
    clippy::inline_always,
    reason = "a loop becomes vector code only inside the function that enables the instructions: not inlined, it \
              would be compiled for the plain target"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

pub(crate) mod attention;
mod matrix;
pub(crate) mod ops;
mod pool;
mod scalar;

pub(crate) use matrix::{Activations, Matrix, multiply};
pub(crate) use pool::Pool;

/// The instructions in use, best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Whatever the compiler's target has; on aarch64 that includes NEON.
    Scalar,
    /// AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX2 and the 256-bit int8 dot product.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// AVX-512 (F, BW, VL) and its int8 dot product.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
}

impl Level {
    /// Every level this processor has.
    pub(crate) fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "only x86-64 has more levels"))]
        let mut levels = vec![Self::Scalar];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
            levels.push(Self::Avx2);
            if is_x86_feature_detected!("avxvnni") {
                levels.push(Self::AvxVnni);
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
            {
                levels.push(Self::Avx512Vnni);
            }
        }
        levels
    }

    /// The best level this processor has.
    pub(crate) fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Scalar)
    }

    /// Tells the operator which instructions are in use, and loudly if they are slow ones.
    pub(crate) fn report(self) {
        if cfg!(target_arch = "x86_64") && self == Self::Scalar {
            tracing::warn!("This processor lacks AVX2, FMA or F16C: the embedded model will be about ten times slower");
        } else {
            tracing::debug!(instructions = ?self, "the embedded model's arithmetic");
        }
    }

    /// Runs `work` compiled for this level's instructions.
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        match self {
            Self::Scalar => work.run::<false>(),
            // SAFETY: a level other than `Scalar` exists only where `available` found its features.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 | Self::AvxVnni => unsafe { avx2::run(work) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { avx512::run(work) },
        }
    }
}

/// A loop that the compiler turns into vector code, once per level. `run` must be `#[inline(always)]`.
pub(crate) trait Work {
    type Output;

    /// With `FMA` the target has fused multiply-add; without, asking for it would call a slow routine.
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// `a * b + c`, fused where that is fast.
#[inline(always)]
fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}
