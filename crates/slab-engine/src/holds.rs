//! Reserve, and the ends that a hold can have.
//!
//! `reserve` captures resting quantity at its prices, in price-time order, and
//! locks it: nobody can cancel or take it until the hold ends. `commit` trades
//! what was captured, charging the account's escrow through a capability that
//! the Router minted for this hold. A hold that is not committed ends by
//! `cancel_hold` or, after its expiry, by itself ([`crate::wheel`]); either
//! leaves the book as it was.
//!
//! Locking costs (rule T4): a hold may outlive its slot only with a bond of
//! `hold_fee` per slot and slice, and pays that fee for the slots it really
//! stood, four fifths to the makers whose orders it locked. Within its slot
//! locking is free: that is what a route in one transaction needs.

use crate::layout::{Order, Slice, order_flags};
use crate::matching::{Taker, crosses};
use crate::pools::{allocate, release};
use crate::risk::Proposal;
use crate::{Result, Slab, SlabError};
use flagstone_interface::Key;
use flagstone_interface::event::{
    FILLS_MAX, Held, HeldSlice, HoldEnded, SLICES_PER_HOLD_MAX, Traded,
};
use flagstone_interface::router::{Escrow, cap_state};
use flagstone_interface::slab::{
    PoolId, Reservation, account_flags, hold_state, next_generation, status,
};
use flagstone_units::{
    Lots, Side, Slot, Ticks, fee_atoms, mul_ppm_ceil, mul_ppm_floor, notional_atoms,
};

/// Holds of one account, committed ones included until they are freed.
pub const HOLDS_PER_ACCOUNT_MAX: u16 = 16;

/// Longest life of a hold: two minutes of 400 ms slots.
pub const HOLD_SLOTS_MAX: Slot = Slot(300);

/// Orders that one reserve looks at.
const VISITS_MAX: usize = 160;

/// A quantity to reserve.
#[derive(Clone, Copy, Debug)]
pub struct Reserve {
    /// Account index.
    pub account: u32,
    /// Instrument number.
    pub instrument: u8,
    /// Side.
    pub side: Side,
    /// Worst price.
    pub limit: Ticks,
    /// Quantity.
    pub lots: Lots,
    /// Least quantity that reserve must capture and commit must trade.
    pub lots_min: Lots,
    /// Slots beyond this one in which commit is legal; 0 is this slot only.
    pub ttl: Slot,
    /// Route that the hold is a leg of.
    pub route_id: u64,
    /// [`Reveal::digest`] of the terms, which commit then has to reveal; zero
    /// for none.
    pub commitment: [u8; 32],
}

/// Terms of a hold, revealed at commit.
///
/// A commitment binds: whoever saw it knows that the route was fixed before the
/// hold was made. It hides nothing of a route within one transaction, and the
/// hold itself shows instrument, side and quantity (rule T10).
#[derive(Clone, Copy, Debug)]
pub struct Reveal {
    /// Quantity that was asked for.
    pub lots: Lots,
    /// Worst price that was asked for.
    pub limit: Ticks,
    /// Makes the commitment unguessable.
    pub salt: [u8; 16],
    /// SHA-256.
    pub sha256: fn(&[u8]) -> [u8; 32],
}

impl Reveal {
    /// `sha256(route id, instrument, side, lots, limit, salt)`, integers in
    /// little-endian order.
    pub fn digest(&self, route_id: u64, instrument: u8, side: Side) -> [u8; 32] {
        let mut bytes = [0; 34];
        bytes[..8].copy_from_slice(&route_id.to_le_bytes());
        bytes[8] = instrument;
        bytes[9] = side as u8;
        bytes[10..14].copy_from_slice(&self.lots.0.to_le_bytes());
        bytes[14..18].copy_from_slice(&self.limit.0.to_le_bytes());
        bytes[18..].copy_from_slice(&self.salt);
        (self.sha256)(&bytes)
    }
}

/// What walking the book captured.
#[derive(Clone, Copy, Debug)]
struct Captured {
    lots: u32,
    notional_atoms: u64,
    fee_per_slot_atoms: u64,
    worst: Ticks,
    expiry: Slot,
    first: u32,
    last: u32,
}

impl Slab<'_> {
    /// Reserves resting quantity for the account whose trader key signed.
    ///
    /// `held` must be zeroed; it is filled in.
    ///
    /// # Errors
    /// [`SlabError::NotFilled`] below `lots_min`;
    /// [`SlabError::BelowInitialMargin`] when free cash does not cover the
    /// bond; [`SlabError::StaleMark`]; [`SlabError::HoldsFull`]; and the checks
    /// of an order.
    #[inline(always)]
    pub fn reserve(
        &mut self,
        trader: &Key,
        order: &Reserve,
        slot: Slot,
        held: &mut Held,
    ) -> Result<()> {
        let account = self.traded_account(order.account, trader)?;
        if account.flags & account_flags::FROZEN != 0 {
            return Err(SlabError::AccountFrozen);
        }
        if account.holds_count >= HOLDS_PER_ACCOUNT_MAX {
            return Err(SlabError::HoldsFull);
        }
        crate::orders::check_order(self.instrument(order.instrument)?, order.limit, order.lots)?;
        let least = order.lots_min.0 > 0 && order.lots_min <= order.lots;
        if !least || order.ttl > HOLD_SLOTS_MAX {
            return Err(SlabError::BadQuantity);
        }
        self.touch_mark(order.instrument, slot);

        let captured = self.capture(order, slot, held)?;
        if captured.lots < order.lots_min.0 {
            return Err(SlabError::NotFilled);
        }
        let ttl = captured.expiry.saturating_sub(slot);
        self.check_share(order, captured.lots, ttl)?;
        let bond_atoms = captured.fee_per_slot_atoms.wrapping_mul(u64::from(ttl.0));
        let max_charge_atoms = self.charge_bound(order, &captured, bond_atoms, slot)?;

        let pool = &mut self.header.pools[PoolId::Reservations as usize];
        let index = allocate(pool, &mut self.reservations).ok_or(SlabError::HoldsFull)?;
        let generation = next_generation(self.reservations[index].generation);
        let mark_ticks = self.instruments[order.instrument as usize].mark.0;
        self.reservations[index] = Reservation {
            route_id: order.route_id,
            notional_atoms: captured.notional_atoms,
            max_charge_atoms,
            bond_atoms,
            debited_after_atoms: 0,
            commitment: order.commitment,
            generation,
            account: order.account as u16,
            instrument: order.instrument,
            side_state: order.side as u8 | hold_state::HELD,
            lots: captured.lots,
            filled_lots: order.lots_min.0,
            slices_head: captured.first,
            worst_ticks: captured.worst.0,
            mark_ticks,
            slot,
            expiry_slot: captured.expiry,
            event_seq: self.header.event_seq as u32,
        };
        let account = &mut self.accounts[order.account];
        account.holds_count += 1;
        account.bond_atoms += bond_atoms;
        self.schedule(index);
        held.tag = Held::TAG;
        held.instrument = order.instrument;
        held.side = order.side as u8;
        held.account = order.account as u16;
        held.hold = index;
        held.generation = generation;
        held.route_id = order.route_id;
        held.lots = captured.lots;
        held.notional_atoms = captured.notional_atoms;
        held.max_charge_atoms = max_charge_atoms;
        held.expiry_slot = captured.expiry.0;
        Ok(())
    }

    /// Checks the size of a hold and, when it outlives its slot, that holds do
    /// not cover more of the side than they may (rule T4).
    ///
    /// The share is of all that rests on the side, which lies within the band
    /// or leaves when it is met.
    #[inline(always)]
    fn check_share(&mut self, order: &Reserve, lots: u32, ttl: Slot) -> Result<()> {
        let instrument = &mut self.instruments[order.instrument as usize];
        if lots < instrument.rules.hold_lots_min.0 {
            return Err(SlabError::HoldTooLarge);
        }
        if ttl.0 == 0 {
            return Ok(());
        }
        let side = order.side.contra().index();
        let held = instrument.held_lots[side] + u64::from(lots);
        let share = instrument.rules.hold_share_max.0;
        if share != 0 && held > mul_ppm_floor(instrument.resting_lots[side], share) {
            return Err(SlabError::HoldTooLarge);
        }
        instrument.held_lots[side] = held;
        Ok(())
    }

    /// Walks contra depth in price-time order and locks what is free of it.
    #[inline(never)]
    fn capture(&mut self, order: &Reserve, slot: Slot, held: &mut Held) -> Result<Captured> {
        let instrument = &self.instruments[order.instrument as usize];
        let band = instrument.price_band();
        let (unit, hold_fee) = (instrument.atoms_per_tick, instrument.hold_fee.0);
        let limit = band.clamp_limit(order.side, order.limit);
        let mut level = instrument.books[order.side.contra().index()].best;
        let mut captured = Captured {
            lots: 0,
            notional_atoms: 0,
            fee_per_slot_atoms: 0,
            worst: Ticks::ZERO,
            expiry: Slot(slot.0.saturating_add(order.ttl.0)),
            first: 0,
            last: 0,
        };
        let (mut room, mut visits) = (FILLS_MAX, VISITS_MAX);
        while level != 0 && captured.lots < order.lots.0 {
            let ticks = self.levels[level].ticks;
            if !crosses(order.side, limit, ticks) {
                break;
            }
            let mut index = self.levels[level].head;
            let mut before = 0;
            while index != 0 && captured.lots < order.lots.0 {
                // Bounds the walk whatever rests at the touch.
                if room == 0 || visits == 0 || held.slices_count as usize == SLICES_PER_HOLD_MAX {
                    return Ok(captured);
                }
                visits -= 1;
                let resting = &self.orders[index];
                // A run of one account's orders at a level is one order to a
                // hold, so that slices cannot be used up with crumbs (rule T6).
                let owner = resting.account;
                if owner == before {
                    index = resting.next;
                    continue;
                }
                (before, room) = (owner, room - 1);
                let mut free = resting.free_lots();
                if resting.is_reduce_only() {
                    free = self.reducible_free(resting);
                }
                let usable = free > 0
                    && band.contains(ticks)
                    && !resting.is_expired(slot)
                    && resting.side_flags & order_flags::CLOSING == 0
                    && u32::from(resting.account) != order.account;
                let next = resting.next;
                if usable {
                    if resting.expiry.0 != 0 {
                        captured.expiry = captured.expiry.min(resting.expiry);
                    }
                    let lots = free.min(order.lots.0 - captured.lots);
                    let notional = notional_atoms(ticks, lots, unit);
                    captured.fee_per_slot_atoms += mul_ppm_ceil(notional, hold_fee);
                    captured.notional_atoms += notional;
                    captured.lots += lots;
                    captured.worst = ticks;
                    self.lock(index, ticks, lots, &mut captured, held)?;
                }
                index = next;
            }
            level = self.levels[level].next;
        }
        Ok(captured)
    }

    /// Lots of a reduce-only order that still reduce its position, beyond what
    /// is reserved of it.
    #[inline(never)]
    pub(crate) fn reducible_free(&self, order: &Order) -> u32 {
        let most = self.reducible_lots(order).min(order.lots.0);
        most.saturating_sub(order.reserved_lots.0)
    }

    /// Locks part of one order and appends the slice.
    #[inline(always)]
    fn lock(
        &mut self,
        order: u32,
        ticks: Ticks,
        lots: u32,
        captured: &mut Captured,
        held: &mut Held,
    ) -> Result<()> {
        let pool = &mut self.header.pools[PoolId::Slices as usize];
        let index = allocate(pool, &mut self.slices).ok_or(SlabError::HoldsFull)?;
        self.slices[index] = Slice {
            order,
            ticks,
            lots: Lots(lots),
            next: 0,
        };
        if captured.last == 0 {
            captured.first = index;
        } else {
            self.slices[captured.last].next = index;
        }
        captured.last = index;
        self.orders[order].reserved_lots.0 += lots;
        let at = held.slices_count as usize;
        held.slices[at] = HeldSlice {
            order,
            ticks: ticks.0,
            lots,
        };
        held.slices_count = at as u32 + 1;
        Ok(())
    }

    /// The most that commit may charge: what initial margin will lack after
    /// the trade, if the mark moves against it by the whole kill band.
    ///
    /// Also checks that free cash covers the bond now.
    #[inline(always)]
    fn charge_bound(
        &mut self,
        order: &Reserve,
        captured: &Captured,
        bond: u64,
        slot: Slot,
    ) -> Result<u64> {
        let position = self.position_of(order.account, order.instrument)?;
        self.prepare(order.account, position, slot)?;
        let instrument = &self.instruments[order.instrument as usize];
        let fee = fee_atoms(captured.notional_atoms, instrument.taker_fee);
        // Moves of the mark and of the margin that is measured at it.
        let stored = self.positions[position];
        let lots = captured.lots + stored.lots.magnitude();
        let at_mark = notional_atoms(instrument.mark, lots, instrument.atoms_per_tick);
        let cushion = 2 * mul_ppm_ceil(at_mark, instrument.kill_band.0);
        let change = stored.trade(order.side, captured.lots, captured.notional_atoms);
        if !change.position.reduces(&stored) {
            if !instrument.is_fresh(slot) {
                return Err(SlabError::StaleMark);
            }
            if self.header.status.max(instrument.status) == status::REDUCE_ONLY {
                return Err(SlabError::ReduceOnlyStatus);
            }
        }
        let proposal = Proposal {
            index: position,
            position: change.position,
            cash_change_atoms: change.realised_atoms - fee - bond as i64,
        };
        let before = self.health_at(order.account, None, slot);
        let after = self.health_at(order.account, Some(&proposal), slot);
        let needed = after.initial_atoms as i64 - before.initial_atoms as i64;
        let lost = before.equity_atoms - after.equity_atoms;
        let mut spare = before.equity_atoms - before.initial_atoms as i64;
        if self.accounts[order.account].holds_count > 0 {
            // Another hold may already count on what is spare.
            spare = spare.min(0);
        }
        if bond > 0 {
            // The fee becomes a maker's cash: a profit that exists only at the
            // mark must not pay for it.
            let all = self.health(order.account, None).equity_atoms;
            let free = all - self.open_profit_atoms(order.account);
            if free - (bond as i64) < before.initial_atoms as i64 {
                return Err(SlabError::BelowInitialMargin);
            }
        }
        let lacking = needed + lost + cushion as i64 - spare;
        self.drop_position_if_empty(position);
        Ok(lacking.max(0) as u64)
    }

    /// Ends every slice of a hold: trades it when there is a taker, unlocks
    /// it, pays its maker's share of the hold fee. Returns the whole fee.
    #[inline(never)]
    pub(crate) fn end_slices(
        &mut self,
        hold: &Reservation,
        slot: Slot,
        mut taker: Option<(&Taker, &mut Traded)>,
    ) -> Result<u64> {
        let instrument = &mut self.instruments[hold.instrument as usize];
        let (unit, rate) = (instrument.atoms_per_tick, instrument.hold_fee.0);
        if hold.expiry_slot > hold.slot {
            let side = usize::from(hold.side_state & 1 ^ 1);
            instrument.held_lots[side] -= u64::from(hold.lots);
        }
        // A hold costs for the slots that it stood, its expiry at the latest.
        let stood = u64::from(slot.min(hold.expiry_slot).saturating_sub(hold.slot).0);
        let (mut fees, mut index) = (0u64, hold.slices_head);
        while index != 0 {
            let slice = self.slices[index];
            let maker = u32::from(self.orders[slice.order].account);
            if stood > 0 {
                let notional = notional_atoms(slice.ticks, slice.lots.0, unit);
                let fee = mul_ppm_ceil(notional, rate).wrapping_mul(stood);
                // The rate may have risen since the bond was sized.
                let fee = fee.min(hold.bond_atoms.saturating_sub(fees));
                let share = fee.wrapping_mul(4) / 5;
                fees += fee;
                self.header.fees_out_total.add(fee - share);
                let share = i64::try_from(share).map_err(|_| SlabError::AmountOverflow)?;
                self.touch(maker)?;
                self.settle_cash_apart(maker, share, slot)?;
            }
            self.orders[slice.order].reserved_lots.0 -= slice.lots.0;
            match &mut taker {
                Some((taker, traded)) => self.trade_slice(&slice, taker, traded)?,
                None => self.leave_if_closing(slice.order),
            }
            release(
                &mut self.header.pools[PoolId::Slices as usize],
                &mut self.slices,
                index,
            );
            index = slice.next;
        }
        Ok(fees)
    }

    /// Takes what is no longer reserved off an order whose owner cancelled it.
    #[inline(always)]
    pub(crate) fn leave_if_closing(&mut self, index: u32) {
        let order = &self.orders[index];
        if order.side_flags & order_flags::CLOSING == 0 {
            return;
        }
        let position = order.position;
        if order.reserved_lots.0 == 0 {
            self.leave(index);
            self.drop_position_if_empty(position);
        } else {
            let free = order.lots.0 - order.reserved_lots.0;
            self.shrink(index, Lots(free));
        }
    }

    /// Gives the bond back, less the fee.
    #[inline(always)]
    pub(crate) fn unlock_bond(
        &mut self,
        hold: &Reservation,
        fee_atoms: u64,
        slot: Slot,
    ) -> Result<()> {
        let owner = u32::from(hold.account);
        self.touch(owner)?;
        self.accounts[owner].bond_atoms -= hold.bond_atoms;
        // The bond was sized for the whole life of the hold.
        let fee = i64::try_from(fee_atoms).map_err(|_| SlabError::AmountOverflow)?;
        self.settle_cash_apart(owner, -fee, slot)
    }

    /// Ends a hold of the account whose trader key signed, without trading.
    ///
    /// Returns `None` and touches nothing when the hold ended before.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`], [`SlabError::WrongTrader`],
    /// [`SlabError::NotYourOrder`].
    #[inline(always)]
    pub fn cancel_hold(
        &mut self,
        trader: &Key,
        account: u32,
        index: u32,
        generation: u32,
        slot: Slot,
    ) -> Result<Option<HoldEnded>> {
        self.traded_account(account, trader)?;
        match self.held(account, index, generation) {
            Ok(_) => self.end_hold(index, slot).map(Some),
            Err(SlabError::NotYourOrder) => Err(SlabError::NotYourOrder),
            Err(_) => Ok(None),
        }
    }

    /// Ends a hold whose expiry has passed; anyone may ask.
    ///
    /// Returns `None` and touches nothing when the hold stands or ended before.
    ///
    /// # Errors
    /// [`SlabError::AmountOverflow`].
    #[inline(always)]
    pub fn expire_hold(&mut self, index: u32, slot: Slot) -> Result<Option<HoldEnded>> {
        match self.reservations.get(index) {
            Some(hold) if hold.is_held() && slot > hold.expiry_slot => {
                self.end_hold(index, slot).map(Some)
            }
            _ => Ok(None),
        }
    }

    #[inline(never)]
    pub(crate) fn end_hold(&mut self, index: u32, slot: Slot) -> Result<HoldEnded> {
        let hold = self.reservations[index];
        let fee_atoms = self.end_slices(&hold, slot, None)?;
        self.unschedule(index);
        self.unlock_bond(&hold, fee_atoms, slot)?;
        self.free_reservation(index);
        Ok(HoldEnded {
            tag: HoldEnded::TAG,
            seq: 0,
            account: hold.account,
            hold: index,
            generation: hold.generation,
            fee_atoms,
        })
    }

    /// Frees the record of a committed hold once the Router has booked it.
    ///
    /// Returns whether it was freed; a hold that is not committed, or not yet
    /// booked, stays.
    ///
    /// # Errors
    /// [`SlabError::NotBound`] when `escrow` is not the account's.
    pub fn free_hold(&mut self, index: u32, escrow_key: &Key, escrow: &Escrow) -> Result<bool> {
        let Some(hold) = self.reservations.get(index) else {
            return Ok(false);
        };
        if !hold.is_committed() {
            return Ok(false);
        }
        let owner = u32::from(hold.account);
        let account = self.open_account_at(owner)?;
        if !account.is_bound(owner, escrow_key, escrow) {
            return Err(SlabError::NotBound);
        }
        let booked = escrow.debited_seen_atoms >= hold.debited_after_atoms;
        // A charge of zero moves no counter: its capability has to be gone.
        let burned = !escrow.caps.iter().any(|cap| {
            cap.state == cap_state::LIVE
                && cap.hold == index
                && cap.hold_generation == hold.generation
        });
        if booked && burned {
            self.free_reservation(index);
        }
        Ok(booked && burned)
    }

    fn free_reservation(&mut self, index: u32) {
        let hold = &mut self.reservations[index];
        hold.side_state = 0;
        hold.slices_head = 0;
        let owner = u32::from(hold.account);
        self.accounts[owner].holds_count -= 1;
        release(
            &mut self.header.pools[PoolId::Reservations as usize],
            &mut self.reservations,
            index,
        );
    }

    /// The live hold with this handle.
    #[inline(always)]
    pub(crate) fn held(&self, account: u32, index: u32, generation: u32) -> Result<&Reservation> {
        match self.reservations.get(index) {
            Some(hold) if hold.is_held() && hold.generation == generation => {
                if u32::from(hold.account) == account {
                    Ok(hold)
                } else {
                    Err(SlabError::NotYourOrder)
                }
            }
            _ => Err(SlabError::NoHold),
        }
    }
}
