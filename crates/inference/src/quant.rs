//! Decodes the tensor encodings of GGUF files to `f32`, one row at a time.
//!
//! The layouts are ggml's (`ggml-common.h` and `ggml-quants.c` define them). Nothing here is fast on
//! purpose: a tensor is decoded once, at load, and repacked for the kernels.

use half::{bf16, f16};

/// How a tensor's values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

impl Encoding {
    /// The encoding with this number in the file format.
    pub(crate) fn from_id(id: u32) -> Option<Self> {
        Some(match id {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::Bf16,
            _ => return None,
        })
    }

    /// Values in a block, and its bytes.
    pub(crate) fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }

    /// The bytes of a row of `columns` values.
    pub(crate) fn row_bytes(self, columns: usize) -> usize {
        let (values, bytes) = self.block();
        columns / values * bytes
    }

    /// Decodes as many whole blocks as both sides hold.
    pub(crate) fn decode(self, bytes: &[u8], out: &mut [f32]) {
        let (values, size) = self.block();
        let blocks = bytes.chunks_exact(size).zip(out.chunks_exact_mut(values));
        let decode = match self {
            Self::F32 => |b: &[u8], y: &mut [f32]| y[0] = f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            Self::F16 => |b: &[u8], y: &mut [f32]| y[0] = half(b, 0),
            Self::Bf16 => |b: &[u8], y: &mut [f32]| y[0] = bf16::from_le_bytes([b[0], b[1]]).to_f32(),
            Self::Q4_0 => q4_0,
            Self::Q4_1 => q4_1,
            Self::Q5_0 => q5_0,
            Self::Q5_1 => q5_1,
            Self::Q8_0 => q8_0,
            Self::Q4K => q4_k,
            Self::Q5K => q5_k,
            Self::Q6K => q6_k,
        };
        for (block, y) in blocks {
            decode(block, y);
        }
    }
}

fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

fn q4_0(b: &[u8], y: &mut [f32]) {
    let d = half(b, 0);
    for (j, q) in b[2..18].iter().enumerate() {
        y[j] = d * (f32::from(q & 15) - 8.0);
        y[j + 16] = d * (f32::from(q >> 4) - 8.0);
    }
}

fn q4_1(b: &[u8], y: &mut [f32]) {
    let (d, m) = (half(b, 0), half(b, 2));
    for (j, q) in b[4..20].iter().enumerate() {
        y[j] = d * f32::from(q & 15) + m;
        y[j + 16] = d * f32::from(q >> 4) + m;
    }
}

/// The two five-bit values that byte `j` of a Q5 block begins: four bits each, the fifth in `high`.
fn five_bits(q: u8, high: u32, j: usize) -> (f32, f32) {
    let low = u32::from(q & 15) | (high >> j & 1) << 4;
    let upper = u32::from(q >> 4) | (high >> (j + 16) & 1) << 4;
    (low as f32, upper as f32)
}

fn q5_0(b: &[u8], y: &mut [f32]) {
    let d = half(b, 0);
    let high = u32::from_le_bytes([b[2], b[3], b[4], b[5]]);
    for (j, q) in b[6..22].iter().enumerate() {
        let (low, upper) = five_bits(*q, high, j);
        y[j] = d * (low - 16.0);
        y[j + 16] = d * (upper - 16.0);
    }
}

fn q5_1(b: &[u8], y: &mut [f32]) {
    let (d, m) = (half(b, 0), half(b, 2));
    let high = u32::from_le_bytes([b[4], b[5], b[6], b[7]]);
    for (j, q) in b[8..24].iter().enumerate() {
        let (low, upper) = five_bits(*q, high, j);
        y[j] = d * low + m;
        y[j + 16] = d * upper + m;
    }
}

fn q8_0(b: &[u8], y: &mut [f32]) {
    let d = half(b, 0);
    for (y, q) in y.iter_mut().zip(&b[2..34]) {
        *y = d * f32::from(q.cast_signed());
    }
}

/// Scale and minimum of sub-block `j` (of eight), six bits each, packed in twelve bytes.
fn scale_min(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, min) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4)
    };
    (f32::from(scale), f32::from(min))
}

fn q4_k(b: &[u8], y: &mut [f32]) {
    let (d, dmin, scales) = (half(b, 0), half(b, 2), &b[4..16]);
    for (pair, (q, y)) in b[16..144].chunks_exact(32).zip(y.chunks_exact_mut(64)).enumerate() {
        let (s0, m0) = scale_min(scales, 2 * pair);
        let (s1, m1) = scale_min(scales, 2 * pair + 1);
        for (l, q) in q.iter().enumerate() {
            y[l] = d * s0 * f32::from(q & 15) - dmin * m0;
            y[l + 32] = d * s1 * f32::from(q >> 4) - dmin * m1;
        }
    }
}

fn q5_k(b: &[u8], y: &mut [f32]) {
    let (d, dmin, scales, high) = (half(b, 0), half(b, 2), &b[4..16], &b[16..48]);
    for (pair, (q, y)) in b[48..176].chunks_exact(32).zip(y.chunks_exact_mut(64)).enumerate() {
        let (s0, m0) = scale_min(scales, 2 * pair);
        let (s1, m1) = scale_min(scales, 2 * pair + 1);
        for (l, (q, h)) in q.iter().zip(high).enumerate() {
            let (h0, h1) = (h >> (2 * pair) & 1, h >> (2 * pair + 1) & 1);
            y[l] = d * s0 * f32::from(q & 15 | h0 << 4) - dmin * m0;
            y[l + 32] = d * s1 * f32::from(q >> 4 | h1 << 4) - dmin * m1;
        }
    }
}

#[expect(clippy::many_single_char_names, reason = "ggml's names for the parts of a block")]
fn q6_k(b: &[u8], y: &mut [f32]) {
    let d = half(b, 208);
    for (part, y) in y.chunks_exact_mut(128).enumerate() {
        let low = &b[64 * part..][..64];
        let high = &b[128 + 32 * part..][..32];
        let scales = &b[192 + 8 * part..][..8];
        let scale = |i: usize| d * f32::from(scales[i].cast_signed());
        for l in 0..32 {
            let (a, c, h, s) = (low[l], low[l + 32], high[l], l / 16);
            let value = |bits: u8, two: u8| f32::from(bits | (two & 3) << 4) - 32.0;
            y[l] = scale(s) * value(a & 15, h);
            y[l + 32] = scale(s + 2) * value(c & 15, h >> 2);
            y[l + 64] = scale(s + 4) * value(a >> 4, h >> 4);
            y[l + 96] = scale(s + 6) * value(c >> 4, h >> 6);
        }
    }
}
