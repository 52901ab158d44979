//! Books rebuilt from events, for what can only be seen at one moment.

use super::registry::Metrics;
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::replica::Replica;
use flagstone_sdk::units::Side;
use std::collections::BTreeMap;

/// Lots count as near within this part of the best price.
const NEAR_PARTS: u32 = 100;

/// Sides with their labels.
pub(super) const SIDES: [(Side, &str); 2] = [(Side::Bid, "bid"), (Side::Ask, "ask")];

/// A slab whose events are followed. `None` once some were missed: without the
/// account there is no way back.
#[derive(Default)]
struct Followed(Option<Replica>);

/// The slabs that were seen from their first event on.
#[derive(Default)]
pub(super) struct Books {
    slabs: BTreeMap<String, Followed>,
}

impl Books {
    /// Takes the next event of a slab. Books of slabs that were there before the
    /// first line, or of which events are missing, are not followed.
    pub(super) fn apply(&mut self, slab: &str, event: &Event) {
        if !self.slabs.contains_key(slab) {
            let followed = Followed((event.seq() == 1).then(Replica::new));
            self.slabs.insert(slab.to_string(), followed);
        }
        let Some(Followed(replica)) = self.slabs.get_mut(slab) else {
            return;
        };
        if replica
            .as_mut()
            .is_some_and(|one| one.apply(event).is_err())
        {
            *replica = None;
        }
    }

    /// Last slot in which a hold could be committed, if it is known.
    pub(super) fn hold_expiry(&self, slab: &str, hold: u32) -> Option<u32> {
        let replica = self.slabs.get(slab)?.0.as_ref()?;
        replica.hold(hold).map(|view| view.expiry_slot)
    }

    /// Tells what rests now.
    pub(super) fn tell(&self, metrics: &Metrics) {
        for (slab, followed) in &self.slabs {
            let Some(replica) = &followed.0 else { continue };
            for (number, view) in replica.instruments() {
                let instrument = number.to_string();
                let at = [slab.as_str(), instrument.as_str()];
                metrics
                    .mark
                    .with_label_values(&at)
                    .set(view.mark_ticks.into());
                let best = SIDES.map(|(side, _)| {
                    replica
                        .book(number, side)
                        .next()
                        .map(|(_, order)| order.ticks)
                });
                if let [Some(bid), Some(ask)] = best {
                    let spread = i64::from(ask) - i64::from(bid);
                    metrics.book_spread.with_label_values(&at).set(spread);
                }
                for ((side, name), best) in SIDES.into_iter().zip(best) {
                    let at = [slab.as_str(), instrument.as_str(), name];
                    Depth::of(replica, number, side, best).tell(metrics, &at, best);
                }
            }
        }
    }
}

/// One side of a book, added up.
#[derive(Default)]
struct Depth {
    lots: i64,
    near: i64,
    orders: i64,
    reserved: i64,
}

impl Depth {
    fn of(replica: &Replica, instrument: u8, side: Side, best: Option<u32>) -> Self {
        let mut sums = Self::default();
        let best = best.unwrap_or(0);
        for (_, order) in replica.book(instrument, side) {
            sums.orders += 1;
            sums.lots += i64::from(order.lots);
            sums.reserved += i64::from(order.reserved_lots);
            if order.ticks.abs_diff(best) <= best / NEAR_PARTS {
                sums.near += i64::from(order.lots);
            }
        }
        sums
    }

    fn tell(&self, metrics: &Metrics, at: &[&str; 3], best: Option<u32>) {
        if let Some(best) = best {
            metrics.book_best.with_label_values(at).set(best.into());
        }
        metrics.book_depth.with_label_values(at).set(self.lots);
        metrics.book_near.with_label_values(at).set(self.near);
        metrics.book_orders.with_label_values(at).set(self.orders);
        metrics
            .book_reserved
            .with_label_values(at)
            .set(self.reserved);
    }
}
