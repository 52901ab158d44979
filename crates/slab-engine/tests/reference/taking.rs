//! A taker meets the book; one order trades.

use super::holding::ppm_floor;
use super::{Checked, Deed, JIT_PENALTY, Reference, Resting, Terms, fee};
use flagstone_interface::event::outcome;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_units::{Side, SignedPpm};

/// Orders that one taker may look at, whether or not it can trade with them.
const VISITS_MAX: usize = 96;

impl Reference {
    /// Trades in price-time order; returns what is left.
    pub(super) fn sweep(&mut self, terms: &Terms, slot: u32, deed: &mut Deed) -> Checked<u32> {
        let mut left = terms.lots;
        let market = &self.markets[terms.market];
        let (low, high) = market.band();
        let limit = market.within_band(terms.side, terms.limit);
        let queue = market.in_order(terms.side, limit);
        for (ticks, order) in queue.into_iter().take(VISITS_MAX) {
            if left == 0 || deed.met.len() == 48 {
                break;
            }
            let reserved = self.reserved(order.handle);
            let refused = if order.is_expired(slot) {
                outcome::EXPIRED
            } else if ticks < low || ticks > high {
                outcome::OUTSIDE_BAND
            } else if order.account == terms.account {
                outcome::SELF_TRADE
            } else {
                let lots = self
                    .free(terms.market, &order, terms.side.contra())
                    .min(left);
                if lots == 0 && !order.reduce_only {
                    continue;
                }
                if lots == 0 {
                    outcome::NOT_REDUCING
                } else if self.fill_maker(terms, ticks, &order, lots, slot, deed) {
                    left -= lots;
                    continue;
                } else {
                    outcome::MARGIN
                }
            };
            // A hold has captured part of it: it stays.
            if reserved == 0 && !self.turn_away(terms, ticks, &order, refused, &mut left, deed) {
                return Ok(0);
            }
        }
        Ok(left)
    }

    /// Lots of an order that no hold has reserved and, when it may only
    /// reduce, that still do.
    pub(super) fn free(&self, market: usize, order: &Resting, side: Side) -> u32 {
        let mut most = i128::from(order.lots);
        if order.reduce_only {
            most = most.min(self.holding(order.account, market).reducible(side));
        }
        (most - i128::from(self.reserved(order.handle))).max(0) as u32
    }

    /// Removes or reduces an order that may not trade; whether to go on.
    fn turn_away(
        &mut self,
        terms: &Terms,
        ticks: u32,
        order: &Resting,
        refused: u8,
        left: &mut u32,
        deed: &mut Deed,
    ) -> bool {
        let market = &mut self.markets[terms.market];
        let mut gone = order.lots;
        if refused == outcome::SELF_TRADE {
            match terms.self_trade {
                SelfTrade::CancelTaking => return false,
                SelfTrade::CancelResting => {}
                SelfTrade::DecrementBoth => {
                    let both = order.lots.min(*left);
                    *left -= both;
                    // A remainder below the smallest order never rests.
                    if order.lots - both >= market.params.order_lots_min.0 {
                        gone = both;
                    }
                }
            }
        }
        let (side, _, at) = market.find(order.handle).unwrap();
        if gone == order.lots {
            market.remove(side, ticks, at);
        } else {
            market.order(side, ticks, at).lots -= gone;
        }
        deed.met
            .push((order.handle, order.account as u16, ticks, gone, refused));
        true
    }

    /// Trades `lots` of an order; `false`, and nothing happens, when its owner
    /// may not carry that.
    pub(super) fn fill_maker(
        &mut self,
        terms: &Terms,
        ticks: u32,
        order: &Resting,
        lots: u32,
        slot: u32,
        deed: &mut Deed,
    ) -> bool {
        self.prepare(order.account, terms.market, slot);
        let market = &self.markets[terms.market];
        let params = market.params;
        let notional = i128::from(ticks) * i128::from(lots) * i128::from(params.atoms_per_tick);
        let side = terms.side.contra();
        // No rebate for who knew what the batch would bring.
        let late = market.has_switch(JIT_PENALTY)
            && self.person(order.account).designated
            && market.batch.window != 0
            && order.batch == market.batch.window;
        let rate = if late {
            params.maker_fee.max(SignedPpm(0))
        } else {
            params.maker_fee
        };
        let charge = fee(notional, rate);
        let before = self.holding(order.account, terms.market);
        let (mut after, realised) = before.trade(side, i128::from(lots), notional);
        after.open[side.index()] -= i128::from(lots);
        let bound = self.person(order.account).frozen || order.reduce_only;
        let barred = bound && !after.strictly_reduces(&before);
        let cash = realised - charge;
        if barred || !self.may_carry(order.account, terms.market, &before, &after, cash) {
            return false;
        }
        self.note_change(order.account, cash, slot);
        self.store(order.account, terms.market, &after, cash);
        self.till.collected += charge;
        self.till.trades += 1;
        deed.lots += lots;
        deed.notional += notional;

        let reserved = self.reserved(order.handle);
        let market = &mut self.markets[terms.market];
        let (_, _, at) = market.find(order.handle).unwrap();
        let rest = order.lots - lots;
        let going = rest < params.order_lots_min.0 || order.closing;
        let outcome = match rest {
            0 => outcome::FULL,
            _ if going && reserved == 0 => outcome::DUST,
            _ => outcome::PARTIAL,
        };
        if outcome == outcome::PARTIAL {
            market.order(side, ticks, at).lots = rest;
        } else {
            market.remove(side, ticks, at);
        }
        deed.met
            .push((order.handle, order.account as u16, ticks, lots, outcome));
        true
    }

    pub(super) fn settle_taker(
        &mut self,
        terms: &Terms,
        slot: u32,
        deed: &mut Deed,
    ) -> Checked<()> {
        if deed.lots == 0 {
            return Ok(());
        }
        let params = self.markets[terms.market].params;
        deed.fee = fee(deed.notional, params.taker_fee) + deed.tax;
        let before = self.holding(terms.account, terms.market);
        let (after, realised) = before.trade(terms.side, i128::from(deed.lots), deed.notional);
        let too_large = after.worst() > i128::from(params.position_lots_max.0);
        if too_large && after.worst() > before.worst() {
            return Err(SlabError::PositionTooLarge);
        }
        if self.person(terms.account).frozen && !after.strictly_reduces(&before) {
            return Err(SlabError::AccountFrozen);
        }
        if self.is_reduce_only(terms.market) && !after.strictly_reduces(&before) {
            return Err(SlabError::ReduceOnlyStatus);
        }
        let change = realised - deed.fee;
        if !self.may_carry(terms.account, terms.market, &before, &after, change) {
            return Err(SlabError::BelowInitialMargin);
        }
        self.note_change(terms.account, change, slot);
        self.store(terms.account, terms.market, &after, change);
        // Makers' fees and rebates, and the taker's fee, are shared out as one.
        let kept = deed.fee + std::mem::take(&mut self.till.collected);
        assert!(kept >= 0, "rebates exceed fees");
        let insured = ppm_floor(kept, self.limits.insurance_share);
        self.till.dues += insured;
        self.till.fees += kept - insured;
        Ok(())
    }
}
