//! Orders that leave, or shrink, without a trade.
//!
//! What a hold has reserved of an order stays until the hold ends and leaves
//! then; a handle that is no longer valid is ignored (rule T5).

use crate::layout::order_flags;
use crate::orders::Openings;
use crate::requests::{Place, Placed};
use crate::{Result, Slab, SlabError};
use bytemuck::Zeroable;
use flagstone_interface::Key;
use flagstone_interface::event::{OrderCancelled, OrderReduced, Traded, cancel_reason};
use flagstone_units::{Lots, Side, Slot};

/// Orders that one instruction cancels at most: their events fit the log.
pub const CANCELS_MAX: usize = 32;

/// Orders that one instruction looks at while it searches some to cancel.
const VISITS_MAX: usize = 256;

/// Cancelled orders; the sequence numbers are for the caller to set.
#[derive(Clone, Copy, Debug)]
pub struct Cancelled {
    /// Entries in use.
    pub count: usize,
    /// The events.
    pub orders: [OrderCancelled; CANCELS_MAX],
}

impl Cancelled {
    /// None yet.
    pub fn none() -> Self {
        Self {
            count: 0,
            orders: [OrderCancelled::zeroed(); CANCELS_MAX],
        }
    }

    /// The entries in use.
    pub fn orders(&self) -> &[OrderCancelled] {
        &self.orders[..self.count.min(CANCELS_MAX)]
    }

    fn push(&mut self, event: OrderCancelled) {
        if self.count < CANCELS_MAX {
            self.orders[self.count] = event;
            self.count += 1;
        }
    }
}

/// Which orders of an account to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    /// Of this instrument only.
    pub instrument: Option<u8>,
    /// Of this side only.
    pub side: Option<Side>,
    /// At most so many, [`CANCELS_MAX`] at most.
    pub most: usize,
}

impl Slab<'_> {
    /// Cancels an order of the account whose trader key signed.
    ///
    /// Returns `None` and touches nothing when the handle is stale: the order
    /// was filled or cancelled before (rule T5).
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
        self.cancel_checked(account, index, generation)
    }

    /// As [`Slab::cancel`], for an instruction that has checked the trader and
    /// cancels more than one order.
    ///
    /// # Errors
    /// [`SlabError::NotYourOrder`].
    #[inline(never)]
    pub fn cancel_next(
        &mut self,
        account: u32,
        index: u32,
        generation: u32,
    ) -> Result<Option<OrderCancelled>> {
        self.cancel_checked(account, index, generation)
    }

    #[inline(always)]
    fn cancel_checked(
        &mut self,
        account: u32,
        index: u32,
        generation: u32,
    ) -> Result<Option<OrderCancelled>> {
        match self.own_order(account, index, generation) {
            Ok(()) => Ok(self.withdraw(index, cancel_reason::OWNER)),
            Err(SlabError::NoOrder) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Checks that a handle from outside is a live order of an account.
    #[inline(always)]
    fn own_order(&self, account: u32, index: u32, generation: u32) -> Result<()> {
        match self.orders.get(index) {
            Some(order) if order.is_live() && order.generation == generation => {
                if u32::from(order.account) == account {
                    Ok(())
                } else {
                    Err(SlabError::NotYourOrder)
                }
            }
            _ => Err(SlabError::NoOrder),
        }
    }

    /// As [`Slab::withdraw`], shared by everything that is not the cancelling
    /// of one order.
    #[inline(never)]
    pub(crate) fn withdraw_next(&mut self, index: u32, reason: u8) -> Option<OrderCancelled> {
        self.withdraw(index, reason)
    }

    /// Takes an order out as far as no hold has reserved it; `None` when that
    /// happened before.
    #[inline(always)]
    fn withdraw(&mut self, index: u32, reason: u8) -> Option<OrderCancelled> {
        let order = self.orders[index];
        let mut lots = order.lots.0;
        if order.reserved_lots.0 == 0 {
            self.leave(index);
            self.drop_position_if_empty(order.position);
        } else if order.side_flags & order_flags::CLOSING != 0 {
            return None;
        } else {
            lots -= order.reserved_lots.0;
            self.orders[index].side_flags |= order_flags::CLOSING;
            self.shrink(index, Lots(lots));
        }
        Some(order.cancelled(index, lots, reason))
    }

    /// Cancels orders of the account whose trader key signed, newest first.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`], [`SlabError::WrongTrader`].
    pub fn cancel_all(
        &mut self,
        trader: &Key,
        account: u32,
        which: &Which,
        cancelled: &mut Cancelled,
    ) -> Result<()> {
        self.traded_account(account, trader)?;
        self.withdraw_some(account, which, cancel_reason::OWNER, cancelled);
        Ok(())
    }

    /// Takes out orders of an account; bounded.
    #[inline(never)]
    pub(crate) fn withdraw_some(
        &mut self,
        account: u32,
        which: &Which,
        reason: u8,
        cancelled: &mut Cancelled,
    ) {
        let most = which.most.min(CANCELS_MAX);
        let mut index = self.accounts[account].orders_head;
        for _ in 0..VISITS_MAX {
            if index == 0 || cancelled.count >= most {
                break;
            }
            let order = &self.orders[index];
            let next = order.next_in_account;
            let meant = which
                .instrument
                .is_none_or(|instrument| instrument == order.instrument)
                && which.side.is_none_or(|side| side == order.side());
            if meant && let Some(event) = self.withdraw_next(index, reason) {
                cancelled.push(event);
            }
            index = next;
        }
    }

    /// Takes lots off an order of the account whose trader key signed. It keeps
    /// its place in the queue; what would be left below the smallest order
    /// goes as well, and then the order is cancelled.
    ///
    /// Returns the lots taken off and, if so, the cancellation.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`], [`SlabError::WrongTrader`],
    /// [`SlabError::NoOrder`], [`SlabError::NotYourOrder`];
    /// [`SlabError::BadQuantity`] for zero or more lots than are unreserved.
    pub fn reduce(
        &mut self,
        trader: &Key,
        account: u32,
        index: u32,
        generation: u32,
        lots: Lots,
    ) -> Result<Reduced> {
        self.traded_account(account, trader)?;
        self.own_order(account, index, generation)?;
        let order = &self.orders[index];
        if lots.0 == 0 || lots.0 > order.free_lots() {
            return Err(SlabError::BadQuantity);
        }
        let smallest = self.instruments[order.instrument as usize].order_lots_min;
        if order.lots.0 - lots.0 < smallest.0 {
            let gone = self.withdraw_next(index, cancel_reason::OWNER);
            return gone.map(Reduced::Cancelled).ok_or(SlabError::NoOrder);
        }
        self.shrink(index, lots);
        Ok(Reduced::Smaller(OrderReduced {
            tag: OrderReduced::TAG,
            seq: 0,
            account: account as u16,
            order: index,
            generation,
            lots: lots.0,
        }))
    }

    /// Cancels one order and places another in its stead, for the account whose
    /// trader key signed. `traded` must be zeroed.
    ///
    /// # Errors
    /// [`SlabError::NoOrder`] when the order to replace is gone: it may have
    /// traded, and placing the other would trade twice. Those of
    /// [`Slab::place`].
    pub fn replace(
        &mut self,
        trader: &Key,
        handle: (u32, u32),
        order: &Place,
        slot: Slot,
        traded: &mut Traded,
    ) -> Result<(OrderCancelled, Placed)> {
        self.traded_account(order.account, trader)?;
        self.own_order(order.account, handle.0, handle.1)?;
        let gone = self.withdraw_next(handle.0, cancel_reason::REPLACED);
        let gone = gone.ok_or(SlabError::NoOrder)?;
        let mut openings = Openings::default();
        let placed = self.place_next(order, slot, traded, &mut openings)?;
        self.check_openings(order.account, &openings, slot)?;
        Ok((gone, placed))
    }

    /// Sets the slot after which anyone may cancel the account's orders; 0
    /// switches that off. The account's trader key signed.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`], [`SlabError::WrongTrader`];
    /// [`SlabError::Expired`] for a slot that has passed.
    pub fn set_dead_man(
        &mut self,
        trader: &Key,
        account: u32,
        dead_man: Slot,
        slot: Slot,
    ) -> Result<()> {
        self.traded_account(account, trader)?;
        if dead_man.0 != 0 && dead_man < slot {
            return Err(SlabError::Expired);
        }
        self.accounts[account].dead_man_slot = dead_man;
        Ok(())
    }

    /// Cancels orders of an account whose dead-man slot has passed; anyone may
    /// ask.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`], [`SlabError::NotDeadMan`].
    pub fn cancel_dead_man(
        &mut self,
        account: u32,
        most: usize,
        slot: Slot,
        cancelled: &mut Cancelled,
    ) -> Result<()> {
        let dead_man = self.open_account_at(account)?.dead_man_slot;
        if dead_man.0 == 0 || slot <= dead_man {
            return Err(SlabError::NotDeadMan);
        }
        let which = Which {
            instrument: None,
            side: None,
            most,
        };
        self.withdraw_some(account, &which, cancel_reason::DEAD_MAN, cancelled);
        Ok(())
    }

    /// Removes expired orders among `count` records from `first`; anyone may ask.
    pub fn expire_orders(&mut self, first: u32, count: u16, slot: Slot, cancelled: &mut Cancelled) {
        let visits = usize::from(count).min(VISITS_MAX) as u32;
        for index in first..first.saturating_add(visits) {
            if cancelled.count == CANCELS_MAX {
                break;
            }
            let due = self.orders.get(index).is_some_and(|order| {
                order.is_live() && order.is_expired(slot) && order.reserved_lots.0 == 0
            });
            if due && let Some(event) = self.withdraw_next(index, cancel_reason::EXPIRED) {
                cancelled.push(event);
            }
        }
    }
}

/// What [`Slab::reduce`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduced {
    /// The order rests with fewer lots.
    Smaller(OrderReduced),
    /// What was left was too small: the order is gone.
    Cancelled(OrderCancelled),
}
