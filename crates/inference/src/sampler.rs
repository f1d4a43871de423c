//! Chooses the next token from the model's scores.
//!
//! The order is the usual one: penalties and biases, the grammar's mask, then temperature, top-k, top-p and
//! min-p. Chance comes from a generator of our own, so that a seed means the same on every machine.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::request::Sampling;

/// Scores this much below the best, after temperature, are never drawn: e⁻²⁰ is 2·10⁻⁹.
const NEGLIGIBLE: f32 = 20.0;

/// The state of choosing for one sequence.
pub(crate) struct Sampler {
    options: Sampling,
    /// Tokens of the prompt and the answer, with their number of occurrences in the answer.
    seen: HashMap<u32, u32>,
    random: Random,
}

/// How likely a token was, and which were likeliest.
pub(crate) struct Probabilities {
    pub(crate) chosen: f32,
    pub(crate) top: Vec<(u32, f32)>,
}

impl Sampler {
    pub(crate) fn new(options: Sampling, prompt: &[u32]) -> Self {
        let seed = options.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
        let seen = prompt.iter().map(|token| (*token, 0)).collect();
        Self { options, seen, random: Random(seed) }
    }

    /// Chooses a token; `allowed` says which ones the grammar admits. Changes the scores. Nothing if no allowed
    /// token has a score that is a number.
    pub(crate) fn choose(&mut self, logits: &mut [f32], allowed: impl Fn(u32) -> bool) -> Option<u32> {
        self.adjust(logits);
        let options = &self.options;
        let candidates = (0_u32..).zip(logits.iter().copied()).filter(|(id, x)| !x.is_nan() && allowed(*id));
        let (best, top) = candidates.clone().reduce(|a, b| if b.1 > a.1 { b } else { a })?;
        if !top.is_finite() {
            return None;
        }
        let chosen = if options.temperature <= 0.0 || options.top_k == 1 {
            best
        } else {
            let temperature = options.temperature.max(1e-3);
            let floor = top - NEGLIGIBLE * temperature;
            let weight = |(id, x): (u32, f32)| (id, ((x - top) / temperature).exp());
            let mut weights: Vec<_> = candidates.filter(|(_, x)| *x >= floor).map(weight).collect();
            // Equal weights by id, so that the order never depends on the sorting algorithm.
            weights.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            cut(&mut weights, options);
            draw(&weights, self.random.unit())
        };
        *self.seen.entry(chosen).or_default() += 1;
        Some(chosen)
    }

    fn adjust(&self, logits: &mut [f32]) {
        let options = &self.options;
        if options.penalizes() {
            for (token, count) in &self.seen {
                let Some(x) = logits.get_mut(*token as usize) else { continue };
                *x = if *x > 0.0 { *x / options.repetition_penalty } else { *x * options.repetition_penalty };
                if *count > 0 {
                    *x -= options.presence_penalty + options.frequency_penalty * *count as f32;
                }
            }
        }
        for (token, bias) in &options.logit_bias {
            if let Some(x) = logits.get_mut(*token as usize) {
                *x += bias;
            }
        }
    }
}

/// Applies top-k, top-p and min-p to weights in descending order; at least one remains.
fn cut(weights: &mut Vec<(u32, f32)>, options: &Sampling) {
    if options.top_k > 0 {
        weights.truncate(options.top_k as usize);
    }
    if options.top_p < 1.0 {
        let enough = options.top_p * weights.iter().map(|(_, w)| w).sum::<f32>();
        let mut sum = 0.0;
        let last = weights.iter().position(|(_, w)| {
            sum += w;
            sum >= enough
        });
        weights.truncate(last.map_or(weights.len(), |n| n + 1));
    }
    if options.min_p > 0.0 {
        let least = options.min_p * weights[0].1;
        weights.truncate(weights.partition_point(|(_, w)| *w >= least).max(1));
    }
}

/// The token at `unit` (0 to 1) of the weights laid end to end.
fn draw(weights: &[(u32, f32)], unit: f64) -> u32 {
    let mut rest = unit * weights.iter().map(|(_, w)| f64::from(*w)).sum::<f64>();
    for (token, weight) in weights {
        rest -= f64::from(*weight);
        if rest < 0.0 {
            return *token;
        }
    }
    weights.last().map_or(0, |(token, _)| *token)
}

/// The logarithms of the probabilities of one token and of the `count` likeliest ones.
pub(crate) fn probabilities(logits: &[f32], chosen: u32, count: usize) -> Probabilities {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|x| (x - top).exp()).sum();
    let total = top + sum.ln();
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    let order = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    if count < ids.len() {
        ids.select_nth_unstable_by(count, order);
        ids.truncate(count);
    }
    ids.sort_unstable_by(order);
    Probabilities {
        chosen: logits.get(chosen as usize).map_or(f32::NEG_INFINITY, |x| x - total),
        top: ids.into_iter().map(|id| (id, logits[id as usize] - total)).collect(),
    }
}

/// `SplitMix64`: one word of state, equal on every machine. Not for secrets.
struct Random(u64);

impl Random {
    /// A number from 0 (included) to 1 (excluded).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [1.0, 3.0, 2.0, -1.0, 2.5];

    fn draws(options: &Sampling, count: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(options.clone(), &[]);
        (0..count).filter_map(|_| sampler.choose(&mut LOGITS.clone(), |_| true)).collect()
    }

    fn seeded() -> Sampling {
        Sampling { seed: Some(7), ..Sampling::default() }
    }

    #[test]
    fn temperature_zero_takes_the_best_that_is_allowed() {
        let options = Sampling { temperature: 0.0, ..Sampling::default() };
        assert_eq!(draws(&options, 3), [1, 1, 1]);
        let mut sampler = Sampler::new(options, &[]);
        assert_eq!(sampler.choose(&mut LOGITS.clone(), |id| id != 1), Some(4));
    }

    #[test]
    fn frequencies_follow_the_distribution_and_the_seed() {
        let drawn = draws(&seeded(), 20_000);
        assert_eq!(drawn, draws(&seeded(), 20_000));
        assert_ne!(drawn, draws(&Sampling { seed: Some(8), ..seeded() }, 20_000));
        let total: f32 = LOGITS.iter().map(|x| x.exp()).sum();
        for (id, x) in LOGITS.iter().enumerate() {
            let share = drawn.iter().filter(|d| **d as usize == id).count() as f32 / 20_000.0;
            assert!((share - x.exp() / total).abs() < 0.02, "token {id}: {share}");
        }
    }

    #[test]
    fn cuts_keep_only_the_likeliest() {
        let only = |options: Sampling, ids: &[u32]| {
            let drawn = draws(&options, 500);
            assert!(drawn.iter().all(|id| ids.contains(id)), "{options:?}");
            assert!(ids.iter().all(|id| drawn.contains(id)), "{options:?}");
        };
        only(Sampling { top_k: 2, ..seeded() }, &[1, 4]);
        only(Sampling { top_p: 0.7, ..seeded() }, &[1, 4]);
        only(Sampling { top_p: 0.0, ..seeded() }, &[1]);
        only(Sampling { min_p: 0.5, ..seeded() }, &[1, 4]);
    }

    #[test]
    fn penalties_and_biases_move_scores() {
        let greedy = Sampling { temperature: 0.0, ..Sampling::default() };
        assert_eq!(draws(&Sampling { presence_penalty: 1.0, ..greedy.clone() }, 3), [1, 4, 1]);
        assert_eq!(draws(&Sampling { frequency_penalty: 0.3, ..greedy.clone() }, 4), [1, 1, 4, 1]);
        assert_eq!(draws(&Sampling { logit_bias: vec![(3, 10.0), (99, 1.0)], ..greedy.clone() }, 1), [3]);
        let mut sampler = Sampler::new(Sampling { repetition_penalty: 2.0, ..greedy }, &[1]);
        assert_eq!(sampler.choose(&mut LOGITS.clone(), |_| true), Some(4));
    }

    #[test]
    fn without_a_number_there_is_no_choice() {
        let mut sampler = Sampler::new(seeded(), &[]);
        assert_eq!(sampler.choose(&mut [f32::NAN; 3], |_| true), None);
        assert_eq!(sampler.choose(&mut LOGITS.clone(), |_| false), None);
        assert_eq!(sampler.choose(&mut [f32::NAN, f32::NEG_INFINITY, 1.0], |_| true), Some(2));
        assert_eq!(sampler.choose(&mut [f32::INFINITY, 1.0], |_| true), None);
        assert_eq!(sampler.choose(&mut [f32::NEG_INFINITY; 2], |_| true), None);
    }

    #[test]
    fn probabilities_are_those_of_the_model() {
        let p = probabilities(&LOGITS, 2, 2);
        let total: f32 = LOGITS.iter().map(|x| x.exp()).sum();
        assert!((p.chosen.exp() - 2.0_f32.exp() / total).abs() < 1e-6);
        assert_eq!(p.top.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 4]);
    }
}
