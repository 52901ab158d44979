//! Commit: a hold trades at its captured prices.
//!
//! Every slice trades what it captured, for makers who can still carry it. The
//! taker is charged what initial margin then lacks, from the capability that
//! the Router minted for this hold, and the result stays in the hold's record
//! until the Router has booked it.

use crate::holds::Reveal;
use crate::layout::Slice;
use crate::matching::{Swept, Taker, crosses};
use crate::risk::Proposal;
use crate::{Result, Slab, SlabError};
use flagstone_interface::Key;
use flagstone_interface::debit::{Pledge, Refusal};
use flagstone_interface::event::{Traded, outcome};
use flagstone_interface::router::Escrow;
use flagstone_interface::slab::{HoldResult, Reservation, account_flags, hold_state};
use flagstone_units::{Side, Slot, Ticks, mul_ppm_ceil};

/// A hold to commit, and what pays for it.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'e> {
    /// Account index.
    pub account: u32,
    /// Hold index.
    pub hold: u32,
    /// Generation of that index.
    pub generation: u32,
    /// Entry of the escrow's capabilities that was minted for the hold.
    pub cap: u8,
    /// Address of the escrow.
    pub escrow_key: &'e Key,
    /// The escrow.
    pub escrow: &'e Escrow,
    /// Terms of a hold that was made with a commitment.
    pub reveal: Option<Reveal>,
}

impl Commit<'_> {
    /// Checks that what is revealed is what the hold is committed to (M6).
    #[inline(always)]
    fn check_reveal(&self, hold: &Reservation) -> Result<()> {
        if hold.commitment == [0; 32] {
            return Ok(());
        }
        self.check_terms(hold)
    }

    #[inline(never)]
    fn check_terms(&self, hold: &Reservation) -> Result<()> {
        let reveal = self.reveal.as_ref().ok_or(SlabError::BadReveal)?;
        let side = match hold.side_state & 1 {
            0 => Side::Bid,
            _ => Side::Ask,
        };
        let kept = hold.lots <= reveal.lots.0
            && crosses(side, reveal.limit, Ticks(hold.worst_ticks))
            && reveal.digest(hold.route_id, hold.instrument, side) == hold.commitment;
        if kept {
            Ok(())
        } else {
            Err(SlabError::BadReveal)
        }
    }
}

impl Slab<'_> {
    /// Trades a hold at its captured prices and charges the escrow's capability.
    ///
    /// Slices whose maker cannot carry the margin, or whose price left the
    /// band, are skipped; the hold's least quantity decides whether the rest
    /// may trade. `traded` must be zeroed; it is filled in.
    ///
    /// # Errors
    /// [`SlabError::NoHold`], [`SlabError::NotBound`], [`SlabError::Expired`],
    /// [`SlabError::NoCap`], [`SlabError::BadReveal`],
    /// [`SlabError::StaleMark`], [`SlabError::MarkMoved`],
    /// [`SlabError::NotFilled`], [`SlabError::ChargeTooLarge`],
    /// [`SlabError::PositionTooLarge`], [`SlabError::AccountFrozen`].
    #[inline(always)]
    pub fn commit(
        &mut self,
        trader: &Key,
        commit: &Commit<'_>,
        slot: Slot,
        traded: &mut Traded,
    ) -> Result<()> {
        let account = self.traded_account(commit.account, trader)?;
        let pledge = Pledge::of(commit.account, account, commit.escrow_key, commit.escrow)
            .ok_or(SlabError::NotBound)?;
        // The escrow may have been frozen since the last sync.
        if account.flags & account_flags::FROZEN != 0 || commit.escrow.frozen != 0 {
            return Err(SlabError::AccountFrozen);
        }
        let hold = *self.held(commit.account, commit.hold, commit.generation)?;
        if slot > hold.expiry_slot {
            return Err(SlabError::Expired);
        }
        let limit_atoms = pledge
            .limit((commit.hold, &hold), commit.cap, slot)
            .map_err(|refusal| match refusal {
                Refusal::NoCap => SlabError::NoCap,
                Refusal::CounterBackwards => SlabError::CounterBackwards,
            })?;
        commit.check_reveal(&hold)?;
        self.touch_mark(hold.instrument, slot);
        self.check_published(&hold, slot)?;
        self.check_kill_band(&hold)?;

        let position = self.position_of(commit.account, hold.instrument)?;
        self.prepare(commit.account, position, slot)?;
        let instrument = &self.instruments[hold.instrument as usize];
        let taker = Taker::of_hold(
            &hold,
            commit.account,
            position,
            instrument.price_band(),
            slot,
        );
        let hold_fee_atoms = self.end_slices(&hold, slot, Some((&taker, traded)))?;
        let (lots, notional_atoms) = (traded.lots, traded.notional_atoms);
        if lots < hold.filled_lots {
            return Err(SlabError::NotFilled);
        }
        let swept = Swept {
            lots,
            notional_atoms,
            maker_fees_atoms: traded.fee_atoms,
            left: 0,
        };
        self.unschedule(commit.hold);
        self.unlock_bond(&hold, hold_fee_atoms, slot)?;
        traded.tax_atoms = self.tax(&taker, &swept);
        let tax = traded.tax_atoms;
        let (charge_atoms, fee) = self.settle_committed(&taker, &swept, tax, limit_atoms)?;
        self.drop_position_if_empty(position);
        self.write_result(commit.hold, &swept, charge_atoms, fee);
        traded.tag = Traded::TAG;
        traded.instrument = hold.instrument;
        traded.side = hold.side_state & 1;
        traded.account = hold.account;
        traded.fee_atoms = fee;
        traded.hold = commit.hold;
        traded.charge_atoms = charge_atoms;
        Ok(())
    }

    /// Applies the trade to the taker and charges what initial margin lacks, up
    /// to the limit of the debit guard.
    #[inline(never)]
    fn settle_committed(
        &mut self,
        taker: &Taker,
        swept: &Swept,
        tax: u64,
        limit_atoms: u64,
    ) -> Result<(u64, i64)> {
        let (fee, change) = self.taker_change(taker, swept, tax)?;
        let cash_change_atoms = change.realised_atoms - fee;
        let proposal = Proposal {
            index: taker.position,
            position: change.position,
            cash_change_atoms,
        };
        let charge = self.lacking(taker.account, &proposal, taker.slot);
        if charge > limit_atoms {
            return Err(SlabError::ChargeTooLarge);
        }
        let cash = i64::try_from(charge).map_err(|_| SlabError::AmountOverflow)?;
        self.add_principal(taker.account, cash, charge)?;
        self.settle_cash(taker.account, cash_change_atoms, taker.slot)?;
        let account = &mut self.accounts[taker.account];
        account.debited_total_atoms = account
            .debited_total_atoms
            .checked_add(charge)
            .ok_or(SlabError::AmountOverflow)?;
        self.header.debits_total.add(charge);
        self.finish_taker(taker, swept, &change, fee)?;
        Ok((charge, fee))
    }

    /// What an account lacks to carry a proposed position.
    #[inline(always)]
    fn lacking(&self, account: u32, proposal: &Proposal, slot: Slot) -> u64 {
        let after = self.health_at(account, Some(proposal), slot);
        if after.covers_initial()
            || self
                .check_reduction(account, proposal, &after, slot)
                .is_ok()
        {
            return 0;
        }
        (after.initial_atoms as i64 - after.equity_atoms).max(0) as u64
    }

    /// Refuses a hold from an earlier slot unless the oracle, where there is
    /// one, has spoken since, and not too long ago (rule T3): what was captured
    /// then must not be traded against news that the mark has not heard.
    #[inline(always)]
    fn check_published(&self, hold: &Reservation, slot: Slot) -> Result<()> {
        let instrument = &self.instruments[hold.instrument as usize];
        let waits = instrument.has_oracle() && hold.slot < slot;
        if waits && !(instrument.index_slot > hold.slot && instrument.is_fresh(slot)) {
            return Err(SlabError::StaleMark);
        }
        Ok(())
    }

    /// Refuses when the mark moved too far between reserve and commit.
    #[inline(always)]
    fn check_kill_band(&self, hold: &Reservation) -> Result<()> {
        let instrument = &self.instruments[hold.instrument as usize];
        let moved = instrument.mark.0.abs_diff(hold.mark_ticks);
        let allowed = mul_ppm_ceil(u64::from(hold.mark_ticks), instrument.kill_band.0);
        if u64::from(moved) <= allowed {
            Ok(())
        } else {
            Err(SlabError::MarkMoved)
        }
    }

    /// Trades one slice at its captured price, unless its maker or the band
    /// forbids it now.
    #[inline(always)]
    pub(crate) fn trade_slice(
        &mut self,
        slice: &Slice,
        taker: &Taker,
        traded: &mut Traded,
    ) -> Result<()> {
        let order = self.orders[slice.order];
        let lots = slice.lots.0;
        let filled = if taker.band.contains(slice.ticks) {
            self.fill_maker(slice.order, &order, lots, taker)?
        } else {
            None
        };
        let outcome = filled.map_or(outcome::SKIPPED, |filled| filled.outcome);
        traded.push(crate::matching::fill(slice.order, &order, lots, outcome));
        match filled {
            Some(filled) => {
                self.print(slice.order, &order, lots, taker);
                traded.lots += lots;
                traded.notional_atoms += filled.notional_atoms;
                // Collects the makers' fees until the taker's is known.
                traded.fee_atoms += filled.fee_atoms;
            }
            None => self.leave_if_closing(slice.order),
        }
        Ok(())
    }

    /// Leaves the result in the record, for the Router to book.
    #[inline(always)]
    fn write_result(&mut self, index: u32, swept: &Swept, charge_atoms: u64, fee_atoms: i64) {
        let debited =
            self.accounts[u32::from(self.reservations[index].account)].debited_total_atoms;
        let hold = &mut self.reservations[index];
        let result = HoldResult {
            charge_atoms,
            notional_atoms: swept.notional_atoms,
            fee_atoms,
            reserved: 0,
        };
        hold.commitment.copy_from_slice(bytemuck::bytes_of(&result));
        hold.debited_after_atoms = debited;
        hold.filled_lots = swept.lots;
        hold.slices_head = 0;
        hold.bond_atoms = 0;
        hold.side_state = hold.side_state & 1 | hold_state::COMMITTED;
    }
}
