//! Place, cancel, take: checks in order, then one change.
//!
//! An error may be found after part of a change was made. The programs return
//! it, which undoes the instruction; a host that goes on after an error works
//! on a copy.

use crate::book::{Evictions, NewOrder};
use crate::layout::{Instrument, order_flags};
use crate::matching::{SelfTrade, Swept, Taker, crosses};
use crate::positions::Change;
use crate::risk::Proposal;
use crate::{Result, Slab, SlabError};
use flagstone_interface::event::{OrderCancelled, OrderPlaced, Traded, cancel_reason};
use flagstone_interface::slab::account_flags;
use flagstone_interface::{Key, event};
use flagstone_units::{Lots, Side, Slot, Ticks, fee_atoms, notional_atoms};

/// Kind of an order that may rest.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// Trades what it can, then rests.
    Limit = 0,
    /// Rests, or is refused when it would trade.
    PostOnly = 1,
}

impl OrderKind {
    /// Decodes the byte of an instruction.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Limit),
            1 => Some(Self::PostOnly),
            _ => None,
        }
    }
}

/// An order to place.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Account index.
    pub account: u32,
    /// Instrument number.
    pub instrument: u8,
    /// Side.
    pub side: Side,
    /// Kind.
    pub kind: OrderKind,
    /// What to do on meeting an order of the same account.
    pub self_trade: SelfTrade,
    /// Price.
    pub ticks: Ticks,
    /// Quantity.
    pub lots: Lots,
    /// Last slot in which it may trade; 0 is never.
    pub expiry: Slot,
    /// The client's own number.
    pub client_id: u64,
}

/// A trade to make at once.
#[derive(Clone, Copy, Debug)]
pub struct Take {
    /// Account index.
    pub account: u32,
    /// Instrument number.
    pub instrument: u8,
    /// Side.
    pub side: Side,
    /// What to do on meeting an order of the same account.
    pub self_trade: SelfTrade,
    /// Worst price.
    pub limit: Ticks,
    /// Quantity.
    pub lots: Lots,
    /// Least quantity, or nothing happens: 0 is immediate-or-cancel, `lots` fill-or-kill.
    pub lots_min: Lots,
}

/// What a placement did.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// The order that came to rest, unless all of it traded.
    pub rested: Option<OrderPlaced>,
    /// Whether the book was met; then the trade event says what happened.
    pub traded: bool,
    /// Orders that made room.
    pub evicted: Evictions,
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
        let account = self.traded_account(order.account, trader)?;
        if account.flags & account_flags::FROZEN != 0 {
            return Err(SlabError::AccountFrozen);
        }
        if u32::from(account.orders_count) >= self.header.orders_per_account_max {
            return Err(SlabError::AccountOrdersFull);
        }
        check_order(self.instrument(order.instrument)?, order.ticks, order.lots)?;
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

        let mut placed = Placed {
            rested: None,
            traded: false,
            evicted: Evictions::none(),
        };
        let mut lots = order.lots.0;
        if best != 0 && crosses(order.side, order.ticks, self.levels[best].ticks) {
            if order.kind == OrderKind::PostOnly {
                return Err(SlabError::WouldCross);
            }
            lots = self.cross(order, position, slot, traded)?;
            placed.traded = true;
        }
        if lots < smallest {
            self.drop_position_if_empty(position);
            return Ok(placed);
        }
        self.check_open(order, position, lots)?;
        let new = NewOrder {
            account: order.account,
            position,
            instrument: order.instrument,
            side: order.side,
            ticks: order.ticks,
            lots: Lots(lots),
            expiry: order.expiry,
            slot,
            client_id: order.client_id,
        };
        let index = self.rest(&new, &mut placed.evicted)?;
        let generation = self.orders[index].generation;
        placed.rested = Some(placed_event(&new, index, generation));
        Ok(placed)
    }

    /// Trades the crossing part of a limit order; returns what is left to rest.
    #[inline(never)]
    fn cross(
        &mut self,
        order: &Place,
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
            lots: order.lots,
            lots_min: Lots::ZERO,
        };
        let swept = self.sweep_and_settle(&take, position, slot, traded)?;
        // Still crossing: the room for fills ran out, so nothing may rest.
        let best =
            self.instruments[order.instrument as usize].books[order.side.contra().index()].best;
        let crossed = best != 0 && crosses(order.side, order.ticks, self.levels[best].ticks);
        Ok(if crossed { 0 } else { swept.left })
    }

    /// Checks that an account may rest `lots` more.
    #[inline(always)]
    fn check_open(&mut self, order: &Place, index: u32, lots: u32) -> Result<()> {
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
        if worst
            > self.instruments[order.instrument as usize]
                .position_lots_max
                .0
        {
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
        let proposal = Proposal {
            index,
            position,
            cash_change_atoms: -loss - fee.max(0),
        };
        let health = self.health(order.account, Some(&proposal));
        // An order that cannot make the worst case worse needs no margin.
        if health.covers_initial() || worst <= stored.worst_lots() {
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
        check_order(self.instrument(take.instrument)?, take.limit, take.lots)?;
        if take.lots_min > take.lots {
            return Err(SlabError::BadQuantity);
        }
        self.touch_mark(take.instrument, slot);
        let position = self.position_of(take.account, take.instrument)?;
        let swept = self.sweep_and_settle(take, position, slot, traded)?;
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
        };
        let swept = self.sweep(&taker, traded)?;
        let mut fee = 0;
        if swept.lots > 0 {
            fee = self.settle_taker(&taker, &swept)?;
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
    fn settle_taker(&mut self, taker: &Taker, swept: &Swept) -> Result<i64> {
        let (fee, change) = self.taker_change(taker, swept)?;
        let cash_change_atoms = change.realised_atoms - fee;
        let proposal = Proposal {
            index: taker.position,
            position: change.position,
            cash_change_atoms,
        };
        self.check_margin(taker.account, &proposal)?;
        self.settle_cash(taker.account, cash_change_atoms, taker.slot)?;
        self.finish_taker(taker, swept, &change, fee)?;
        Ok(fee)
    }

    /// The taker's fee and position after the sum of its fills.
    #[inline(always)]
    pub(crate) fn taker_change(&self, taker: &Taker, swept: &Swept) -> Result<(i64, Change)> {
        let instrument = &self.instruments[taker.instrument as usize];
        let fee = fee_atoms(swept.notional_atoms, instrument.taker_fee);
        let lots_max = instrument.position_lots_max.0;
        let stored = &self.positions[taker.position];
        let change = stored.trade(taker.side, swept.lots, swept.notional_atoms);
        // Not even a reduction may push the worst case beyond the limit: the
        // account's own open orders could then carry it across, unchecked.
        let worst = change.position.worst_lots();
        if worst > lots_max && worst > stored.worst_lots() {
            return Err(SlabError::PositionTooLarge);
        }
        if !change.position.reduces(stored)
            && self.accounts[taker.account].flags & account_flags::FROZEN != 0
        {
            return Err(SlabError::AccountFrozen);
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
        self.header.fees_out_total.add(kept);
        Ok(())
    }

    /// Cancels a resting order of the account whose trader key signed.
    ///
    /// Returns `None` and touches nothing when the handle is stale: the order
    /// was filled or cancelled before (rule T5). What a hold has reserved of
    /// the order stays until the hold ends, and leaves then.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`], [`SlabError::WrongTrader`],
    /// [`SlabError::NotYourOrder`].
    #[inline(always)]
    pub fn cancel(
        &mut self,
        trader: &Key,
        account: u32,
        index: u32,
        generation: u32,
    ) -> Result<Option<OrderCancelled>> {
        self.traded_account(account, trader)?;
        let order = match self.orders.get(index) {
            Some(order) if order.is_live() && order.generation == generation => *order,
            _ => return Ok(None),
        };
        if u32::from(order.account) != account {
            return Err(SlabError::NotYourOrder);
        }
        let mut lots = order.lots.0;
        if order.reserved_lots.0 == 0 {
            self.leave(index);
            self.drop_position_if_empty(order.position);
        } else if order.side_flags & order_flags::CLOSING != 0 {
            return Ok(None);
        } else {
            lots -= order.reserved_lots.0;
            self.orders[index].side_flags |= order_flags::CLOSING;
            self.shrink(index, Lots(lots));
        }
        Ok(Some(OrderCancelled {
            tag: OrderCancelled::TAG,
            seq: 0,
            instrument: order.instrument,
            side: order.side() as u8,
            account: order.account,
            order: index,
            generation,
            lots,
            reason: cancel_reason::OWNER,
        }))
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
    }
}
