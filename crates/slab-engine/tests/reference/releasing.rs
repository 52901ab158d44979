//! What may leave: principal at once, profit when it is old enough.

use super::{Checked, Reference};
use flagstone_slab_engine::SlabError;

/// Slots for which profit stays.
const WARM_UP: u32 = 600;

impl Reference {
    pub(super) fn note_profit(&mut self, account: u32, realised: i128, slot: u32) {
        if realised > 0 {
            self.person_mut(account).profit_slot = slot;
        }
    }

    pub fn release(&mut self, account: u32, atoms: u64, slot: u32) -> Checked<i128> {
        let atoms = i128::from(atoms);
        if atoms == 0 || atoms > self.releasable(account, slot) {
            return Err(SlabError::ReleaseTooLarge);
        }
        let person = self.person_mut(account);
        person.cash -= atoms;
        person.released += atoms;
        Ok(person.cash)
    }

    pub fn releasable(&self, account: u32, slot: u32) -> i128 {
        let person = self.person(account);
        let free = self.free_cash(account).min(person.cash).max(0);
        let principal = (person.came_in - person.released).max(0);
        let matured = slot.saturating_sub(person.profit_slot) >= WARM_UP;
        if matured { free } else { free.min(principal) }
    }

    /// Cash less bonds, open losses and margin; an open profit is worth
    /// nothing here.
    pub(super) fn free_cash(&self, account: u32) -> i128 {
        let mut free = self.person(account).cash - self.bonds(account);
        for (number, market) in self.markets.iter().enumerate() {
            let holding = self.holding(account, number);
            let unit = i128::from(market.mark) * i128::from(market.params.atoms_per_tick);
            free += (holding.lots * unit - holding.cost).min(0);
        }
        let (_, initial, _) = self.health(account, 0, None);
        free - initial
    }
}
