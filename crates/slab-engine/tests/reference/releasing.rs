//! What may leave: principal at once, profit when it is old enough.

use super::{Checked, Reference};
use flagstone_slab_engine::SlabError;

/// Slots for which profit stays.
const WARM_UP: u32 = 600;

impl Reference {
    /// What a change of cash, about to be made, does to principal and to the
    /// age of the profit: the mean of the old slot and this one, weighted by
    /// the old profit and the gain, rounded up; what is old enough is principal
    /// from then on. The engine weighs in 32 bits.
    pub(super) fn note_change(&mut self, account: u32, change: i128, slot: u32) {
        let person = self.person_mut(account);
        if change < 0 {
            person.principal = (person.principal + change).max(0);
        } else if change > 0 && person.profit_slot < slot {
            if slot - person.profit_slot >= WARM_UP {
                person.principal = person.principal.max(person.cash);
            }
            let profit = (person.cash.max(0) - person.principal).max(0);
            let mut total = profit + change;
            let mut gain = change;
            if total >= 1 << 32 {
                let excess = total.ilog2() - 31;
                (total, gain) = (total >> excess, ((gain >> excess) + 1).min(total >> excess));
            }
            let elapsed = i128::from(slot - person.profit_slot);
            person.profit_slot += ((elapsed * gain + total - 1) / total) as u32;
        }
    }

    /// Money from the escrow: what pays an older loss is no principal.
    pub fn fund(&mut self, account: u32, atoms: i128) {
        let person = self.person_mut(account);
        let debt = (-person.cash).max(0);
        person.cash += atoms;
        person.principal += (atoms - debt).max(0);
    }

    pub fn release(&mut self, account: u32, atoms: u64, slot: u32) -> Checked<i128> {
        self.attempt(0, |model| model.release_inner(account, atoms, slot))
    }

    fn release_inner(&mut self, account: u32, atoms: u64, slot: u32) -> Checked<i128> {
        let atoms = i128::from(atoms);
        for number in 0..self.markets.len() {
            if self.uses_position(account, number) {
                self.accrue(number, slot);
            }
        }
        if atoms == 0 || atoms > self.releasable(account, slot) {
            return Err(SlabError::ReleaseTooLarge);
        }
        let person = self.person_mut(account);
        person.cash -= atoms;
        person.released += atoms;
        person.principal = (person.principal - atoms).max(0);
        Ok(person.cash)
    }

    pub fn releasable(&self, account: u32, slot: u32) -> i128 {
        let person = self.person(account);
        let free = self.free_cash(account).min(person.cash).max(0);
        let matured = slot.saturating_sub(person.profit_slot) >= WARM_UP;
        if matured {
            free
        } else {
            free.min(person.principal)
        }
    }

    /// Cash less bonds, open losses and margin; an open profit is worth
    /// nothing here.
    pub(super) fn free_cash(&self, account: u32) -> i128 {
        let mut free = self.person(account).cash - self.bonds(account);
        for (number, market) in self.markets.iter().enumerate() {
            let holding = self.holding(account, number);
            let unit = i128::from(market.mark) * i128::from(market.params.atoms_per_tick);
            free += (holding.lots * unit - holding.cost).min(0);
            free -= self.owed(account, number, holding.lots);
        }
        let (_, initial, _) = self.health(account, 0, None);
        free - initial
    }
}
