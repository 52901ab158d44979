//! Place and take: checks in order, then one change.
//!
//! An error may be found after part of a change was made. The programs return
//! it, which undoes the instruction; a host that goes on after an error works
//! on a copy.

use crate::book::{Evictions, NewOrder};
use crate::layout::{Instrument, order_flags};
use crate::matching::{Swept, Taker, crosses};
use crate::positions::Change;
use crate::requests::{OrderKind, Place, Placed, Take};
use crate::risk::Proposal;
use crate::{Result, Slab, SlabError};
use flagstone_interface::event::{OrderPlaced, Traded};
use flagstone_interface::slab::{account_flags, status};
use flagstone_interface::{Key, event};
use flagstone_units::{Lots, Side, Slot, Ticks, fee_atoms, mul_ppm_floor, notional_atoms};

/// What orders need whose margin is checked together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Openings {
    /// Whether any of them makes the worst case worse.
    worse: bool,
    /// What they would lose against the mark, and their fees, in atoms.
    cost_atoms: i64,
}

impl Slab<'_> {
    /// Places an order for the account whose trader key signed.
    ///
    /// `traded` must be zeroed; it is filled in when the order meets the book.
    ///
    /// # Errors
    /// Any [`SlabError`] from 6007 on that its sentence explains.
    #[inline(always)]
    pub fn place(
        &mut self,
        trader: &Key,
        order: &Place,
        slot: Slot,
        traded: &mut Traded,
    ) -> Result<Placed> {
        self.traded_account(order.account, trader)?;
        self.place_checked(order, slot, traded, None)
    }

    /// As [`Slab::place`], for instructions that do more than place one order:
    /// the margin of what rests is left to [`Slab::check_openings`], which has
    /// to follow.
    ///
    /// # Errors
    /// Those of [`Slab::place`], but for the account's.
    #[inline(never)]
    pub fn place_next(
        &mut self,
        order: &Place,
        slot: Slot,
        traded: &mut Traded,
        openings: &mut Openings,
    ) -> Result<Placed> {
        self.place_checked(order, slot, traded, Some(openings))
    }

    /// Checks that an account may rest all the orders that it placed: it covers
    /// its initial margin, or they cannot make its worst case worse.
    ///
    /// # Errors
    /// [`SlabError::BelowInitialMargin`].
    #[inline(never)]
    pub fn check_openings(&self, account: u32, openings: &Openings, slot: Slot) -> Result<()> {
        if !openings.worse {
            return Ok(());
        }
        let mut health = self.health_at(account, None, slot);
        health.equity_atoms -= openings.cost_atoms;
        if health.covers_initial() {
            Ok(())
        } else {
            Err(SlabError::BelowInitialMargin)
        }
    }

    /// Places an order for an account whose trader is known to have signed.
    #[inline(always)]
    pub(crate) fn place_checked(
        &mut self,
        order: &Place,
        slot: Slot,
        traded: &mut Traded,
        openings: Option<&mut Openings>,
    ) -> Result<Placed> {
        let account = &self.accounts[order.account];
        let frozen = account.flags & account_flags::FROZEN != 0;
        let full = u32::from(account.orders_count) >= self.header.orders_per_account_max;
        if frozen && !order.reduce_only {
            return Err(SlabError::AccountFrozen);
        }
        let at_once = order.kind as u8 >= OrderKind::ImmediateOrCancel as u8;
        if full && !at_once {
            return Err(SlabError::AccountOrdersFull);
        }
        let instrument = self.instrument(order.instrument)?;
        let closing = self.header.status.max(instrument.status) == status::REDUCE_ONLY;
        check_order(instrument, order.ticks, order.lots)?;
        if closing && !order.reduce_only {
            return Err(SlabError::ReduceOnlyStatus);
        }
        if at_once {
            return self.place_at_once(order, slot, traded);
        }
        if order.expiry.0 != 0 && order.expiry < slot {
            return Err(SlabError::Expired);
        }
        self.touch_mark(order.instrument, slot);
        let instrument = &self.instruments[order.instrument as usize];
        if !instrument.price_band().contains(order.ticks) {
            return Err(SlabError::OutsideBand);
        }
        let best = instrument.books[order.side.contra().index()].best;
        let smallest = instrument.order_lots_min.0;
        let position = self.position_of(order.account, order.instrument)?;
        self.prepare(order.account, position, slot)?;

        let mut placed = Placed {
            rested: None,
            batch_epoch: 0,
            traded: false,
            evicted: Evictions::none(),
        };
        let (mut lots, mut ticks) = (order.lots.0, order.ticks);
        if order.reduce_only {
            lots = self.reducible(position, order.side, lots)?;
        }
        if best != 0 && crosses(order.side, ticks, self.levels[best].ticks) {
            match order.kind {
                OrderKind::PostOnly => return Err(SlabError::WouldCross),
                OrderKind::PostOnlySlide => {
                    ticks = self.one_tick_short(order, self.levels[best].ticks)?;
                }
                _ => {
                    lots = self.cross(order, lots, position, slot, traded)?;
                    placed.traded = true;
                }
            }
        }
        if lots < smallest {
            if !placed.traded {
                // What the order may reduce is less than may rest.
                return Err(SlabError::NotReducing);
            }
            self.drop_position_if_empty(position);
            return Ok(placed);
        }
        let new = NewOrder {
            account: order.account,
            position,
            instrument: order.instrument,
            side: order.side,
            ticks,
            lots: Lots(lots),
            expiry: order.expiry,
            slot,
            client_id: order.client_id,
            flags: order.reduce_only as u8 * order_flags::REDUCE_ONLY,
        };
        self.check_open(&new, openings)?;
        placed.batch_epoch = self.epoch_to_wait_for(&new);
        let index = if placed.batch_epoch == 0 {
            self.rest(&new, &mut placed.evicted)?
        } else {
            self.pend(&new, placed.batch_epoch, &mut placed.evicted)?
        };
        let generation = self.orders[index].generation;
        placed.rested = Some(placed_event(&new, index, generation));
        Ok(placed)
    }

    /// An order that never rests is a take.
    #[inline(never)]
    fn place_at_once(&mut self, order: &Place, slot: Slot, traded: &mut Traded) -> Result<Placed> {
        let take = Take {
            account: order.account,
            instrument: order.instrument,
            side: order.side,
            self_trade: order.self_trade,
            limit: order.ticks,
            lots: order.lots,
            lots_min: match order.kind {
                OrderKind::FillOrKill => order.lots,
                _ => Lots::ZERO,
            },
            reduce_only: order.reduce_only,
        };
        self.take_checked(&take, slot, traded)?;
        Ok(Placed {
            rested: None,
            batch_epoch: 0,
            traded: true,
            evicted: Evictions::none(),
        })
    }

    /// Has to come before an account trades or its margin is measured: its
    /// haircut, its leaf, and the funding of its positions are brought up to
    /// date, and the funding of this one is paid.
    #[inline(always)]
    pub(crate) fn prepare(&mut self, account: u32, position: u32, slot: Slot) -> Result<()> {
        self.touch(account)?;
        self.accrue_positions(account, slot);
        let stored = &self.positions[position];
        let funding_index = self.instruments[stored.instrument as usize].funding_index;
        if stored.funding_index != funding_index {
            self.settle_funding(position, slot)?;
        }
        Ok(())
    }

    /// The part of `lots` that reduces a position beyond what orders on the
    /// same side already do.
    ///
    /// # Errors
    /// [`SlabError::NotReducing`] when none does.
    #[inline(never)]
    fn reducible(&self, position: u32, side: Side, lots: u32) -> Result<u32> {
        let position = &self.positions[position];
        let (open, opposite) = match side {
            Side::Bid => (position.open_bid_lots, position.lots.0 < 0),
            Side::Ask => (position.open_ask_lots, position.lots.0 > 0),
        };
        let room = position.lots.magnitude().saturating_sub(open.0);
        if opposite && room > 0 {
            Ok(lots.min(room))
        } else {
            Err(SlabError::NotReducing)
        }
    }

    /// The price next to the best of the other side.
    #[inline(never)]
    fn one_tick_short(&self, order: &Place, best: Ticks) -> Result<Ticks> {
        let ticks = match order.side {
            Side::Bid => best.0 - 1,
            Side::Ask => best.0.saturating_add(1),
        };
        let band = self.instruments[order.instrument as usize].price_band();
        if ticks > 0 && band.contains(Ticks(ticks)) {
            Ok(Ticks(ticks))
        } else {
            Err(SlabError::WouldCross)
        }
    }

    /// Trades the crossing part of a limit order; returns what is left to rest.
    #[inline(never)]
    fn cross(
        &mut self,
        order: &Place,
        lots: u32,
        position: u32,
        slot: Slot,
        traded: &mut Traded,
    ) -> Result<u32> {
        let take = Take {
            account: order.account,
            instrument: order.instrument,
            side: order.side,
            self_trade: order.self_trade,
            limit: order.ticks,
            lots: Lots(lots),
            lots_min: Lots::ZERO,
            reduce_only: order.reduce_only,
        };
        let swept = self.sweep_and_settle(&take, position, slot, traded)?;
        // Still crossing: the room for fills ran out, so nothing may rest.
        let best =
            self.instruments[order.instrument as usize].books[order.side.contra().index()].best;
        let crossed = best != 0 && crosses(order.side, order.ticks, self.levels[best].ticks);
        Ok(if crossed { 0 } else { swept.left })
    }

    /// Checks that an account may rest one more order; notes what the order
    /// needs when its margin is to be checked later.
    #[inline(always)]
    fn check_open(&mut self, order: &NewOrder, openings: Option<&mut Openings>) -> Result<()> {
        let (index, lots) = (order.position, order.lots.0);
        let stored = self.positions[index];
        let mut position = stored;
        let open = match order.side {
            Side::Bid => &mut position.open_bid_lots,
            Side::Ask => &mut position.open_ask_lots,
        };
        *open = open
            .checked_add(Lots(lots))
            .ok_or(SlabError::PositionTooLarge)?;
        let worst = position.worst_lots();
        let lots_max = self.instruments[order.instrument as usize].position_lots_max;
        // The limit may have been lowered below what the account holds.
        if worst > lots_max.0 && worst > stored.worst_lots() {
            return Err(SlabError::PositionTooLarge);
        }
        // Margin is measured at the mark; what the order would lose against
        // it, and its fee, have to be there as well, else it could rest and
        // yet never trade.
        let instrument = &self.instruments[order.instrument as usize];
        let against = match order.side {
            Side::Bid => order.ticks.saturating_sub(instrument.mark),
            Side::Ask => instrument.mark.saturating_sub(order.ticks),
        };
        let unit = instrument.atoms_per_tick;
        let loss = notional_atoms(against, lots, unit) as i64;
        let fee = fee_atoms(
            notional_atoms(order.ticks, lots, unit),
            instrument.maker_fee,
        );
        let cost_atoms = loss + fee.max(0);
        // An order that cannot make the worst case worse needs no margin, and
        // no fresh mark to measure it at.
        let worse = worst > stored.worst_lots();
        if worse && !instrument.is_fresh(order.slot) {
            return Err(SlabError::StaleMark);
        }
        if let Some(openings) = openings {
            openings.worse |= worse;
            openings.cost_atoms += cost_atoms;
            return Ok(());
        }
        let proposal = Proposal {
            index,
            position,
            cash_change_atoms: -cost_atoms,
        };
        let health = self.health_at(order.account, Some(&proposal), order.slot);
        if health.covers_initial() || !worse {
            Ok(())
        } else {
            Err(SlabError::BelowInitialMargin)
        }
    }

    /// Trades against the book for the account whose trader key signed.
    ///
    /// `traded` must be zeroed; it is filled in.
    ///
    /// # Errors
    /// [`SlabError::NotFilled`] below `lots_min`, and any other [`SlabError`]
    /// from 6007 on that its sentence explains.
    #[inline(always)]
    pub fn take(
        &mut self,
        trader: &Key,
        take: &Take,
        slot: Slot,
        traded: &mut Traded,
    ) -> Result<()> {
        self.traded_account(take.account, trader)?;
        self.take_checked(take, slot, traded)
    }

    #[inline(always)]
    fn take_checked(&mut self, take: &Take, slot: Slot, traded: &mut Traded) -> Result<()> {
        check_order(self.instrument(take.instrument)?, take.limit, take.lots)?;
        if take.lots_min > take.lots {
            return Err(SlabError::BadQuantity);
        }
        self.touch_mark(take.instrument, slot);
        let position = self.position_of(take.account, take.instrument)?;
        self.prepare(take.account, position, slot)?;
        let swept = if take.reduce_only {
            let held = &self.positions[position];
            let opposite = (held.lots.0 > 0) == (take.side == Side::Ask);
            if held.lots.0 == 0 || !opposite {
                return Err(SlabError::NotReducing);
            }
            let lots = Lots(take.lots.0.min(held.lots.magnitude()));
            self.sweep_and_settle(&Take { lots, ..*take }, position, slot, traded)?
        } else {
            self.sweep_and_settle(take, position, slot, traded)?
        };
        if swept.lots < take.lots_min.0 {
            return Err(SlabError::NotFilled);
        }
        self.drop_position_if_empty(position);
        Ok(())
    }

    /// Sweeps the book and settles the taker for the sum of its fills.
    #[inline(always)]
    fn sweep_and_settle(
        &mut self,
        take: &Take,
        position: u32,
        slot: Slot,
        traded: &mut Traded,
    ) -> Result<Swept> {
        let band = self.instruments[take.instrument as usize].price_band();
        let taker = Taker {
            account: take.account,
            position,
            instrument: take.instrument,
            side: take.side,
            limit: band.clamp_limit(take.side, take.limit),
            lots: take.lots.0,
            self_trade: take.self_trade,
            band,
            slot,
            commitment: 0,
            liquidates: false,
        };
        let swept = self.sweep(&taker, traded)?;
        let mut fee = 0;
        if swept.lots > 0 {
            let tax = self.tax(&taker, &swept);
            traded.tax_atoms = tax;
            fee = self.settle_taker(&taker, &swept, tax)?;
        }
        traded.tag = Traded::TAG;
        traded.instrument = take.instrument;
        traded.side = take.side as u8;
        traded.account = take.account as u16;
        traded.lots = swept.lots;
        traded.notional_atoms = swept.notional_atoms;
        traded.fee_atoms = fee;
        Ok(swept)
    }

    /// Applies the sum of the fills to the taker and books the fees.
    #[inline(always)]
    fn settle_taker(&mut self, taker: &Taker, swept: &Swept, tax: u64) -> Result<i64> {
        let (fee, change) = self.taker_change(taker, swept, tax)?;
        let cash_change_atoms = change.realised_atoms - fee;
        let proposal = Proposal {
            index: taker.position,
            position: change.position,
            cash_change_atoms,
        };
        self.check_margin_at(taker.account, &proposal, taker.slot)?;
        self.settle_cash(taker.account, cash_change_atoms, taker.slot)?;
        self.finish_taker(taker, swept, &change, fee)?;
        Ok(fee)
    }

    /// The tax of a taker's round trip, in atoms.
    #[inline(always)]
    pub(crate) fn tax(&mut self, taker: &Taker, swept: &Swept) -> u64 {
        let (side, lots) = (taker.side, swept.lots);
        self.round_trip_tax(taker.position, side, lots, swept.notional_atoms, taker.slot)
    }

    /// The taker's fee, tax included, and position after the sum of its fills.
    #[inline(always)]
    pub(crate) fn taker_change(
        &self,
        taker: &Taker,
        swept: &Swept,
        tax: u64,
    ) -> Result<(i64, Change)> {
        let instrument = &self.instruments[taker.instrument as usize];
        // A tax is a part of a profit, so it is below 2^53.
        let fee = fee_atoms(swept.notional_atoms, instrument.taker_fee) + tax as i64;
        let lots_max = instrument.position_lots_max.0;
        let stored = &self.positions[taker.position];
        let change = stored.trade(taker.side, swept.lots, swept.notional_atoms);
        // Not even a reduction may push the worst case beyond the limit: the
        // account's own open orders could then carry it across, unchecked.
        let worst = change.position.worst_lots();
        if worst > lots_max && worst > stored.worst_lots() {
            return Err(SlabError::PositionTooLarge);
        }
        if !change.position.reduces(stored) {
            if self.accounts[taker.account].flags & account_flags::FROZEN != 0 {
                return Err(SlabError::AccountFrozen);
            }
            if !instrument.is_fresh(taker.slot) {
                return Err(SlabError::StaleMark);
            }
            if self.header.status.max(instrument.status) == status::REDUCE_ONLY {
                return Err(SlabError::ReduceOnlyStatus);
            }
        }
        Ok((fee, change))
    }

    /// Stores the taker's position and keeps the fees of both sides.
    #[inline(always)]
    pub(crate) fn finish_taker(
        &mut self,
        taker: &Taker,
        swept: &Swept,
        change: &Change,
        fee: i64,
    ) -> Result<()> {
        self.track_open_interest(taker.instrument, taker.position, change.position.lots.0);
        self.positions[taker.position] = change.position;
        // The rates add up to zero or more, the taker's share is rounded up
        // and rebates down, so the sum is never negative.
        let kept = fee + swept.maker_fees_atoms;
        let kept = u64::try_from(kept).map_err(|_| SlabError::AmountOverflow)?;
        let insured = match self.header.insurance_share.0 {
            0 => 0,
            share => mul_ppm_floor(kept, share),
        };
        self.header.fees_out_total.add(kept - insured);
        if insured != 0 {
            self.header.insurance_due_total.add(insured);
        }
        Ok(())
    }
}

/// Checks price and quantity against the instrument.
#[inline(always)]
pub(crate) fn check_order(instrument: &Instrument, ticks: Ticks, lots: Lots) -> Result<()> {
    if ticks.0 == 0 || ticks > instrument.price_max {
        return Err(SlabError::BadPrice);
    }
    if lots < instrument.order_lots_min || lots > instrument.order_lots_max {
        return Err(SlabError::BadQuantity);
    }
    Ok(())
}

#[inline(always)]
fn placed_event(new: &NewOrder, index: u32, generation: u32) -> OrderPlaced {
    OrderPlaced {
        tag: event::OrderPlaced::TAG,
        seq: 0,
        instrument: new.instrument,
        side: new.side as u8,
        account: new.account as u16,
        order: index,
        generation,
        ticks: new.ticks.0,
        lots: new.lots.0,
        expiry_slot: new.expiry.0,
        client_id: new.client_id,
        reduce_only: u8::from(new.flags & order_flags::REDUCE_ONLY != 0),
    }
}
