//! Holds: which quantity they captured, and what their ends do.
//!
//! What is reserved of an order is never stored: it is the sum over the holds
//! that stand.

use super::holding::{ppm_ceil, ppm_floor};
use super::{Checked, Deed, Handle, Reference, Terms, fee};
use flagstone_interface::event::outcome;
use flagstone_interface::router::{Escrow, cap_state};
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::holds::Reserve;
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_units::Side;

/// A captured part of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub order: Handle,
    pub maker: u32,
    pub ticks: u32,
    pub lots: u32,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub handle: Handle,
    pub account: u32,
    pub market: usize,
    pub side: Side,
    pub lots_min: u32,
    pub route_id: u64,
    /// Terms that commit has to reveal, unless there are none.
    pub secret: Option<Secret>,
    /// Empty once it ended.
    pub pieces: Vec<Piece>,
    pub notional: i128,
    pub bond: i128,
    pub max_charge: i128,
    pub mark: u32,
    pub slot: u32,
    pub expiry: u32,
    /// What the account had been debited in all when this hold was committed.
    pub committed: Option<i128>,
}

/// What a commitment commits to: lots, limit and salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secret {
    pub lots: u32,
    pub limit: u32,
    pub salt: [u8; 16],
}

/// Who commits which hold, and with whose money.
#[derive(Clone, Copy, Debug)]
pub struct Payment<'a> {
    pub account: u32,
    pub hold: Handle,
    /// Account whose escrow it is.
    pub payer: u32,
    pub escrow: &'a Escrow,
    pub cap: u8,
    pub reveal: Option<Secret>,
}

impl Reference {
    /// Lots of an order that holds have captured.
    pub fn reserved(&self, order: Handle) -> u32 {
        let pieces = self.holds.iter().flat_map(|hold| &hold.pieces);
        let captured = pieces.filter(|piece| piece.order == order);
        captured.map(|piece| piece.lots).sum()
    }

    /// Cash that the account's holds lock.
    pub fn bonds(&self, account: u32) -> i128 {
        let own = self.holds.iter().filter(|hold| hold.account == account);
        own.map(|hold| hold.bond).sum()
    }

    /// Hold records of an account, committed ones included.
    pub fn standing(&self, account: u32) -> usize {
        let own = self.holds.iter().filter(|hold| hold.account == account);
        own.count()
    }

    pub fn reserve(&mut self, order: &Reserve, slot: u32) -> Checked<Hold> {
        self.attempt(order.instrument, |model| model.reserve_inner(order, slot))
    }

    fn reserve_inner(&mut self, order: &Reserve, slot: u32) -> Checked<Hold> {
        if self.person(order.account).frozen {
            return Err(SlabError::AccountFrozen);
        }
        if self.standing(order.account) >= 16 {
            return Err(SlabError::HoldsFull);
        }
        let terms = Terms {
            account: order.account,
            market: usize::from(order.instrument),
            side: order.side,
            limit: order.limit.0,
            lots: order.lots.0,
            self_trade: SelfTrade::CancelResting,
        };
        self.check_terms(&terms)?;
        if order.lots_min.0 == 0 || order.lots_min > order.lots || order.ttl.0 > 300 {
            return Err(SlabError::BadQuantity);
        }
        self.move_mark(terms.market, slot);
        let (pieces, expiry) = self.capture(&terms, slot, slot + order.ttl.0)?;
        let lots: u32 = pieces.iter().map(|piece| piece.lots).sum();
        if lots < order.lots_min.0 {
            return Err(SlabError::NotFilled);
        }
        self.check_share(&terms, lots, expiry > slot)?;
        self.room_for_position(order.account, terms.market)?;
        self.prepare(order.account, terms.market, slot);
        let mut hold = Hold {
            handle: (0, 0),
            account: order.account,
            market: terms.market,
            side: order.side,
            lots_min: order.lots_min.0,
            route_id: order.route_id,
            secret: None,
            notional: pieces.iter().map(|piece| self.value(&terms, piece)).sum(),
            pieces,
            bond: 0,
            max_charge: 0,
            mark: self.markets[terms.market].mark,
            slot,
            expiry,
            committed: None,
        };
        let before = self.holding(hold.account, hold.market);
        let (after, _) = before.trade(hold.side, i128::from(lots), hold.notional);
        if self.is_reduce_only(hold.market) && !after.strictly_reduces(&before) {
            return Err(SlabError::ReduceOnlyStatus);
        }
        hold.bond = self.fees_for(&hold, expiry).iter().sum();
        if hold.bond > 0 && hold.bond > self.free_cash(order.account) {
            return Err(SlabError::BelowInitialMargin);
        }
        hold.max_charge = self.charge_bound(&hold, lots);
        if self.holds.len() >= self.limits.holds {
            return Err(SlabError::HoldsFull);
        }
        self.holds.push(hold.clone());
        Ok(hold)
    }

    /// The smallest hold, and what holds that outlive their slot may cover.
    fn check_share(&self, terms: &Terms, lots: u32, outlives: bool) -> Checked<()> {
        let market = &self.markets[terms.market];
        let rules = &market.params.rules;
        if lots < rules.hold_lots_min.0 {
            return Err(SlabError::HoldTooLarge);
        }
        let same = self.holds.iter().filter(|hold| {
            let there = (hold.market, hold.side) == (terms.market, terms.side);
            there && hold.expiry > hold.slot
        });
        let held = same.flat_map(|hold| &hold.pieces);
        let held: u64 = held.map(|piece| u64::from(piece.lots)).sum();
        let rests = market.sides[terms.side.contra().index()].values();
        let rests = rests.flatten().map(|order| i128::from(order.lots)).sum();
        let most = ppm_floor(rests, rules.hold_share_max.0);
        let within = i128::from(held + u64::from(lots)) <= most;
        if outlives && rules.hold_share_max.0 != 0 && !within {
            return Err(SlabError::HoldTooLarge);
        }
        Ok(())
    }

    /// Free quantity of others, best price and oldest first, and how long all
    /// of it may still trade.
    fn capture(&self, terms: &Terms, slot: u32, latest: u32) -> Checked<(Vec<Piece>, u32)> {
        let market = &self.markets[terms.market];
        let (low, high) = market.band();
        let limit = market.within_band(terms.side, terms.limit);
        let live: usize = self.holds.iter().map(|hold| hold.pieces.len()).sum();
        let (mut pieces, mut left, mut expiry) = (Vec::new(), terms.lots, latest);
        let (mut room, mut before) = (48, (0, 0));
        for (ticks, order) in market.in_order(terms.side, limit).into_iter().take(160) {
            if left == 0 || room == 0 || pieces.len() == 32 {
                break;
            }
            // A run of one account's orders at a price counts as its first.
            if before == (ticks, order.account) {
                continue;
            }
            (before, room) = ((ticks, order.account), room - 1);
            let free = self.free(terms.market, &order, terms.side.contra());
            let lots = free.min(left);
            let barred = order.closing
                || order.is_expired(slot)
                || order.account == terms.account
                || !(low..=high).contains(&ticks);
            if barred || lots == 0 {
                continue;
            }
            if live + pieces.len() >= self.limits.slices {
                return Err(SlabError::HoldsFull);
            }
            left -= lots;
            if order.expiry != 0 {
                expiry = expiry.min(order.expiry);
            }
            pieces.push(Piece {
                order: order.handle,
                maker: order.account,
                ticks,
                lots,
            });
        }
        Ok((pieces, expiry))
    }

    fn value(&self, terms: &Terms, piece: &Piece) -> i128 {
        let unit = self.markets[terms.market].params.atoms_per_tick;
        i128::from(piece.ticks) * i128::from(piece.lots) * i128::from(unit)
    }

    /// Fee of every piece when the hold ends in `slot`.
    fn fees_for(&self, hold: &Hold, slot: u32) -> Vec<i128> {
        let stood = i128::from(slot.min(hold.expiry).saturating_sub(hold.slot));
        let params = &self.markets[hold.market].params;
        let fee = |lots: u32, ticks: u32| {
            let value = i128::from(ticks) * i128::from(lots) * i128::from(params.atoms_per_tick);
            ppm_ceil(value, params.hold_fee.0) * stood
        };
        let pieces = hold.pieces.iter();
        pieces.map(|piece| fee(piece.lots, piece.ticks)).collect()
    }

    /// What initial margin would lack after the trade, and twice the kill band
    /// of all that is then held on top: once for the loss, once for the margin.
    fn charge_bound(&self, hold: &Hold, lots: u32) -> i128 {
        let market = &self.markets[hold.market];
        let params = &market.params;
        let before = self.holding(hold.account, hold.market);
        let (after, realised) = before.trade(hold.side, i128::from(lots), hold.notional);
        let cash = realised - fee(hold.notional, params.taker_fee) - hold.bond;
        let (equity, initial, _) = self.health(hold.account, cash, Some((hold.market, after)));
        let unit = i128::from(market.mark) * i128::from(params.atoms_per_tick);
        let exposed = i128::from(lots) + before.lots.abs();
        let cushion = 2 * ppm_ceil(unit * exposed, params.kill_band.0);
        // A second hold may not count on what the first one counts on.
        let (equity_now, initial_now, _) = self.health(hold.account, 0, None);
        let spare = equity_now - initial_now;
        let counted = if self.standing(hold.account) > 0 {
            spare.max(0)
        } else {
            0
        };
        (initial + cushion - equity + counted).max(0)
    }

    pub fn commit(&mut self, payment: &Payment<'_>, slot: u32) -> Checked<Deed> {
        if payment.payer != payment.account {
            return Err(SlabError::NotBound);
        }
        if self.person(payment.account).frozen || payment.escrow.frozen != 0 {
            return Err(SlabError::AccountFrozen);
        }
        let at = self.standing_at(payment.account, payment.hold)?;
        let hold = &self.holds[at];
        if slot > hold.expiry {
            return Err(SlabError::Expired);
        }
        let cap = payment.escrow.caps.get(usize::from(payment.cap));
        let honoured = cap.is_some_and(|cap| {
            cap.state == cap_state::LIVE
                && (cap.hold, cap.hold_generation) == payment.hold
                && cap.route_id == hold.route_id
                && cap.expiry_slot.0 >= slot
        });
        if !honoured {
            return Err(SlabError::NoCap);
        }
        let kept = |secret: Secret| {
            let lots: u32 = hold.pieces.iter().map(|piece| piece.lots).sum();
            let within = hold.pieces.iter().all(|piece| match hold.side {
                Side::Bid => piece.ticks <= secret.limit,
                Side::Ask => piece.ticks >= secret.limit,
            });
            payment.reveal == Some(secret) && lots <= secret.lots && within
        };
        if !hold.secret.is_none_or(kept) {
            return Err(SlabError::BadReveal);
        }
        let number = hold.market as u8;
        self.attempt(number, |model| model.commit_inner(at, payment, slot))
    }

    pub fn standing_at(&self, account: u32, handle: Handle) -> Checked<usize> {
        let at = self.holds.iter().position(|hold| hold.handle == handle);
        let at = at.filter(|at| self.holds[*at].committed.is_none());
        let at = at.ok_or(SlabError::NoHold)?;
        if self.holds[at].account == account {
            Ok(at)
        } else {
            Err(SlabError::NotYourOrder)
        }
    }

    fn commit_inner(&mut self, at: usize, payment: &Payment<'_>, slot: u32) -> Checked<Deed> {
        let hold = self.holds[at].clone();
        self.move_mark(hold.market, slot);
        let market = &self.markets[hold.market];
        // The oracle has to speak between a reserve and a later commit.
        let waits = market.params.oracle_scale != 0 && hold.slot < slot;
        if waits && market.index_slot <= hold.slot {
            return Err(SlabError::StaleMark);
        }
        let moved = i128::from(market.mark) - i128::from(hold.mark);
        if moved.abs() > ppm_ceil(i128::from(hold.mark), market.params.kill_band.0) {
            return Err(SlabError::MarkMoved);
        }
        self.room_for_position(hold.account, hold.market)?;
        self.prepare(hold.account, hold.market, slot);
        let terms = Terms {
            account: hold.account,
            market: hold.market,
            side: hold.side,
            limit: 0,
            lots: 0,
            self_trade: SelfTrade::CancelResting,
        };
        let mut deed = Deed::default();
        self.end(at, slot, |model, piece| {
            model.trade_piece(&terms, piece, slot, &mut deed);
        });
        if deed.lots < hold.lots_min {
            return Err(SlabError::NotFilled);
        }
        self.tax(&terms, slot, &mut deed);
        // The charge is what margin lacks; with that much more cash, the
        // trade is one that any taker may make.
        deed.charge = self.lacking(&terms, &deed);
        let cap = &payment.escrow.caps[usize::from(payment.cap)];
        let unbooked =
            self.person(hold.account).debited - i128::from(payment.escrow.debited_seen_atoms);
        let covered = i128::from(payment.escrow.balance_atoms) - unbooked;
        let most = hold.max_charge.min(covered).min(cap.remaining_atoms.into());
        let charge = deed.charge;
        self.fund(hold.account, charge);
        let person = self.person_mut(hold.account);
        person.debited += charge;
        let debited = person.debited;
        self.settle_taker(&terms, slot, &mut deed)?;
        if charge > most {
            return Err(SlabError::ChargeTooLarge);
        }
        self.holds[at].committed = Some(debited);
        Ok(deed)
    }

    fn lacking(&self, terms: &Terms, deed: &Deed) -> i128 {
        let rate = self.markets[terms.market].params.taker_fee;
        let before = self.holding(terms.account, terms.market);
        let (after, realised) = before.trade(terms.side, i128::from(deed.lots), deed.notional);
        let cash = realised - fee(deed.notional, rate) - deed.tax;
        if self.may_carry(terms.account, terms.market, &before, &after, cash) {
            return 0;
        }
        let (equity, initial, _) = self.health(terms.account, cash, Some((terms.market, after)));
        initial - equity
    }

    /// Ends a hold piece by piece; the fees go to the makers and the slab.
    fn end(&mut self, at: usize, slot: u32, mut each: impl FnMut(&mut Self, &Piece)) -> i128 {
        let fees = self.fees_for(&self.holds[at], slot);
        let pieces = self.holds[at].pieces.clone();
        for (piece, fee) in pieces.iter().zip(&fees) {
            let share = fee * 4 / 5;
            self.note_change(piece.maker, share, slot);
            self.person_mut(piece.maker).cash += share;
            self.till.fees += fee - share;
            self.holds[at].pieces.remove(0);
            each(self, piece);
        }
        let paid: i128 = fees.iter().sum();
        self.holds[at].bond = 0;
        let account = self.holds[at].account;
        self.note_change(account, -paid, slot);
        self.person_mut(account).cash -= paid;
        paid
    }

    fn trade_piece(&mut self, terms: &Terms, piece: &Piece, slot: u32, deed: &mut Deed) {
        let market = &mut self.markets[terms.market];
        let (low, high) = market.band();
        let (side, ticks, at) = market.find(piece.order).expect("captured orders stay");
        assert_eq!(ticks, piece.ticks, "captured prices stay");
        let order = *market.order(side, ticks, at);
        let traded = (low..=high).contains(&ticks)
            && self.fill_maker(terms, ticks, &order, piece.lots, slot, deed);
        if !traded {
            let maker = piece.maker as u16;
            deed.met
                .push((piece.order, maker, ticks, piece.lots, outcome::SKIPPED));
            self.let_go(terms.market, piece);
        }
    }

    /// A piece is no longer captured: what its owner cancelled leaves.
    fn let_go(&mut self, number: usize, piece: &Piece) {
        let reserved = self.reserved(piece.order);
        let market = &mut self.markets[number];
        let (side, ticks, at) = market.find(piece.order).expect("captured orders stay");
        let order = market.order(side, ticks, at);
        if order.closing && reserved == 0 {
            market.remove(side, ticks, at);
        } else if order.closing {
            order.lots = reserved;
        }
    }

    /// The fee that the hold paid; `None` when it ended before.
    pub fn cancel_hold(&mut self, account: u32, hold: Handle, slot: u32) -> Checked<Option<i128>> {
        match self.standing_at(account, hold) {
            Ok(at) => Ok(Some(self.give_up(at, slot))),
            Err(SlabError::NoHold) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The fee that the hold paid; `None` when it stands or ended before.
    pub fn expire_hold(&mut self, index: u32, slot: u32) -> Option<i128> {
        let mut holds = self.holds.iter();
        let at = holds.position(|hold| hold.handle.0 == index)?;
        let over = self.holds[at].committed.is_none() && slot > self.holds[at].expiry;
        over.then(|| self.give_up(at, slot))
    }

    fn give_up(&mut self, at: usize, slot: u32) -> i128 {
        let market = self.holds[at].market;
        let paid = self.end(at, slot, |model, piece| model.let_go(market, piece));
        self.holds.remove(at);
        paid
    }

    /// Whether the record could go: the Router booked it and its capability.
    pub fn free_hold(&mut self, index: u32, payer: u32, escrow: &Escrow) -> Checked<bool> {
        let mut holds = self.holds.iter();
        let Some(at) = holds.position(|hold| hold.handle.0 == index) else {
            return Ok(false);
        };
        let hold = &self.holds[at];
        let Some(debited) = hold.committed else {
            return Ok(false);
        };
        if hold.account != payer {
            return Err(SlabError::NotBound);
        }
        let mut caps = escrow.caps.iter();
        let pending = caps.any(|cap| {
            cap.state == cap_state::LIVE && (cap.hold, cap.hold_generation) == hold.handle
        });
        let free = !pending && i128::from(escrow.debited_seen_atoms) >= debited;
        if free {
            self.holds.remove(at);
        }
        Ok(free)
    }
}
