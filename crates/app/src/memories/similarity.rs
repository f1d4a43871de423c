//! How much two texts have to do with each other, on one scale for every way of telling.
//!
//! `memory_config.min_similarity` is a number that a user sets once. What an embedder calls alike is its own matter: with
//! one, texts that have to do with each other are at a cosine of 0.3, with another at 0.8. So each way of telling says
//! which of its values is the border, and that value becomes 0.75, the setting's default.

use std::{future::Future, pin::Pin};

/// The border on the common scale.
const BORDER: f64 = 0.75;

/// A future behind a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tells what texts mean.
pub trait Embedder: Send + Sync + 'static {
    /// The model's name: only what one model says can be compared.
    fn name(&self) -> &str;

    /// The cosine from which on two texts have to do with each other.
    fn border(&self) -> f64;

    /// A vector of length 1 for each text; `None` while the model is not there.
    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Option<Vec<Vec<f32>>>>;
}

/// A raw value on the common scale: 0 stays 0, `border` becomes 0.75, 1 stays 1.
pub(super) fn scale(raw: f64, border: f64) -> f64 {
    if raw <= 0.0 {
        0.0
    } else if raw < border {
        raw / border * BORDER
    } else {
        BORDER + (raw.min(1.0) - border) / (1.0 - border) * (1.0 - BORDER)
    }
}

/// The cosine of two vectors of length 1; 0 for vectors that cannot be compared.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return 0.0;
    }
    f64::from(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_one_for_all() {
        for (raw, scaled) in
            [(-1.0, 0.0), (0.0, 0.0), (0.15, 0.375), (0.3, 0.75), (0.65, 0.875), (1.0, 1.0), (1.1, 1.0)]
        {
            assert!((scale(raw, 0.3) - scaled).abs() < 1e-9, "{raw}");
        }
    }

    #[test]
    fn vectors_are_compared() {
        assert!((cosine(&[0.6, 0.8], &[0.8, 0.6]) - 0.96).abs() < 1e-6);
        assert!(cosine(&[1.0], &[1.0, 0.0]).abs() < 1e-9);
    }
}
