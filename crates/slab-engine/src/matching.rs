//! A taker meets the book.
//!
//! Strict price-time priority: levels from best to worst, orders at a level
//! from oldest to youngest. An order that may not trade any more (expired,
//! outside the band, its owner short of margin or frozen) is removed when it is met.
//! The maker is settled fill by fill; the taker once, for the sum.

use crate::layout::{Instrument, Order, Trade, order_flags, switches};
use crate::releases::WARMUP_SLOTS;
use crate::risk::{Band, Proposal};
use crate::{Result, Slab, SlabError};
use flagstone_interface::event::{FILLS_MAX, Fill, Traded, outcome};
use flagstone_interface::slab::{Reservation, account_flags};
use flagstone_units::{Lots, Side, SignedPpm, Slot, Ticks, fee_atoms, notional_atoms};

/// What happens when a taker meets an order of its own.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfTrade {
    /// The resting order is cancelled; the taker goes on.
    CancelResting = 0,
    /// The taker stops.
    CancelTaking = 1,
    /// Both lose the smaller quantity without trading.
    DecrementBoth = 2,
}

impl SelfTrade {
    /// Decodes the byte of an instruction.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::CancelResting),
            1 => Some(Self::CancelTaking),
            2 => Some(Self::DecrementBoth),
            _ => None,
        }
    }
}

/// A taker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taker {
    pub(crate) account: u32,
    pub(crate) position: u32,
    pub(crate) instrument: u8,
    pub(crate) side: Side,
    pub(crate) limit: Ticks,
    pub(crate) lots: u32,
    pub(crate) self_trade: SelfTrade,
    pub(crate) band: Band,
    pub(crate) slot: Slot,
    /// First bytes of the commitment that the trade reveals, for the print.
    pub(crate) commitment: u32,
    /// Whether it is under liquidation: it pays no taker fee, so that there is
    /// nothing to pay a rebate from.
    pub(crate) liquidates: bool,
}

/// What a sweep has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Swept {
    /// Lots traded.
    pub(crate) lots: u32,
    /// Their value, in atoms.
    pub(crate) notional_atoms: u64,
    /// Fees charged to makers less rebates, in atoms.
    pub(crate) maker_fees_atoms: i64,
    /// Lots that the taker still wants.
    pub(crate) left: u32,
}

/// What trading part of a resting order came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MakerFill {
    pub(crate) notional_atoms: u64,
    pub(crate) fee_atoms: i64,
    pub(crate) outcome: u8,
}

impl Taker {
    /// The taker of a hold: every captured price is within its limit.
    #[inline(always)]
    pub(crate) fn of_hold(
        hold: &Reservation,
        account: u32,
        position: u32,
        band: Band,
        slot: Slot,
    ) -> Self {
        Self {
            account,
            position,
            instrument: hold.instrument,
            side: if hold.side_state & 1 == 0 {
                Side::Bid
            } else {
                Side::Ask
            },
            limit: Ticks(hold.worst_ticks),
            lots: hold.lots,
            self_trade: SelfTrade::CancelResting,
            band,
            slot,
            commitment: u32::from_le_bytes([
                hold.commitment[0],
                hold.commitment[1],
                hold.commitment[2],
                hold.commitment[3],
            ]),
            liquidates: false,
        }
    }
}

impl Slab<'_> {
    /// Trades against the book until quantity, limit or room for fills is spent.
    #[inline(never)]
    pub(crate) fn sweep(&mut self, taker: &Taker, traded: &mut Traded) -> Result<Swept> {
        let mut swept = Swept {
            left: taker.lots,
            ..Swept::default()
        };
        let mut room = 2 * FILLS_MAX;
        let contra = taker.side.contra();
        let mut level = self.instruments[taker.instrument as usize].books[contra.index()].best;
        while level != 0 && swept.left > 0 {
            let ticks = self.levels[level].ticks;
            if !crosses(taker.side, taker.limit, ticks) {
                break;
            }
            // Read before the level can leave with its last order.
            let next_level = self.levels[level].next;
            let mut order = self.levels[level].head;
            while order != 0 && swept.left > 0 {
                // Reserved orders use no room in the event, but bound the walk.
                if room == 0 || traded.fills_count as usize == FILLS_MAX {
                    return Ok(swept);
                }
                room -= 1;
                let next = self.orders[order].next;
                self.meet(order, taker, &mut swept, traded)?;
                order = next;
            }
            level = next_level;
        }
        Ok(swept)
    }

    /// One resting order and the taker.
    #[inline(always)]
    fn meet(
        &mut self,
        index: u32,
        taker: &Taker,
        swept: &mut Swept,
        traded: &mut Traded,
    ) -> Result<()> {
        let order = self.orders[index];
        if let Some(removal) = self.refusal(&order, taker) {
            return self.turn_away(index, &order, removal, taker, swept, traded);
        }
        let mut available = order.free_lots();
        if order.is_reduce_only() {
            // What a hold has reserved of it comes first.
            available = self.reducible_free(&order);
            if available == 0 {
                let removal = outcome::NOT_REDUCING;
                return self.turn_away(index, &order, removal, taker, swept, traded);
            }
        }
        let lots = available.min(swept.left);
        if lots == 0 {
            return Ok(());
        }
        let Some(filled) = self.fill_maker(index, &order, lots, taker)? else {
            return self.turn_away(index, &order, outcome::MARGIN, taker, swept, traded);
        };
        swept.lots += lots;
        swept.left -= lots;
        swept.notional_atoms += filled.notional_atoms;
        swept.maker_fees_atoms += filled.fee_atoms;
        traded.push(fill(index, &order, lots, filled.outcome));
        self.print(index, &order, lots, taker);
        Ok(())
    }

    /// Trades `lots` of a resting order for its maker's account.
    ///
    /// `None`, and nothing happens, when the maker could not carry it.
    #[inline(always)]
    pub(crate) fn fill_maker(
        &mut self,
        index: u32,
        order: &Order,
        lots: u32,
        taker: &Taker,
    ) -> Result<Option<MakerFill>> {
        let owner = u32::from(order.account);
        self.prepare(owner, order.position, taker.slot)?;
        let instrument = &self.instruments[taker.instrument as usize];
        let notional_atoms = notional_atoms(order.ticks, lots, instrument.atoms_per_tick);
        let mut rate = instrument.maker_fee;
        if rate.0 < 0 && (taker.liquidates || self.is_just_in_time(order, instrument)) {
            rate = SignedPpm::ZERO;
        }
        let fee_atoms = fee_atoms(notional_atoms, rate);
        let smallest = instrument.order_lots_min.0;

        let change = self.positions[order.position].trade(order.side(), lots, notional_atoms);
        let cash_change_atoms = change.realised_atoms - fee_atoms;
        let mut position = change.position;
        match order.side() {
            Side::Bid => position.open_bid_lots.0 -= lots,
            Side::Ask => position.open_ask_lots.0 -= lots,
        }
        let proposal = Proposal {
            index: order.position,
            position,
            cash_change_atoms,
        };
        let bound =
            self.accounts[owner].flags & account_flags::FROZEN != 0 || order.is_reduce_only();
        let barred = bound && !position.reduces(&self.positions[order.position]);
        if barred || self.check_margin_at(owner, &proposal, taker.slot).is_err() {
            return Ok(None);
        }

        self.settle_cash(owner, cash_change_atoms, taker.slot)?;
        self.track_open_interest(taker.instrument, order.position, change.position.lots.0);
        self.positions[order.position] = change.position;
        let rest = order.lots.0 - lots;
        let order = &self.orders[index];
        let going = rest < smallest || order.side_flags & order_flags::CLOSING != 0;
        let outcome = if rest == 0 {
            outcome::FULL
        } else if going && order.reserved_lots.0 == 0 {
            outcome::DUST
        } else {
            outcome::PARTIAL
        };
        let position = order.position;
        if outcome == outcome::PARTIAL {
            self.shrink(index, Lots(lots));
        } else {
            self.leave(index);
            self.drop_position_if_empty(position);
        }
        Ok(Some(MakerFill {
            notional_atoms,
            fee_atoms,
            outcome,
        }))
    }

    /// Lots by which an order's position can shrink on its side.
    #[inline(never)]
    pub(crate) fn reducible_lots(&self, order: &Order) -> u32 {
        let lots = self.positions[order.position].lots;
        let opposite = match order.side() {
            Side::Bid => lots.0 < 0,
            Side::Ask => lots.0 > 0,
        };
        if opposite { lots.magnitude() } else { 0 }
    }

    /// Whether an order of a designated liquidity provider was posted after the
    /// running batch opened, and so earns no rebate (property M9).
    #[inline(never)]
    fn is_just_in_time(&self, order: &Order, instrument: &Instrument) -> bool {
        instrument.has(switches::JIT_PENALTY)
            && self.accounts[u32::from(order.account)].flags & account_flags::DLP != 0
            && instrument.batch_epoch != 0
            && order.batch_epoch == instrument.batch_epoch
    }

    /// As [`Slab::fill_maker`], for paths that are seldom taken: they do without
    /// a copy of the code of their own.
    #[inline(never)]
    pub(crate) fn fill_maker_apart(
        &mut self,
        index: u32,
        order: &Order,
        lots: u32,
        taker: &Taker,
    ) -> Result<Option<MakerFill>> {
        self.fill_maker(index, order, lots, taker)
    }

    /// Why an order may not trade with this taker, if so.
    #[inline(always)]
    pub(crate) fn refusal(&self, order: &Order, taker: &Taker) -> Option<u8> {
        if order.is_expired(taker.slot) {
            Some(outcome::EXPIRED)
        } else if !taker.band.contains(order.ticks) {
            Some(outcome::OUTSIDE_BAND)
        } else if u32::from(order.account) == taker.account {
            Some(outcome::SELF_TRADE)
        } else {
            None
        }
    }

    /// Removes or reduces an order that may not trade.
    #[cold]
    #[inline(never)]
    pub(crate) fn turn_away(
        &mut self,
        index: u32,
        order: &Order,
        removal: u8,
        taker: &Taker,
        swept: &mut Swept,
        traded: &mut Traded,
    ) -> Result<()> {
        if order.reserved_lots.0 != 0 {
            // A hold has captured part of it; it stays until the hold ends.
            return Ok(());
        }
        let mut lots = order.lots.0;
        if removal == outcome::SELF_TRADE {
            match taker.self_trade {
                SelfTrade::CancelResting => {}
                SelfTrade::CancelTaking => {
                    swept.left = 0;
                    return Ok(());
                }
                SelfTrade::DecrementBoth => {
                    let both = lots.min(swept.left);
                    swept.left -= both;
                    // A remainder below the smallest order goes as well (rule T6).
                    let smallest = self.instruments[taker.instrument as usize].order_lots_min.0;
                    if lots - both >= smallest {
                        lots = both;
                    }
                }
            }
        }
        if lots < order.lots.0 {
            self.shrink(index, Lots(lots));
        } else {
            self.leave(index);
            // The taker's own position is settled, and dropped, at the end.
            if order.position != taker.position {
                self.drop_position_if_empty(order.position);
            }
        }
        traded.push(fill(index, order, lots, removal));
        Ok(())
    }

    /// Adds profit or loss, fee or rebate to an account's cash.
    ///
    /// A loss comes out of principal. A gain is profit, and moves the slot at
    /// which the profit that has not matured counts as made, in proportion.
    #[inline(always)]
    pub(crate) fn settle_cash(
        &mut self,
        account: u32,
        change_atoms: i64,
        slot: Slot,
    ) -> Result<()> {
        let account = &mut self.accounts[account];
        let profit_before = account.profit_atoms();
        let before = account.cash_atoms;
        account.cash_atoms = before
            .checked_add(change_atoms)
            .ok_or(SlabError::AmountOverflow)?;
        if change_atoms < 0 {
            let loss = change_atoms.unsigned_abs();
            account.principal_atoms = account.principal_atoms.saturating_sub(loss);
        } else if change_atoms > 0 && account.warmup_slot < slot {
            let held = before.max(0).unsigned_abs();
            if slot.saturating_sub(account.warmup_slot) >= WARMUP_SLOTS {
                // What has matured stays so, whatever is earned from now on.
                account.principal_atoms = account.principal_atoms.max(held);
            }
            let profit = held.saturating_sub(account.principal_atoms);
            let gain = change_atoms.unsigned_abs();
            account.warmup_slot = weighted_slot(account.warmup_slot, profit, slot, gain);
        }
        let profit = account.profit_atoms();
        self.header.note_profit(profit_before, profit);
        Ok(())
    }

    /// As [`Slab::settle_cash`], for paths that are seldom taken.
    #[inline(never)]
    pub(crate) fn settle_cash_apart(
        &mut self,
        account: u32,
        change_atoms: i64,
        slot: Slot,
    ) -> Result<()> {
        self.settle_cash(account, change_atoms, slot)
    }

    /// Adds money from the escrow to an account's cash; `cash` and `atoms` are
    /// the same amount.
    #[inline(always)]
    pub(crate) fn add_principal(&mut self, account: u32, cash: i64, atoms: u64) -> Result<()> {
        let account = &mut self.accounts[account];
        let debt = account.debt_atoms();
        account.cash_atoms = account
            .cash_atoms
            .checked_add(cash)
            .ok_or(SlabError::AmountOverflow)?;
        // What pays an older loss is lost, not principal. Profit stays as it was.
        account.principal_atoms = account
            .principal_atoms
            .checked_add(atoms.saturating_sub(debt))
            .ok_or(SlabError::AmountOverflow)?;
        Ok(())
    }

    /// Keeps the sum of longs when a position is about to become `lots`.
    #[inline(always)]
    pub(crate) fn track_open_interest(&mut self, instrument: u8, position: u32, lots: i32) {
        let before = self.positions[position].lots.0.max(0) as u64;
        let after = lots.max(0) as u64;
        let instrument = &mut self.instruments[instrument as usize];
        instrument.open_interest_lots = instrument
            .open_interest_lots
            .wrapping_add(after)
            .wrapping_sub(before);
    }

    /// Writes a trade into the ring.
    #[inline(always)]
    pub(crate) fn print(&mut self, index: u32, order: &Order, lots: u32, taker: &Taker) {
        let number = self.header.trades_total + 1;
        self.header.trades_total = number;
        // Head of the ring, kept in the directory so that no division is needed.
        let pool = self.pool(flagstone_interface::slab::PoolId::Trades);
        let at = pool.free_head;
        pool.free_head = if at + 1 == pool.capacity { 0 } else { at + 1 };
        if pool.high_water < pool.capacity {
            pool.high_water += 1;
            pool.live += 1;
        }
        let reveal = self.instruments[order.instrument as usize]
            .rules
            .reveal_slots;
        self.trades[at as usize] = Trade {
            number,
            slot: taker.slot,
            ticks: order.ticks,
            lots: Lots(lots),
            maker: order.account,
            taker: taker.account as u16,
            order: index,
            instrument: order.instrument,
            side: taker.side as u8,
            padding: 0,
            reveal_slot: Slot(taker.slot.0.wrapping_add(reveal.0)),
            commitment: taker.commitment,
        };
    }
}

/// When `gain` joins `profit` made at `old`: the slot between `old` and `now`
/// that divides them by their sizes, rounded towards `now`.
#[inline(always)]
fn weighted_slot(old: Slot, profit: u64, now: Slot, gain: u64) -> Slot {
    let total = profit.saturating_add(gain);
    // Scaled to 32 bits, so that the product with the slots fits 64.
    let shift = (64 - total.leading_zeros()).saturating_sub(32);
    let (total, gain) = (total >> shift, (gain >> shift) + u64::from(shift != 0));
    let elapsed = u64::from(now.0 - old.0);
    let step = elapsed.wrapping_mul(gain.min(total)).div_ceil(total);
    Slot(old.0 + step as u32)
}

/// Whether a taker with this limit trades at `ticks`.
#[inline(always)]
pub(crate) fn crosses(side: Side, limit: Ticks, ticks: Ticks) -> bool {
    match side {
        Side::Bid => ticks <= limit,
        Side::Ask => ticks >= limit,
    }
}

#[inline(always)]
pub(crate) fn fill(index: u32, order: &Order, lots: u32, outcome: u8) -> Fill {
    Fill {
        account: order.account,
        order: index,
        generation: order.generation,
        ticks: order.ticks.0,
        lots,
        outcome,
    }
}
