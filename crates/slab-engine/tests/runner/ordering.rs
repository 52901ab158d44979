//! Random orders: placed, replaced, reduced, cancelled.

use super::Run;
use crate::common::Handle;
use crate::reference::Deed;
use crate::reference::setting::{Raw, deed};
use flagstone_interface::event::Traded;
use flagstone_slab_engine::cancels::{Cancelled, Reduced, Which};
use flagstone_slab_engine::requests::{OrderKind, Place, Placed, Take};
use flagstone_units::{Lots, Side, Slot};

impl Run {
    /// A random order. One that may only reduce is mostly on a side that does.
    fn order(&self, raw: Raw) -> Place {
        let kind = match raw.extra & 15 {
            0..=5 => OrderKind::Limit,
            6..=11 => OrderKind::PostOnly,
            12 => OrderKind::PostOnlySlide,
            13 => OrderKind::ImmediateOrCancel,
            14 => OrderKind::FillOrKill,
            _ => OrderKind::PostOnlySlide,
        };
        let expiry = match raw.option >> 3 & 7 {
            0 => self.engine.slot,
            1 => self.engine.slot + u32::from(raw.option >> 10),
            2 => self.engine.slot - 1 + u32::from(raw.option >> 10 & 1),
            _ => 0,
        };
        let (account, market) = (self.account(raw), self.market(raw));
        let reduce_only = raw.extra >> 4 & 7 == 0;
        let lots = self.model.holding(account, market.into()).lots;
        let side = match lots.signum() {
            1 if reduce_only && raw.extra & 128 == 0 => Side::Ask,
            -1 if reduce_only && raw.extra & 128 == 0 => Side::Bid,
            _ => Self::side(raw),
        };
        let raw = Raw {
            side: side == Side::Bid,
            ..raw
        };
        let rests = matches!(kind, OrderKind::PostOnly) || raw.option & 64 == 0;
        Place {
            account,
            instrument: market,
            side,
            kind,
            self_trade: raw.self_trade(),
            ticks: self.price(raw, rests),
            lots: self.lots(raw),
            expiry: Slot(expiry),
            client_id: u64::from(raw.option),
            reduce_only,
        }
    }

    pub(super) fn place(&mut self, raw: Raw) {
        let order = self.order(raw);
        let expected = self.model.place(&order, self.engine.slot);
        match (self.engine.place(&order), expected) {
            (Ok((placed, traded)), Ok(expected)) => {
                self.note(format!("placed {:?}", order.kind));
                self.compare_placed(&order, &placed, &traded, &expected);
            }
            (got, expected) => {
                let error = got.map(|_| ()).unwrap_err();
                assert_eq!(Err(error), expected.map(|_| ()), "{order:?}");
                self.note(error.name());
            }
        }
    }

    fn compare_placed(&mut self, order: &Place, placed: &Placed, traded: &Traded, expected: &Deed) {
        assert_eq!(deed(traded, Some(placed)), *expected, "{order:?}");
        self.note_meetings(traded);
        if placed.evicted.count > 0 {
            self.note("evicted");
        }
        let Some(rested) = placed.rested else {
            return;
        };
        if order.reduce_only {
            self.note("reduce-only rests");
        }
        if rested.ticks != order.ticks.0 {
            self.note("slid");
        }
        let handle = (rested.order, rested.generation);
        assert!(
            self.handed_out.insert(handle),
            "a handle was handed out twice"
        );
        self.handles.push((handle, order.account));
        let market = &mut self.model.markets[usize::from(order.instrument)];
        let posted = if placed.batch_epoch != 0 {
            &mut market.pending.back_mut().unwrap().order
        } else {
            let ladder = &mut market.sides[order.side.index()];
            ladder
                .get_mut(&{ rested.ticks })
                .unwrap()
                .back_mut()
                .unwrap()
        };
        posted.handle = handle;
        if placed.batch_epoch != 0 {
            self.note("waits");
        }
    }

    pub(super) fn take(&mut self, raw: Raw) {
        let lots = self.lots(raw);
        let take = Take {
            account: self.account(raw),
            instrument: self.market(raw),
            side: Self::side(raw),
            self_trade: raw.self_trade(),
            limit: self.price(raw, false),
            lots,
            lots_min: match raw.option >> 3 & 15 {
                0 => Lots(lots.0 / 2),
                1 => lots,
                2 => Lots(lots.0 + 1),
                _ => Lots(0),
            },
            reduce_only: raw.extra & 3 == 0,
        };
        let expected = self.model.take(&take, self.engine.slot);
        match (self.engine.take(&take), expected) {
            (Ok(traded), Ok(expected)) => {
                assert_eq!(deed(&traded, None), expected, "{take:?}");
                self.note_meetings(&traded);
                if take.reduce_only {
                    self.note("reduced at once");
                }
            }
            (got, expected) => {
                let error = got.map(|_| ()).unwrap_err();
                assert_eq!(Err(error), expected.map(|_| ()), "{take:?}");
                self.note(error.name());
            }
        }
    }

    /// One of the last orders, and now and then another's account.
    fn some_order(&self, raw: Raw) -> Option<(Handle, u32)> {
        let recent = self.handles.len().min(150);
        if recent == 0 {
            return None;
        }
        let at = self.handles.len() - 1 - usize::from(raw.price) % recent;
        let (handle, owner) = self.handles[at];
        // One in sixteen tries to cancel what may be another's order.
        let account = if raw.option & 15 == 0 {
            self.account(raw)
        } else {
            owner
        };
        Some((handle, account))
    }

    pub(super) fn cancel(&mut self, raw: Raw) {
        let Some((handle, account)) = self.some_order(raw) else {
            return;
        };
        let expected = self.model.cancel(account, handle);
        let got = self.engine.cancel(account, handle);
        let got = got.map(|event| event.map(|event| event.lots));
        assert_eq!(got, expected, "cancel {handle:?} by {account}");
        match got {
            Ok(Some(_)) => self.note("cancelled"),
            Ok(None) => self.note("stale"),
            Err(error) => self.note(error.name()),
        }
    }

    pub(super) fn reduce(&mut self, raw: Raw) {
        let Some((handle, account)) = self.some_order(raw) else {
            return;
        };
        let lots = u32::from(raw.lots % 40);
        let expected = self.model.reduce(account, handle, lots);
        let got = self.engine.reduce(account, handle, lots);
        let got = got.map(|reduced| match reduced {
            Reduced::Smaller(event) => (event.lots, false),
            Reduced::Cancelled(event) => (event.lots, true),
        });
        assert_eq!(got, expected, "reduce {handle:?} by {lots}");
        match got {
            Ok((_, gone)) => self.note(format!("reduced, gone {gone}")),
            Err(error) => self.note(format!("reduce {}", error.name())),
        }
    }

    pub(super) fn replace(&mut self, raw: Raw) {
        let Some((handle, account)) = self.some_order(raw) else {
            return;
        };
        let order = Place {
            account,
            ..self.order(raw)
        };
        let expected = self.model.replace(handle, &order, self.engine.slot);
        match (self.engine.replace(handle, &order), expected) {
            (Ok((gone, placed, traded)), Ok((lots, expected))) => {
                assert_eq!({ gone.lots }, lots);
                self.compare_placed(&order, &placed, &traded, &expected);
                self.note("replaced");
            }
            (got, expected) => {
                let error = got.map(|_| ()).unwrap_err();
                assert_eq!(Err(error), expected.map(|_| ()), "{order:?}");
                self.note(format!("replace {}", error.name()));
            }
        }
    }

    pub(super) fn cancel_all(&mut self, raw: Raw) {
        let which = Which {
            instrument: (raw.option & 1 == 0).then(|| self.market(raw)),
            side: (raw.option & 2 == 0).then(|| Self::side(raw)),
            most: usize::from(raw.price % if raw.option & 60 == 0 { 40 } else { 4 }),
        };
        let account = self.account(raw);
        let expected = self
            .model
            .cancel_all(account, (which.instrument, which.side), which.most);
        let got = gone(&self.engine.cancel_all(account, &which).unwrap());
        assert_eq!(got, expected, "{which:?}");
        self.note(format!("cancelled all {}", !got.is_empty()));
    }

    /// An account sets its dead-man slot, or somebody tries its orders.
    pub(super) fn dead_man(&mut self, raw: Raw) {
        let (account, slot) = (self.account(raw), self.engine.slot);
        if raw.option & 1 == 0 {
            let at = match raw.option >> 1 & 7 {
                0..=4 => 0,
                5 => slot - 1,
                _ => slot + u32::from(raw.price % 400),
            };
            let expected = self.model.set_dead_man(account, at, slot);
            assert_eq!(self.engine.set_dead_man(account, at), expected);
            return;
        }
        let most = usize::from(raw.price % 8);
        let expected = self.model.cancel_dead_man(account, most, slot);
        let got = self.engine.cancel_dead_man(account, most);
        let got = got.map(|cancelled| gone(&cancelled));
        assert_eq!(got, expected);
        self.note(format!("dead man {:?}", got.map(|gone| !gone.is_empty())));
    }

    pub(super) fn expire_orders(&mut self, raw: Raw) {
        let orders = self.model.limits.orders as u32;
        let first = u32::from(raw.price) % (orders + 2);
        let count = raw.option % if raw.extra & 15 == 0 { 300 } else { 9 };
        let visited = first..first + u32::from(count).min(256);
        let expected = self.model.expire_orders(visited, self.engine.slot);
        let got = gone(&self.engine.expire_orders(first, count));
        assert_eq!(got, expected);
        self.note(format!("expired orders {}", !got.is_empty()));
    }
}

fn gone(cancelled: &Cancelled) -> Vec<(Handle, u32)> {
    let orders = cancelled.orders().iter();
    orders
        .map(|event| ((event.order, event.generation), event.lots))
        .collect()
}
