//! Orders that leave, or shrink, without a trade.

use super::{Checked, Deed, Handle, Reference, Resting};
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::requests::Place;
use flagstone_units::Side;

/// Cancelled orders with the lots that left.
pub type Gone = Vec<(Handle, u32)>;

impl Reference {
    /// Market, side and record of an order, wherever it is.
    fn locate(&self, handle: Handle) -> Option<(usize, Side, Resting)> {
        self.all_orders()
            .find(|(_, _, order)| order.handle == handle)
    }

    /// Every order: resting ones and those that wait.
    pub(super) fn all_orders(&self) -> impl Iterator<Item = (usize, Side, Resting)> {
        let markets = self.markets.iter().enumerate();
        markets.flat_map(|(number, market)| {
            let sides = [Side::Bid, Side::Ask].into_iter();
            let resting = sides.flat_map(move |side| {
                let queues = market.sides[side.index()].values().flatten();
                queues.map(move |order| (number, side, *order))
            });
            let waiting = market.pending.iter();
            resting.chain(waiting.map(move |waiting| (number, waiting.side, waiting.order)))
        })
    }

    /// Lots cancelled, `None` when nothing was left to cancel. What holds have
    /// reserved of an order stays, and nobody else gets at it.
    fn withdraw(&mut self, handle: Handle) -> Option<u32> {
        let reserved = self.reserved(handle);
        let (number, ..) = self.locate(handle)?;
        let market = &mut self.markets[number];
        let mut waiting = market.pending.iter();
        if let Some(at) = waiting.position(|waiting| waiting.order.handle == handle) {
            return market.pending.remove(at).map(|waiting| waiting.order.lots);
        }
        let (side, ticks, at) = market.find(handle)?;
        let order = market.order(side, ticks, at);
        if order.closing {
            return None;
        }
        let gone = order.lots - reserved;
        if reserved == 0 {
            market.remove(side, ticks, at);
        } else {
            order.lots = reserved;
            order.closing = true;
        }
        Some(gone)
    }

    /// Lots cancelled, `None` for a handle that is no longer valid.
    pub fn cancel(&mut self, account: u32, handle: Handle) -> Checked<Option<u32>> {
        match self.own(account, handle) {
            Ok(_) => {
                let gone = self.withdraw(handle);
                Ok(gone)
            }
            Err(SlabError::NoOrder) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn own(&self, account: u32, handle: Handle) -> Checked<(usize, Resting)> {
        let (number, _, order) = self.locate(handle).ok_or(SlabError::NoOrder)?;
        if order.account == account {
            Ok((number, order))
        } else {
            Err(SlabError::NotYourOrder)
        }
    }

    /// Lots that left, and whether the order went with them.
    pub fn reduce(&mut self, account: u32, handle: Handle, lots: u32) -> Checked<(u32, bool)> {
        let (number, order) = self.own(account, handle)?;
        let free = order.lots - self.reserved(handle);
        if lots == 0 || lots > free {
            return Err(SlabError::BadQuantity);
        }
        if order.lots - lots < self.markets[number].params.order_lots_min.0 {
            let gone = self.withdraw(handle).ok_or(SlabError::NoOrder)?;
            return Ok((gone, true));
        }
        let market = &mut self.markets[number];
        if let Some((side, ticks, at)) = market.find(handle) {
            market.order(side, ticks, at).lots -= lots;
        } else {
            let mut waiting = market.pending.iter_mut();
            let waiting = waiting.find(|waiting| waiting.order.handle == handle);
            waiting.unwrap().order.lots -= lots;
        }
        Ok((lots, false))
    }

    /// One order goes, another comes; or neither.
    pub fn replace(&mut self, handle: Handle, order: &Place, slot: u32) -> Checked<(u32, Deed)> {
        let (market, ..) = self.own(order.account, handle)?;
        // The old one may rest in another market than the new one.
        let before = self.markets[market].clone();
        let gone = self.withdraw(handle).ok_or(SlabError::NoOrder)?;
        let placed = self.place_last(order, slot);
        if placed.is_err() {
            self.markets[market] = before;
        }
        placed.map(|deed| (gone, deed))
    }

    /// Orders of an account, the youngest first, as many as asked for and 32.
    pub fn cancel_all(
        &mut self,
        account: u32,
        which: (Option<u8>, Option<Side>),
        most: usize,
    ) -> Gone {
        let mut own: Vec<_> = self.all_orders().collect();
        own.retain(|(number, side, order)| {
            let market = which.0.is_none_or(|wanted| usize::from(wanted) == *number);
            order.account == account && market && which.1.is_none_or(|wanted| wanted == *side)
        });
        own.sort_by_key(|(_, _, order)| std::cmp::Reverse(order.serial));
        let mut gone = Gone::new();
        for (_, _, order) in own {
            if gone.len() >= most.min(32) {
                break;
            }
            gone.extend(self.withdraw(order.handle).map(|lots| (order.handle, lots)));
        }
        gone
    }

    pub fn set_dead_man(&mut self, account: u32, at: u32, slot: u32) -> Checked<()> {
        if at != 0 && at < slot {
            return Err(SlabError::Expired);
        }
        self.person_mut(account).dead_man = at;
        Ok(())
    }

    pub fn cancel_dead_man(&mut self, account: u32, most: usize, slot: u32) -> Checked<Gone> {
        let at = self.person(account).dead_man;
        if at == 0 || slot <= at {
            return Err(SlabError::NotDeadMan);
        }
        Ok(self.cancel_all(account, (None, None), most))
    }

    /// Expired orders among these records; what is reserved stays.
    pub fn expire_orders(&mut self, records: std::ops::Range<u32>, slot: u32) -> Gone {
        let mut due: Vec<_> = self.all_orders().map(|(_, _, order)| order).collect();
        due.retain(|order| {
            records.contains(&order.handle.0)
                && order.is_expired(slot)
                && self.reserved(order.handle) == 0
        });
        due.sort_by_key(|order| order.handle.0);
        due.truncate(32);
        due.iter()
            .filter_map(|order| Some((order.handle, self.withdraw(order.handle)?)))
            .collect()
    }
}
