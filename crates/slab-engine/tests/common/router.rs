//! The Router's side of a test: capabilities, escrow balances, settling.
//!
//! As little of it as the slab can see, in the same records; the money that it
//! keeps is counted on its own, so that both sides can be compared.

use super::{Exchange, Handle, Outcome, key_of};
use bytemuck::Zeroable;
use flagstone_interface::event::{Held, HoldEnded, Traded};
use flagstone_interface::router::{Cap, Escrow, cap_state};
use flagstone_interface::slab::Reservation;
use flagstone_slab_engine::commits::Commit;
use flagstone_slab_engine::holds::{Reserve, Reveal};
use flagstone_units::{Lots, Side, Slot, Ticks};

/// A hold of at least one lot in instrument 0 that ends with its slot.
pub fn reserve(account: u32, side: Side, limit: u32, lots: u32) -> Reserve {
    Reserve {
        account,
        instrument: 0,
        side,
        limit: Ticks(limit),
        lots: Lots(lots),
        lots_min: Lots(1),
        ttl: Slot(0),
        route_id: 7,
        commitment: [0; 32],
    }
}

/// A hash for tests: quick, and different for different terms.
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (lane, out) in digest.chunks_exact_mut(8).enumerate() {
        let mut word = 0xcbf2_9ce4_8422_2325 ^ (lane as u64) << 32;
        for byte in bytes {
            word = (word ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            word ^= word >> 29;
        }
        out.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

/// Handle of a hold.
pub fn handle(held: &Held) -> Handle {
    (held.hold, held.generation)
}

/// Maker's order, price and quantity of each slice.
pub fn slices(held: &Held) -> Vec<(u32, u32, u32)> {
    let slice =
        |slice: &flagstone_interface::event::HeldSlice| (slice.order, slice.ticks, slice.lots);
    held.slices().iter().map(slice).collect()
}

impl Exchange {
    /// Reserves, signed by the account's trader.
    pub fn reserve(&mut self, order: &Reserve) -> Outcome<Held> {
        let (slot, mut held) = (Slot(self.slot), Held::zeroed());
        let trader = key_of(7, order.account);
        self.run(|slab| slab.reserve(&trader, order, slot, &mut held))?;
        Ok(held)
    }

    /// Funds and mints a capability; returns its place among the escrow's.
    ///
    /// # Panics
    /// When all of them are live.
    pub fn mint(&mut self, account: u32, hold: Handle, terms: (u64, u64, u32)) -> u8 {
        let (route_id, atoms, expiry) = terms;
        let escrow = &mut self.escrows[account as usize - 1];
        let mut caps = escrow.caps.iter();
        let at = caps.position(|cap| cap.state != cap_state::LIVE).unwrap();
        escrow.cap_nonce += 1;
        escrow.balance_atoms += atoms;
        escrow.caps[at] = Cap {
            route_id,
            amount_max_atoms: atoms,
            remaining_atoms: atoms,
            nonce: escrow.cap_nonce,
            hold: hold.0,
            hold_generation: hold.1,
            expiry_slot: Slot(expiry),
            state: cap_state::LIVE,
            ..Cap::zeroed()
        };
        at as u8
    }

    /// The capability that the Router mints for a hold as it was signed.
    pub fn mint_for(&mut self, held: &Held) -> u8 {
        let terms = (held.route_id, held.max_charge_atoms, held.expiry_slot);
        self.mint(held.account.into(), handle(held), terms)
    }

    /// Commits with the escrow of `payer`, signed by the account's trader.
    pub fn commit_from(
        &mut self,
        account: u32,
        hold: Handle,
        payer: u32,
        cap: u8,
    ) -> Outcome<Traded> {
        let escrow = self.escrows[payer as usize - 1];
        let key = key_of(9, payer);
        self.commit_with(account, hold, cap, (&key, &escrow))
    }

    /// Commits with an escrow that may be anything.
    pub fn commit_with(
        &mut self,
        account: u32,
        hold: Handle,
        cap: u8,
        escrow: (&flagstone_interface::Key, &Escrow),
    ) -> Outcome<Traded> {
        self.commit_revealing(account, hold, cap, escrow, None)
    }

    /// Commits and reveals the terms of the hold.
    pub fn commit_revealing(
        &mut self,
        account: u32,
        hold: Handle,
        cap: u8,
        (escrow_key, escrow): (&flagstone_interface::Key, &Escrow),
        reveal: Option<Reveal>,
    ) -> Outcome<Traded> {
        let (slot, mut traded) = (Slot(self.slot), Traded::zeroed());
        let commit = Commit {
            account,
            hold: hold.0,
            generation: hold.1,
            cap,
            escrow_key,
            escrow,
            reveal,
        };
        let trader = key_of(7, account);
        self.run(|slab| slab.commit(&trader, &commit, slot, &mut traded))?;
        Ok(traded)
    }

    /// Commits a hold with a capability of its own account.
    pub fn commit(&mut self, held: &Held, cap: u8) -> Outcome<Traded> {
        let account = u32::from(held.account);
        self.commit_from(account, handle(held), account, cap)
    }

    /// Mints what the hold asks for and commits it.
    pub fn mint_and_commit(&mut self, held: &Held) -> Outcome<Traded> {
        let cap = self.mint_for(held);
        self.commit(held, cap)
    }

    /// Ends a hold, signed by the account's trader.
    pub fn cancel_hold(&mut self, account: u32, hold: Handle) -> Outcome<Option<HoldEnded>> {
        let (slot, trader) = (Slot(self.slot), key_of(7, account));
        self.run(|slab| slab.cancel_hold(&trader, account, hold.0, hold.1, slot))
    }

    /// Ends a hold that is over.
    pub fn expire_hold(&mut self, index: u32) -> Outcome<Option<HoldEnded>> {
        let slot = Slot(self.slot);
        self.run(|slab| slab.expire_hold(index, slot))
    }

    /// Frees the record of a committed hold, showing the escrow of `payer`.
    pub fn free_hold(&mut self, index: u32, payer: u32) -> Outcome<bool> {
        let escrow = self.escrows[payer as usize - 1];
        self.run(|slab| slab.free_hold(index, &key_of(9, payer), &escrow))
    }

    /// Releases cash, signed by the account's trader.
    pub fn release(&mut self, account: u32, atoms: u64) -> Outcome<i64> {
        let (slot, trader) = (Slot(self.slot), key_of(7, account));
        self.run(|slab| slab.release(&trader, account, atoms, slot))
    }

    /// The stored record of a hold.
    pub fn record(&mut self, index: u32) -> Reservation {
        self.slab().reservations[index]
    }

    /// Lots of an order that holds have reserved, and lots that rest.
    pub fn reserved(&mut self, order: u32) -> (u32, u32) {
        let slab = self.slab();
        let order = &slab.orders[order];
        (order.reserved_lots.0, order.lots.0)
    }

    /// Books one capability: what its hold charged goes to the backing, the
    /// rest back to the user. Returns the charge; `None` while the hold stands
    /// and the capability has not expired.
    pub fn book(&mut self, account: u32, cap: u8) -> Option<u64> {
        let slot = self.slot;
        let at = account as usize - 1;
        let Cap {
            hold,
            hold_generation,
            expiry_slot,
            ..
        } = self.escrows[at].caps[usize::from(cap)];
        let slab = self.slab();
        let record = slab.reservations.get(hold);
        let record = record.filter(|record| record.generation == hold_generation);
        let result = record.and_then(Reservation::result);
        if result.is_none() && slot <= expiry_slot.0 {
            return None;
        }
        let charge = result.map_or(0, |result| result.charge_atoms);
        let escrow = &mut self.escrows[at];
        let cap = &mut escrow.caps[usize::from(cap)];
        assert!(
            charge <= cap.remaining_atoms,
            "charged beyond the capability"
        );
        escrow.balance_atoms -= cap.remaining_atoms;
        (cap.remaining_atoms, cap.state) = (0, cap_state::BURNED);
        escrow.debited_seen_atoms += charge;
        self.backing_atoms += i128::from(charge);
        Some(charge)
    }

    /// Books every capability of the account that can be booked.
    pub fn settle(&mut self, account: u32) {
        for cap in 0..self.escrows[account as usize - 1].caps.len() as u8 {
            let escrow = &self.escrows[account as usize - 1];
            if escrow.caps[usize::from(cap)].state == cap_state::LIVE {
                self.book(account, cap);
            }
        }
        self.pay_released(account);
    }

    /// Pays what the account released and has not been paid yet.
    pub fn pay_released(&mut self, account: u32) -> u64 {
        let released = self.slab().accounts[account].released_total_atoms;
        let escrow = &mut self.escrows[account as usize - 1];
        let owed = released.checked_sub(escrow.released_seen_atoms).unwrap();
        escrow.released_seen_atoms = released;
        self.backing_atoms -= i128::from(owed);
        owed
    }

    /// Invariants of the Router's records, and its law with the slab: what it
    /// backs is what the slab received, once all is booked.
    pub fn audit_router(&mut self) {
        let (mut unbooked, mut unpaid) = (0, 0);
        for at in 0..self.escrows.len() {
            let account = self.slab().accounts[at as u32 + 1];
            let escrow = &self.escrows[at];
            let live = escrow
                .caps
                .iter()
                .filter(|cap| cap.state == cap_state::LIVE);
            let funded: u64 = live.map(|cap| cap.remaining_atoms).sum();
            assert_eq!(escrow.balance_atoms, funded, "an escrow covers its caps");
            let debits = account.debited_total_atoms - escrow.debited_seen_atoms;
            assert!(debits <= funded, "more was debited than is funded");
            unbooked += i128::from(debits);
            unpaid += i128::from(account.released_total_atoms - escrow.released_seen_atoms);
        }
        let received = self.slab().conservation().unwrap().received_atoms;
        assert_eq!(self.backing_atoms + unbooked - unpaid, received, "backing");
    }
}
