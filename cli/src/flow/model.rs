//! A plain book: a map of prices per side, a queue of orders per price.

use super::{Action, Record};
use flagstone_sdk::units::Side;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// A resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resting {
    /// The feed's order number.
    pub(crate) id: u64,
    /// Quantity left.
    pub(crate) lots: u32,
}

/// Part of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filled {
    /// The resting order.
    pub(crate) id: u64,
    /// Price.
    pub(crate) ticks: u32,
    /// Lots traded.
    pub(crate) lots: u32,
}

/// One price and its orders, oldest first.
pub(crate) type Queue = (u32, Vec<Resting>);

/// A book that shares no code with the engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    sides: [BTreeMap<u32, VecDeque<Resting>>; 2],
    places: HashMap<u64, (Side, u32)>,
}

impl Model {
    /// Best price of a side.
    pub(crate) fn best(&self, side: Side) -> Option<u32> {
        let levels = &self.sides[side.index()];
        match side {
            Side::Bid => levels.last_key_value(),
            Side::Ask => levels.first_key_value(),
        }
        .map(|(ticks, _)| *ticks)
    }

    /// Whether an order at this price would trade at once.
    pub(crate) fn crosses(&self, side: Side, ticks: u32) -> bool {
        self.best(side.contra()).is_some_and(|best| match side {
            Side::Bid => best <= ticks,
            Side::Ask => best >= ticks,
        })
    }

    /// Side, price and quantity of a resting order.
    pub(crate) fn order(&self, id: u64) -> Option<(Side, u32, u32)> {
        let (side, ticks) = *self.places.get(&id)?;
        let queue = self.sides[side.index()].get(&ticks)?;
        let order = queue.iter().find(|order| order.id == id)?;
        Some((side, ticks, order.lots))
    }

    /// Resting orders.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Numbers of all resting orders.
    pub(crate) fn ids(&self) -> Vec<u64> {
        let queues = self.sides.iter().flat_map(BTreeMap::values);
        queues.flatten().map(|order| order.id).collect()
    }

    /// Appends an order to its price.
    pub(crate) fn put(&mut self, side: Side, ticks: u32, id: u64, lots: u32) {
        self.cancel(id);
        self.places.insert(id, (side, ticks));
        self.sides[side.index()]
            .entry(ticks)
            .or_default()
            .push_back(Resting { id, lots });
    }

    /// Removes an order; `None` when it does not rest.
    pub(crate) fn cancel(&mut self, id: u64) -> Option<u32> {
        let (side, ticks) = self.places.remove(&id)?;
        let queue = self.sides[side.index()].get_mut(&ticks)?;
        let at = queue.iter().position(|order| order.id == id)?;
        let order = queue.remove(at)?;
        if queue.is_empty() {
            self.sides[side.index()].remove(&ticks);
        }
        Some(order.lots)
    }

    /// Takes lots off an order, which keeps its place; `false` when it does not
    /// rest with more than that.
    pub(crate) fn reduce(&mut self, id: u64, lots: u32) -> bool {
        match self.order(id) {
            Some((_, _, all)) if all > lots => {
                self.resize(id, all - lots);
                true
            }
            _ => false,
        }
    }

    /// Changes an order's quantity and leaves it in its place.
    fn resize(&mut self, id: u64, lots: u32) {
        let Some((side, ticks)) = self.places.get(&id) else {
            return;
        };
        let queue = self.sides[side.index()]
            .get_mut(ticks)
            .into_iter()
            .flatten();
        queue
            .filter(|order| order.id == id)
            .for_each(|order| order.lots = lots);
    }

    /// Trades against the contra side, best price and oldest order first,
    /// meeting at most `orders_max` orders.
    pub(crate) fn take(
        &mut self,
        side: Side,
        limit: u32,
        mut lots: u32,
        orders_max: usize,
    ) -> Vec<Filled> {
        let mut fills = Vec::new();
        while lots > 0 && fills.len() < orders_max && self.crosses(side, limit) {
            let contra = side.contra();
            let Some(ticks) = self.best(contra) else {
                break;
            };
            let Some(queue) = self.sides[contra.index()].get_mut(&ticks) else {
                break;
            };
            let Some(order) = queue.front_mut() else {
                break;
            };
            let traded = order.lots.min(lots);
            let id = order.id;
            order.lots -= traded;
            lots -= traded;
            fills.push(Filled {
                id,
                ticks,
                lots: traded,
            });
            if order.lots == 0 {
                self.cancel(id);
            }
        }
        fills
    }

    /// Follows the feed's own word, without any rule of the slab: orders may
    /// cross, and a smaller quantity keeps its place.
    pub(crate) fn follow(&mut self, record: &Record) {
        match (record.action, record.side, self.order(record.id)) {
            (Action::Add, Some(side), _) => self.put(side, record.ticks, record.id, record.lots),
            (Action::Cancel, _, Some((_, _, lots))) if lots > record.lots => {
                self.resize(record.id, lots - record.lots);
            }
            (Action::Cancel, ..) => {
                self.cancel(record.id);
            }
            (Action::Modify, _, Some((_, ticks, lots)))
                if ticks == record.ticks && record.lots <= lots =>
            {
                self.resize(record.id, record.lots);
            }
            (Action::Modify, Some(side), _) => {
                self.put(side, record.ticks, record.id, record.lots);
            }
            (Action::Clear, ..) => *self = Self::default(),
            _ => {}
        }
    }

    /// All prices of a side with their queues, best first.
    pub(crate) fn queues(&self, side: Side) -> Vec<Queue> {
        let levels = self.sides[side.index()].iter();
        let mut queues: Vec<Queue> = levels
            .map(|(ticks, queue)| (*ticks, queue.iter().copied().collect()))
            .collect();
        if side == Side::Bid {
            queues.reverse();
        }
        queues
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_follow_price_and_then_time() {
        let mut book = Model::default();
        book.put(Side::Ask, 101, 1, 5);
        book.put(Side::Ask, 100, 2, 3);
        book.put(Side::Ask, 100, 3, 4);
        assert!(book.crosses(Side::Bid, 100) && !book.crosses(Side::Bid, 99));
        let fill = |id, ticks, lots| Filled { id, ticks, lots };
        let fills = book.take(Side::Bid, 101, 8, 48);
        assert_eq!(fills, [fill(2, 100, 3), fill(3, 100, 4), fill(1, 101, 1)]);
        assert_eq!(
            book.queues(Side::Ask),
            [(101, vec![Resting { id: 1, lots: 4 }])]
        );
        assert_eq!(book.take(Side::Bid, 100, 8, 48), []);
        assert_eq!(book.take(Side::Bid, 101, 8, 0), []);
        assert_eq!(
            (book.cancel(1), book.cancel(1), book.len()),
            (Some(4), None, 0)
        );
    }

    #[test]
    fn the_feeds_own_book_keeps_the_place_of_a_smaller_order() {
        let record = |action, id, ticks, lots| Record {
            time_ns: 0,
            event_ns: 0,
            action,
            side: Some(Side::Bid),
            id,
            ticks,
            lots,
        };
        let mut book = Model::default();
        book.follow(&record(Action::Add, 1, 50, 9));
        book.follow(&record(Action::Add, 2, 50, 9));
        book.follow(&record(Action::Modify, 1, 50, 4));
        book.follow(&record(Action::Cancel, 1, 50, 1));
        let resting = |id, lots| Resting { id, lots };
        assert_eq!(
            book.queues(Side::Bid),
            [(50, vec![resting(1, 3), resting(2, 9)])]
        );
        book.follow(&record(Action::Modify, 1, 50, 5));
        assert_eq!(
            book.queues(Side::Bid),
            [(50, vec![resting(2, 9), resting(1, 5)])]
        );
        book.follow(&record(Action::Modify, 2, 51, 9));
        assert_eq!(book.best(Side::Bid), Some(51));
        book.follow(&record(Action::Cancel, 1, 50, 5));
        assert_eq!(book.ids(), [2]);
    }
}
