//! Reproducible numbers over many magnitudes.

/// SplitMix64: a seed replays everything.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    pub(crate) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    /// Between 10^low and 10^(high + 1), in units of 10^-18, even over the magnitudes.
    pub(crate) fn amount(&mut self, low: u32, high: u32) -> u128 {
        let magnitude = low + self.below(u64::from(high - low + 1)) as u32;
        let unit = 10u128.pow(magnitude);
        unit + unit * u128::from(self.below(9_000_000)) / 1_000_000 + u128::from(self.below(1_000))
    }

    /// As [`Self::amount`], but sometimes zero and rarely far too large.
    pub(crate) fn wild(&mut self, low: u32, high: u32) -> u128 {
        match self.below(400) {
            0 => u128::MAX - u128::from(self.bits()),
            1..20 => 0,
            _ => self.amount(low, high),
        }
    }
}
