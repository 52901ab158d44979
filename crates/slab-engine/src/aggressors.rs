//! The aggressor round-trip guard.
//!
//! An account that takes on both sides of an instrument within one batch pays
//! `round_trip_tax` of the profit of the overlap: of the lots it both bought
//! and sold aggressively, what the sales brought above what the purchases cost
//! at their average prices (rules S11, M11). Fills of resting orders are
//! exempt. The tax is cumulative over the batch, so nothing is taxed twice, and
//! goes to the slab's fees.
//!
//! The state hangs on the position. Entries come from a ring, so that the table
//! cannot be filled up: the oldest is overwritten, and pushing one out takes as
//! many aggressive trades of others, each with its fee. An entry counts for the
//! batch window, by time, in which it was last used, and for the slot after
//! it, so that a sandwich cannot straddle the end of a window.
//!
//! A position that is closed in between takes nothing with it: the next one of
//! the same account and instrument looks for its predecessor's entry. A window's
//! first use of an entry moves it to the front of the ring, so windows lie in
//! the ring in their order, and looking back ends where they are over.

use crate::Slab;
use crate::layout::LedgerEntry;
use flagstone_interface::slab::PoolId;
use flagstone_units::{Side, Slot, mul_ppm_ceil};

/// Entries that the first aggression of a position looks back at: forgetting an
/// earlier position takes as many aggressive trades of others within a window.
const LOOK_BACK_MAX: u32 = 512;

impl Slab<'_> {
    /// Notes an aggressive trade and returns the tax that is due now, in atoms.
    #[inline(always)]
    pub(crate) fn round_trip_tax(
        &mut self,
        position: u32,
        side: Side,
        lots: u32,
        notional_atoms: u64,
        slot: Slot,
    ) -> u64 {
        let instrument = self.positions[position].instrument as usize;
        let tax = self.instruments[instrument].rules.round_trip_tax.0;
        if tax == 0 || self.header.batch_slots == 0 {
            return 0;
        }
        let at = self.aggressor_entry(position, slot);
        let entry = &mut self.ledger[at];
        let (total_lots, total_atoms) = match side {
            Side::Bid => (&mut entry.buy_lots, &mut entry.buy_atoms),
            Side::Ask => (&mut entry.sell_lots, &mut entry.sell_atoms),
        };
        *total_lots = total_lots.saturating_add(lots);
        *total_atoms = total_atoms.saturating_add(notional_atoms);
        entry.slot = slot;
        let due = mul_ppm_ceil(entry.overlap_profit_atoms(), tax);
        let more = due.saturating_sub(entry.tax_atoms);
        entry.tax_atoms += more;
        more
    }

    /// The entry of a position in this batch, numbered from 1.
    #[inline(never)]
    fn aggressor_entry(&mut self, position: u32, slot: Slot) -> u32 {
        let window = self.header.batch_window(slot).unwrap_or(0);
        let mut at = self.positions[position].aggressor;
        if at == 0 {
            at = self.left_behind(position, window);
        } else if self.ledger[at].position != position {
            at = 0;
        }
        if at != 0 && self.ledger[at].batch_epoch == window {
            self.ledger[at].position = position;
            self.positions[position].aggressor = at;
            return at;
        }
        let carried = at != 0 && slot.0 <= self.ledger[at].slot.0.saturating_add(1);
        // Carried over, it counts for this window like any leg of it.
        let entry = LedgerEntry {
            batch_epoch: window,
            position,
            owner: self.aggressor(position),
            ..if carried {
                self.ledger[at]
            } else {
                LedgerEntry::default()
            }
        };
        let at = self.header.ledger_next + 1;
        let pool = &mut self.header.pools[PoolId::Ledger as usize];
        self.header.ledger_next = if at == pool.capacity { 0 } else { at };
        if pool.high_water < pool.capacity {
            pool.high_water += 1;
            pool.live += 1;
        }
        self.ledger[at] = entry;
        self.positions[position].aggressor = at;
        at
    }

    /// Whom an entry is about: account, the low bits of its generation, and
    /// instrument.
    fn aggressor(&self, position: u32) -> u32 {
        let position = &self.positions[position];
        let generation = self.accounts[u32::from(position.account)].generation;
        u32::from(position.account) << 16
            | (generation & 0xff) << 8
            | u32::from(position.instrument)
    }

    /// The latest entry, of this window or the one before, that an earlier
    /// position of the same account and instrument left; 0 when there is none.
    #[cold]
    #[inline(never)]
    fn left_behind(&self, position: u32, window: u32) -> u32 {
        let owner = self.aggressor(position);
        let used = self.header.pool(PoolId::Ledger).high_water;
        let mut at = self.header.ledger_next;
        for _ in 0..used.min(LOOK_BACK_MAX) {
            if at == 0 {
                at = used;
            }
            let entry = &self.ledger[at];
            if entry.batch_epoch.saturating_add(1) < window {
                break;
            }
            if entry.owner == owner {
                return at;
            }
            at -= 1;
        }
        0
    }
}

impl LedgerEntry {
    /// What the overlap of purchases and sales earned, in atoms; 0 for a loss.
    fn overlap_profit_atoms(&self) -> u64 {
        let overlap = self.buy_lots.min(self.sell_lots);
        if overlap == 0 {
            return 0;
        }
        let cost = share(self.buy_atoms, overlap, self.buy_lots, true);
        let proceeds = share(self.sell_atoms, overlap, self.sell_lots, false);
        proceeds.saturating_sub(cost)
    }
}

/// `amount * part / whole` for `part <= whole`, rounded as asked.
fn share(amount: u64, part: u32, whole: u32, up: bool) -> u64 {
    let (part, whole) = (u64::from(part), u64::from(whole));
    let rest = (amount % whole) * part + if up { whole - 1 } else { 0 };
    (amount / whole) * part + rest / whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(buy: (u32, u64), sell: (u32, u64)) -> LedgerEntry {
        LedgerEntry {
            buy_lots: buy.0,
            buy_atoms: buy.1,
            sell_lots: sell.0,
            sell_atoms: sell.1,
            ..LedgerEntry::default()
        }
    }

    #[test]
    fn m11_only_the_profit_of_the_overlap_counts() {
        assert_eq!(entry((10, 1_000), (0, 0)).overlap_profit_atoms(), 0);
        assert_eq!(entry((10, 1_000), (10, 1_100)).overlap_profit_atoms(), 100);
        assert_eq!(entry((10, 1_000), (4, 440)).overlap_profit_atoms(), 40);
        assert_eq!(entry((4, 400), (10, 1_100)).overlap_profit_atoms(), 40);
        assert_eq!(entry((10, 1_100), (10, 1_000)).overlap_profit_atoms(), 0);
        // Rounded in the account's favour: cost up, proceeds down.
        assert_eq!(entry((3, 100), (1, 35)).overlap_profit_atoms(), 1);
    }
}
