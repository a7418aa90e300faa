//! Random numbers that a seed repeats.

use std::hash::{BuildHasher as _, RandomState};

/// SplitMix64: a few lines, and random enough to mix faults.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed)
    }

    /// Returns a number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// Returns a random seed, unless `FAULTS_SEED` is set.
#[allow(clippy::print_stderr, reason = "the output explains a failure")]
pub(crate) fn seed() -> u64 {
    let seed = match std::env::var("FAULTS_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().hash_one("seed"),
    };
    eprintln!("to repeat it: FAULTS_SEED={seed}");
    seed
}
