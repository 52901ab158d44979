//! A record becomes operations on the slab.
//!
//! A modify or cancel that only lowers the quantity reduces the order, which
//! keeps its place in the queue; any other modify is a cancel and a new order.

use super::model::Model;
use super::{Action, Mode, Record};
use flagstone_sdk::units::Side;
use std::collections::{BTreeMap, HashMap};

/// What to do on the slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A post-only order.
    Place {
        /// The feed's order number.
        id: u64,
        /// Side.
        side: Side,
        /// Price.
        ticks: u32,
        /// Quantity.
        lots: u32,
    },
    /// Cancel by handle.
    Cancel {
        /// The feed's order number.
        id: u64,
    },
    /// Takes lots off an order, which keeps its place.
    Reduce {
        /// The feed's order number.
        id: u64,
        /// Lots to take off.
        lots: u32,
    },
    /// Immediate-or-cancel.
    Take {
        /// Side of the taker.
        side: Side,
        /// Worst price.
        limit: u32,
        /// Quantity.
        lots: u32,
    },
}

/// Counts of reasons, in the order of their names.
pub(crate) type Reasons = BTreeMap<&'static str, u64>;

/// Translates a feed and follows its own book.
#[derive(Debug)]
pub(crate) struct Rules {
    mode: Mode,
    /// The feed's own book.
    pub(crate) feed: Model,
    /// Orders that met a trade, and when.
    caused: HashMap<u64, u64>,
    /// Records that lead to nothing, by reason.
    pub(crate) skipped: Reasons,
    /// Records that put the book right after the slab filled another order.
    pub(crate) corrected: Reasons,
    /// Modifies by what they change.
    pub(crate) modifies: Reasons,
}

/// A modify that only lowers the quantity.
const SIZE_DOWN: &str = "lower quantity";

impl Rules {
    /// Rules of a mode.
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            mode,
            feed: Model::default(),
            caused: HashMap::new(),
            skipped: Reasons::new(),
            corrected: Reasons::new(),
            modifies: Reasons::new(),
        }
    }

    /// The operations that `record` asks for, given the book on the slab.
    pub(crate) fn operations(&mut self, record: &Record, book: &Model) -> Vec<Operation> {
        let before = self.feed.order(record.id);
        self.feed.follow(record);
        if self.mode == Mode::Trade && self.was_caused(record) {
            if record.action == Action::Fill || is_done(record, book) {
                return self.skip("caused by a trade, which the slab matched itself");
            }
            // The slab filled another order: its queue had another order, for
            // instance because a smaller quantity goes to the back of it.
            *self
                .corrected
                .entry("another order than on the venue was filled")
                .or_default() += 1;
        }
        let Record {
            id, ticks, lots, ..
        } = *record;
        match (record.action, record.side) {
            (Action::Add, Some(side)) => vec![Operation::Place {
                id,
                side,
                ticks,
                lots,
            }],
            (Action::Add | Action::Modify, None) => self.skip("no side"),
            (Action::Modify, Some(side)) => {
                self.count_modify(record, before);
                self.replace(id, side, ticks, lots, book)
            }
            (Action::Cancel, _) => match (before, book.order(id)) {
                // Part of it leaves.
                (Some((_, _, all)), Some((side, at, _))) if lots < all => {
                    self.replace(id, side, at, all - lots, book)
                }
                _ => vec![Operation::Cancel { id }],
            },
            (Action::Trade, Some(side)) if self.mode == Mode::Trade => {
                vec![Operation::Take {
                    side,
                    limit: ticks,
                    lots,
                }]
            }
            (Action::Trade, None) if self.mode == Mode::Trade => self.skip("auction prints"),
            (Action::Trade | Action::Fill, _) => self.skip("trades and fills, not used here"),
            (Action::Clear, _) => book
                .ids()
                .into_iter()
                .map(|id| Operation::Cancel { id })
                .collect(),
        }
    }

    /// An order with new terms takes the place of the one that rests.
    fn replace(
        &mut self,
        id: u64,
        side: Side,
        ticks: u32,
        lots: u32,
        book: &Model,
    ) -> Vec<Operation> {
        let place = Operation::Place {
            id,
            side,
            ticks,
            lots,
        };
        match book.order(id) {
            Some(same) if same == (side, ticks, lots) => self.skip("modifies that change nothing"),
            Some((old_side, at, all)) if (old_side, at) == (side, ticks) && lots < all => {
                vec![Operation::Reduce {
                    id,
                    lots: all - lots,
                }]
            }
            Some(_) => vec![Operation::Cancel { id }, place],
            None => vec![place],
        }
    }

    /// Whether a trade that the slab matched itself explains this record. A
    /// fill carries the time of the cancel or modify which follows it.
    fn was_caused(&mut self, record: &Record) -> bool {
        match record.action {
            // In auctions nobody is the aggressor: what they caused is applied.
            Action::Fill if record.side.is_some() => {
                self.caused.insert(record.id, record.event_ns);
                true
            }
            Action::Cancel | Action::Modify => {
                self.caused.remove(&record.id) == Some(record.event_ns)
            }
            _ => false,
        }
    }

    fn count_modify(&mut self, record: &Record, before: Option<(Side, u32, u32)>) {
        let kind = match before {
            None => "of an order that the feed has not shown",
            Some((_, ticks, _)) if ticks != record.ticks => "another price",
            Some((_, _, lots)) if record.lots < lots => SIZE_DOWN,
            Some((_, _, lots)) if record.lots > lots => "higher quantity",
            Some(_) => "nothing",
        };
        *self.modifies.entry(kind).or_default() += 1;
    }

    /// Counts a record that leads to nothing.
    pub(crate) fn skip(&mut self, reason: &'static str) -> Vec<Operation> {
        *self.skipped.entry(reason).or_default() += 1;
        Vec::new()
    }
}

/// Whether the slab's book already shows what a record reports.
fn is_done(record: &Record, book: &Model) -> bool {
    match (record.action, book.order(record.id)) {
        (Action::Cancel, order) => order.is_none(),
        (_, Some((_, ticks, lots))) => (ticks, lots) == (record.ticks, record.lots),
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(action: Action, id: u64, ticks: u32, lots: u32) -> Record {
        let side = Some(Side::Bid);
        Record {
            time_ns: 7,
            event_ns: 7,
            action,
            side,
            id,
            ticks,
            lots,
        }
    }

    fn place(id: u64, ticks: u32, lots: u32) -> Operation {
        Operation::Place {
            id,
            side: Side::Bid,
            ticks,
            lots,
        }
    }

    #[test]
    fn modifies_reduce_or_replace_and_cancels_cancel() {
        let (mut rules, mut book) = (Rules::new(Mode::Maintain), Model::default());
        assert_eq!(
            rules.operations(&record(Action::Add, 1, 50, 9), &book),
            [place(1, 50, 9)]
        );
        book.put(Side::Bid, 50, 1, 9);
        let cancel = Operation::Cancel { id: 1 };
        let smaller = rules.operations(&record(Action::Modify, 1, 50, 4), &book);
        assert_eq!(smaller, [Operation::Reduce { id: 1, lots: 5 }]);
        book.put(Side::Bid, 50, 1, 4);
        assert_eq!(
            rules.operations(&record(Action::Modify, 1, 50, 4), &book),
            []
        );
        let partly = rules.operations(&record(Action::Cancel, 1, 50, 1), &book);
        assert_eq!(partly, [Operation::Reduce { id: 1, lots: 1 }]);
        assert_eq!(
            rules.operations(&record(Action::Cancel, 1, 50, 3), &book),
            [cancel]
        );
        rules.operations(&record(Action::Add, 1, 50, 4), &book);
        let larger = rules.operations(&record(Action::Modify, 1, 50, 8), &book);
        assert_eq!(larger, [cancel, place(1, 50, 8)]);
        assert_eq!(
            rules.operations(&record(Action::Trade, 0, 50, 3), &book),
            []
        );
        assert_eq!(
            rules.modifies,
            Reasons::from([(SIZE_DOWN, 1), ("nothing", 1), ("higher quantity", 1)])
        );
        assert_eq!(
            rules.operations(&record(Action::Modify, 2, 49, 3), &book),
            [place(2, 49, 3)]
        );
    }

    #[test]
    fn a_trade_is_taken_and_what_it_caused_is_skipped_once() {
        let (mut rules, mut book) = (Rules::new(Mode::Trade), Model::default());
        rules.operations(&record(Action::Add, 1, 50, 9), &book);
        book.put(Side::Bid, 50, 1, 9);
        let mut sold = record(Action::Trade, 0, 50, 2);
        sold.side = Some(Side::Ask);
        let take = Operation::Take {
            side: Side::Ask,
            limit: 50,
            lots: 2,
        };
        assert_eq!(rules.operations(&sold, &book), [take]);
        assert_eq!(rules.operations(&record(Action::Fill, 1, 50, 2), &book), []);
        book.take(Side::Ask, 50, 2, 48);
        assert_eq!(
            rules.operations(&record(Action::Modify, 1, 50, 7), &book),
            []
        );
        let cancel = Operation::Cancel { id: 1 };
        assert_eq!(
            rules.operations(&record(Action::Cancel, 1, 50, 7), &book),
            [cancel]
        );
        assert_eq!(rules.corrected, Reasons::new());
    }

    #[test]
    fn an_order_that_only_the_venue_filled_is_put_right() {
        let (mut rules, mut book) = (Rules::new(Mode::Trade), Model::default());
        rules.operations(&record(Action::Add, 1, 50, 9), &book);
        book.put(Side::Bid, 50, 1, 9);
        rules.operations(&record(Action::Fill, 1, 50, 9), &book);
        let cancel = Operation::Cancel { id: 1 };
        assert_eq!(
            rules.operations(&record(Action::Cancel, 1, 50, 9), &book),
            [cancel]
        );
        assert_eq!(rules.corrected.values().sum::<u64>(), 1);
    }
}
