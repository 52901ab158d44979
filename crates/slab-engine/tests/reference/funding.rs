//! What longs and shorts pay each other, from the formula in the rules.

use super::Reference;
use flagstone_slab_engine::instruments::InstrumentParams;

/// Parts of an atom in which a funding index counts.
const PARTS: i128 = 65_536;

/// Funding of one market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Funding {
    /// What one lot has paid since the beginning, in parts of an atom.
    pub paid: i128,
    /// The same at the start of the running interval.
    pub base: i128,
    /// Of the running interval.
    pub rate: i128,
    pub start: u32,
    pub slot: u32,
    /// Ticks of premium, and the slots for which they were seen.
    pub premium: (i128, i128),
    /// Oracle's price, in ticks.
    pub index: i128,
    /// Shared rate, in ppm, and its slot.
    pub grid: (i128, u32),
}

impl Funding {
    /// What has fallen due up to a slot.
    pub fn accrue(&mut self, params: &InstrumentParams, slot: u32) {
        if slot <= self.slot {
            return;
        }
        self.slot = slot;
        let length = params.rules.funding_slots.0;
        if length == 0 {
            (self.base, self.rate, self.start) = (self.paid, 0, slot);
            self.premium = (0, 0);
            return;
        }
        let mut sampled = true;
        while slot - self.start >= length {
            // Nothing was sampled in an interval in which nobody came by.
            let next = if sampled { self.due(params) } else { 0 };
            self.base += self.rate;
            (self.rate, self.premium) = (next, (0, 0));
            self.start += length;
            sampled = false;
        }
        self.paid = self.base + self.rate * i128::from(slot - self.start) / i128::from(length);
    }

    /// Rate that the running interval calls for: the mean premium within the
    /// largest, or the shared rate when it is recent and near enough.
    fn due(&self, params: &InstrumentParams) -> i128 {
        let tick = i128::from(params.atoms_per_tick) * PARTS;
        let of_price = |ppm: i128| self.index * tick * ppm / 1_000_000;
        let most = of_price(params.rules.funding_max.0.into());
        let (sum, weight) = self.premium;
        let own = (sum * tick / weight.max(1)).clamp(-most, most);
        let shared = of_price(self.grid.0).clamp(-most, most);
        let near = (shared - own).abs() <= of_price(params.rules.funding_spread_max.0.into());
        if self.grid.1 != 0 && self.grid.1 >= self.start && near {
            shared
        } else {
            own
        }
    }
}

impl Reference {
    /// What a holding of `lots` owes: a payer pays the next whole atom, a
    /// receiver gets the last.
    pub(super) fn owed(&self, account: u32, market: usize, lots: i128) -> i128 {
        let seen = self.person(account).funding_seen.get(&market);
        let paid = self.markets[market].funding.paid;
        let exact = lots * (paid - seen.copied().unwrap_or(paid));
        -(-exact).div_euclid(PARTS)
    }

    /// Comes before an account trades in a market or its margin is measured.
    pub(super) fn prepare(&mut self, account: u32, market: usize, slot: u32) {
        for number in 0..self.markets.len() {
            if number == market || self.uses_position(account, number) {
                self.accrue(number, slot);
            }
        }
        let lots = self.holding(account, market).lots;
        let owed = self.owed(account, market, lots);
        let paid = self.markets[market].funding.paid;
        self.person_mut(account).funding_seen.insert(market, paid);
        if owed != 0 {
            self.till.funding += owed;
            self.note_change(account, -owed, slot);
            self.person_mut(account).cash -= owed;
        }
        // However it was rounded, it was by less than one atom.
        self.till.roundings += i128::from(lots != 0);
    }

    pub fn accrue(&mut self, market: usize, slot: u32) {
        let market = &mut self.markets[market];
        market.funding.accrue(&market.params, slot);
    }

    /// Takes a new shared rate.
    pub fn share_rate(&mut self, market: usize, ppm: i32, slot: u32) {
        self.accrue(market, slot);
        self.markets[market].funding.grid = (ppm.into(), slot);
    }
}
