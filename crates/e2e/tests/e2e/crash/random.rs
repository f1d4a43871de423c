//! Chance that can be repeated: the seed is printed, and `JAN_TEST_SEED` sets it.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// `SplitMix64`.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn seeded() -> Self {
        let given = std::env::var_os("JAN_TEST_SEED").map(|seed| seed.to_str().unwrap().parse().unwrap());
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        println!("JAN_TEST_SEED={seed}");
        Self(seed)
    }

    /// Another one, whose numbers have nothing to do with what follows here.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
