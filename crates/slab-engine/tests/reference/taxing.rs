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

    /// Where the account's entry is: the one that its position knows, unless
    /// another took its place; empty when its window is over.
    fn entry(&mut self, owner: (u32, usize), window: u32, slot: u32) -> usize {
        let fresh = Aggression {
            owner,
            window,
            sums: Default::default(),
            taxed: 0,
            slot: 0,
        };
        let known = self.person(owner.0).aggression.get(&owner.1).copied();
        if let Some(at) = known.filter(|at| self.till.ring[*at].owner == owner) {
            let entry = &mut self.till.ring[at];
            if entry.window != window && slot > entry.slot + 1 {
                *entry = fresh;
            }
            // It counts for the window in which it was last used.
            entry.window = window;
            return at;
        }
        let at = self.till.ring_next;
        self.till.ring_next = (at + 1) % self.limits.ring;
        if at == self.till.ring.len() {
            self.till.ring.push(fresh);
        } else {
            self.till.ring[at] = fresh;
        }
        self.person_mut(owner.0).aggression.insert(owner.1, at);
        at
    }

    /// A position that is gone takes its entry with it.
    pub(super) fn forget(&mut self) {
        for account in 1..=self.people.len() as u32 {
            let known = self.person(account).aggression.keys();
            let gone = known.filter(|market| !self.uses_position(account, **market));
            for market in gone.copied().collect::<Vec<_>>() {
                self.person_mut(account).aggression.remove(&market);
            }
        }
    }
}
