//! What there is room for, and who makes room.

use super::{Checked, Deed, Handle, Reference, Terms};
use flagstone_slab_engine::SlabError;
use flagstone_units::Side;

impl Reference {
    /// Evicts the furthest orders of the same side, at most four, youngest first.
    pub(super) fn make_room(
        &mut self,
        terms: &Terms,
        lots: u32,
        waits: bool,
        deed: &mut Deed,
    ) -> Checked<()> {
        while self.orders_live() >= self.limits.orders {
            self.evict(terms, SlabError::OrdersFull, &mut deed.evicted)?;
        }
        if waits {
            return Ok(());
        }
        self.room_for_level(terms, &mut deed.evicted)?;
        let queue = self.markets[terms.market].sides[terms.side.index()].get(&terms.limit);
        let there: u64 = queue
            .into_iter()
            .flatten()
            .map(|order| u64::from(order.lots))
            .sum();
        if there + u64::from(lots) > u64::from(u32::MAX) {
            return Err(SlabError::LevelOverflow);
        }
        Ok(())
    }

    pub(super) fn room_for_level(
        &mut self,
        terms: &Terms,
        evicted: &mut Vec<(Handle, u32)>,
    ) -> Checked<()> {
        let has_level = |model: &Self| {
            model.markets[terms.market].sides[terms.side.index()].contains_key(&terms.limit)
        };
        while !has_level(self) && self.levels_live() >= self.limits.levels {
            self.evict(terms, SlabError::LevelsFull, evicted)?;
        }
        Ok(())
    }

    fn evict(
        &mut self,
        terms: &Terms,
        full: SlabError,
        evicted: &mut Vec<(Handle, u32)>,
    ) -> Checked<()> {
        let market = &mut self.markets[terms.market];
        let worst = market.worst(terms.side).ok_or(full)?;
        let further = match terms.side {
            Side::Bid => worst < terms.limit,
            Side::Ask => worst > terms.limit,
        };
        if !further || evicted.len() == 4 {
            return Err(full);
        }
        let youngest = market.sides[terms.side.index()][&worst].len() - 1;
        // What a hold captured makes room for nobody.
        let victim = market.sides[terms.side.index()][&worst][youngest].handle;
        if self.reserved(victim) > 0 {
            return Err(full);
        }
        let market = &mut self.markets[terms.market];
        let order = market.remove(terms.side, worst, youngest);
        evicted.push((order.handle, order.lots));
        Ok(())
    }

    pub(super) fn room_for_position(&self, account: u32, market: usize) -> Checked<()> {
        if self.uses_position(account, market) {
            return Ok(());
        }
        let accounts = 1..=self.people.len() as u32;
        let used: usize = accounts.map(|account| self.positions_of(account)).sum();
        if used < self.limits.positions {
            Ok(())
        } else {
            Err(SlabError::PositionsFull)
        }
    }

    /// Positions of an account that are items of the pool.
    pub fn positions_of(&self, account: u32) -> usize {
        let markets = 0..self.markets.len();
        markets
            .filter(|market| self.uses_position(account, *market))
            .count()
    }

    /// A position is an item of a pool while it has lots or open orders.
    pub(super) fn uses_position(&self, account: u32, market: usize) -> bool {
        let holding = self.holding(account, market);
        holding.lots != 0 || holding.open != [0, 0]
    }

    pub fn orders_of(&self, account: u32) -> usize {
        let own = self.all_orders();
        own.filter(|(_, _, order)| order.account == account).count()
    }

    fn orders_live(&self) -> usize {
        self.all_orders().count()
    }

    fn levels_live(&self) -> usize {
        let ladders = self.markets.iter().flat_map(|market| &market.sides);
        ladders.map(|ladder| ladder.len()).sum()
    }
}
