//! The tax on what an aggressor's purchases and sales within a batch earned.

use super::holding::{ceil_div, ppm_ceil};
use super::{Deed, Reference, Terms};
use flagstone_units::Side;

/// What one account did to one market, in the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggression {
    owner: (u32, usize),
    window: u32,
    /// Lots and atoms bought, then sold.
    sums: [(i128, i128); 2],
    taxed: i128,
    slot: u32,
}

impl Reference {
    /// Notes what the taker did and sets the tax that is due now.
    pub(super) fn tax(&mut self, terms: &Terms, slot: u32, deed: &mut Deed) {
        let rate = self.markets[terms.market].params.rules.round_trip_tax.0;
        if rate == 0 || self.limits.batch_slots == 0 || deed.lots == 0 {
            return;
        }
        let window = slot / self.limits.batch_slots;
        let owner = (terms.account, terms.market);
        let at = self.entry(owner, window, slot);
        let entry = &mut self.till.ring[at];
        let sums = &mut entry.sums[terms.side.index()];
        sums.0 += i128::from(deed.lots);
        sums.1 += deed.notional;
        entry.slot = slot;
        let [bought, sold] = [entry.sums[Side::Bid.index()], entry.sums[Side::Ask.index()]];
        let overlap = bought.0.min(sold.0);
        if overlap > 0 {
            let cost = ceil_div(bought.1 * overlap, bought.0);
            let brought = sold.1 * overlap / sold.0;
            let due = ppm_ceil((brought - cost).max(0), rate);
            deed.tax = (due - entry.taxed).max(0);
            entry.taxed += deed.tax;
        }
    }

    /// Where the account's entry of this window is: at the front of the ring if
    /// it is the first, with what may be carried over from the last one.
    fn entry(&mut self, owner: (u32, usize), window: u32, slot: u32) -> usize {
        let known = self
            .till
            .ring
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.owner == owner);
        let latest = known.max_by_key(|(_, entry)| entry.window);
        if let Some((at, _)) = latest.filter(|(_, entry)| entry.window == window) {
            return at;
        }
        let carried = latest.filter(|(_, entry)| slot <= entry.slot + 1);
        let entry = Aggression {
            owner,
            window,
            sums: carried.map(|(_, entry)| entry.sums).unwrap_or_default(),
            taxed: carried.map_or(0, |(_, entry)| entry.taxed),
            slot: 0,
        };
        let at = self.till.ring_next;
        self.till.ring_next = (at + 1) % self.limits.ring;
        if at == self.till.ring.len() {
            self.till.ring.push(entry);
        } else {
            self.till.ring[at] = entry;
        }
        at
    }
}
