//! What each event changes.

use super::{AccountView, HoldView, InstrumentView, OrderView, Replica, TradeView};
use flagstone_interface::event::{
    Deleveraged, Event, Fill, Held, HeldSlice, HoldEnded, OrderCancelled, OrderPending,
    OrderPlaced, OrderPromoted, OrderReduced, Traded, outcome,
};
use flagstone_units::{Side, Ticks, notional_atoms};

/// Instrument number that stands for the slab itself.
const SLAB: u8 = 255;

/// What an event did, or what contradicts it.
type Change = Result<(), &'static str>;

impl Replica {
    /// Applies an event whose number fits.
    pub(super) fn change(&mut self, event: &Event) -> Change {
        match event {
            Event::OrderPlaced(event) => self.placed(event),
            Event::OrderCancelled(event) => self.cancelled(event),
            Event::OrderReduced(event) => self.reduced(event),
            Event::OrderPending(event) => self.waiting(event),
            Event::OrderPromoted(event) => self.promoted(event),
            Event::Traded(event) => self.traded(event),
            Event::Held(event) => self.held(event),
            Event::HoldEnded(event) => self.ended(event),
            Event::HoldFreed(event) => match self.holds.remove(&{ event.hold }) {
                Some(hold) if hold.result.is_some() => Ok(()),
                _ => Err("no committed hold to free"),
            },
            Event::Deleveraged(event) => self.deleveraged(event),
            _ => self.accounts_changed(event),
        }
    }

    /// Events about accounts.
    fn accounts_changed(&mut self, event: &Event) -> Change {
        match event {
            Event::AccountOpened(event) => {
                let account = AccountView {
                    generation: event.generation,
                    escrow: event.escrow,
                    trader: event.trader,
                    ..AccountView::default()
                };
                let before = self.accounts.insert(event.account, account);
                return before.map_or(Ok(()), |_| Err("an account opens twice"));
            }
            Event::AccountSynced(event) => {
                let account = self.account(event.account)?;
                account.cash_atoms = event.cash_atoms;
                account.trader = event.trader;
                account.frozen = event.frozen != 0;
            }
            Event::Released(event) => self.account(event.account)?.cash_atoms = event.cash_atoms,
            Event::Liquidated(event) => self.account(event.account)?.cash_atoms = event.cash_atoms,
            Event::DlpSet(event) => self.account(event.account)?.designated = event.on != 0,
            Event::DeadManSet(event) => self.account(event.account)?.dead_man_slot = event.slot,
            Event::AccountClosed(event) => self.account(event.account)?.closed = true,
            Event::AccountFreed(event) => {
                self.account(event.account)?;
                self.accounts.remove(&{ event.account });
            }
            Event::DeficitRecognised(event) => {
                self.account(event.account)?;
                self.deficits.recognised_atoms += event.deficit_atoms;
            }
            _ => return self.slab_changed(event),
        }
        Ok(())
    }

    /// Events about the slab and its instruments.
    fn slab_changed(&mut self, event: &Event) -> Change {
        match event {
            Event::SlabInitialized(event) => self.authority = event.authority,
            Event::AuthoritySet(event) if event.in_force != 0 => self.authority = event.authority,
            Event::InstrumentAdded(event) => {
                let instrument = InstrumentView {
                    atoms_per_tick: event.atoms_per_tick,
                    mark_ticks: event.mark_ticks,
                    status: flagstone_interface::slab::status::ACTIVE,
                    ..InstrumentView::default()
                };
                let before = self.instruments.insert(event.instrument, instrument);
                return before.map_or(Ok(()), |_| Err("an instrument is added twice"));
            }
            Event::MarkUpdated(event) => {
                let instrument = self.instrument_mut(event.instrument)?;
                instrument.mark_ticks = event.mark_ticks;
                instrument.index_ticks = event.index_ticks;
            }
            Event::FundingUpdated(event) => {
                let instrument = self.instrument_mut(event.instrument)?;
                instrument.funding_rate = event.funding_rate;
                instrument.funding_index = event.funding_index;
            }
            Event::BatchOpened(event) => {
                self.instrument_mut(event.instrument)?.batch_epoch = event.batch_epoch;
            }
            Event::StatusSet(event) if event.instrument == SLAB => self.status = event.status,
            Event::StatusSet(event) => {
                self.instrument_mut(event.instrument)?.status = event.status;
            }
            Event::DeficitAllocated(event) => {
                self.deficits.allocated_atoms += event.deficit_atoms;
                self.deficits.haircut_index = event.haircut_index;
            }
            // Nothing that is kept here: roots, terms, limits.
            _ => {}
        }
        Ok(())
    }

    fn account(&mut self, index: u16) -> Result<&mut AccountView, &'static str> {
        self.accounts.get_mut(&index).ok_or("no such account")
    }

    fn instrument_mut(&mut self, number: u8) -> Result<&mut InstrumentView, &'static str> {
        self.instruments
            .get_mut(&number)
            .ok_or("no such instrument")
    }

    fn placed(&mut self, event: &OrderPlaced) -> Change {
        let order = OrderView {
            generation: event.generation,
            account: event.account,
            instrument: event.instrument,
            side: side(event.side)?,
            ticks: event.ticks,
            lots: event.lots,
            reserved_lots: 0,
            expiry_slot: event.expiry_slot,
            client_id: event.client_id,
            reduce_only: event.reduce_only != 0,
            closing: false,
            waits_for: None,
        };
        self.add(event.order, order)
    }

    fn waiting(&mut self, event: &OrderPending) -> Change {
        let order = OrderView {
            generation: event.generation,
            account: event.account,
            instrument: event.instrument,
            side: side(event.side)?,
            ticks: event.ticks,
            lots: event.lots,
            reserved_lots: 0,
            expiry_slot: event.expiry_slot,
            client_id: event.client_id,
            reduce_only: event.reduce_only != 0,
            closing: false,
            waits_for: Some(event.batch_epoch),
        };
        self.add(event.order, order)
    }

    fn add(&mut self, index: u32, order: OrderView) -> Change {
        self.account(order.account)?;
        self.instrument_mut(order.instrument)?;
        if self.orders.contains_key(&index) {
            return Err("an order takes the place of a live one");
        }
        self.enqueue(index, order);
        Ok(())
    }

    fn promoted(&mut self, event: &OrderPromoted) -> Change {
        self.live(event.order, event.generation)?;
        let mut order = self.dequeue(event.order).ok_or("no such order")?;
        if order.waits_for.take().is_none() {
            return Err("an order is promoted that did not wait");
        }
        order.ticks = event.ticks;
        self.enqueue(event.order, order);
        Ok(())
    }

    fn cancelled(&mut self, event: &OrderCancelled) -> Change {
        let order = self.live(event.order, event.generation)?;
        if order.account != event.account || order.closing || order.free_lots() != event.lots {
            return Err("a cancel of other lots than the order's");
        }
        order.lots = order.reserved_lots;
        order.closing = true;
        if order.lots == 0 {
            self.dequeue(event.order);
        }
        Ok(())
    }

    fn reduced(&mut self, event: &OrderReduced) -> Change {
        let order = self.live(event.order, event.generation)?;
        if event.lots >= order.lots || event.lots > order.free_lots() {
            return Err("an order is reduced by more than it has");
        }
        order.lots -= event.lots;
        Ok(())
    }

    /// The live order at an index.
    fn at(&mut self, index: u32) -> Option<&mut OrderView> {
        self.orders.get_mut(&index).map(|queued| &mut queued.order)
    }

    /// The live order with this handle.
    fn live(&mut self, index: u32, generation: u32) -> Result<&mut OrderView, &'static str> {
        match self.at(index) {
            Some(order) if order.generation == generation => Ok(order),
            _ => Err("no such order"),
        }
    }

    fn held(&mut self, event: &Held) -> Change {
        self.account(event.account)?;
        for slice in event.slices() {
            let order = self.at(slice.order);
            let order = order.ok_or("a hold captures an order that is not there")?;
            if order.free_lots() < slice.lots || order.ticks != slice.ticks {
                return Err("a hold captures what an order has not got");
            }
            order.reserved_lots += slice.lots;
        }
        let hold = HoldView {
            generation: event.generation,
            account: event.account,
            instrument: event.instrument,
            side: side(event.side)?,
            route_id: event.route_id,
            lots: event.lots,
            notional_atoms: event.notional_atoms,
            max_charge_atoms: event.max_charge_atoms,
            expiry_slot: event.expiry_slot,
            slices: event.slices().to_vec(),
            result: None,
        };
        let before = self.holds.insert(event.hold, hold);
        before.map_or(Ok(()), |_| Err("a hold takes the place of a live one"))
    }

    fn ended(&mut self, event: &HoldEnded) -> Change {
        let hold = self.holds.remove(&{ event.hold });
        let hold = hold.ok_or("no such hold")?;
        if hold.generation != event.generation || hold.result.is_some() {
            return Err("no such hold");
        }
        for slice in hold.slices {
            self.unreserve(&slice)?;
            self.leave_if_closing(slice.order);
        }
        Ok(())
    }

    fn unreserve(&mut self, slice: &HeldSlice) -> Change {
        let order = self.at(slice.order);
        let order = order.filter(|order| order.reserved_lots >= slice.lots);
        let order = order.ok_or("a hold frees what was not reserved")?;
        order.reserved_lots -= slice.lots;
        Ok(())
    }

    /// Takes off what is no longer reserved of an order whose owner cancelled it.
    fn leave_if_closing(&mut self, index: u32) {
        let Some(order) = self.at(index) else {
            return;
        };
        if order.closing {
            order.lots = order.reserved_lots;
            if order.lots == 0 {
                self.dequeue(index);
            }
        }
    }

    fn traded(&mut self, event: &Traded) -> Change {
        let taker_side = side(event.side)?;
        let unit = self.instrument_mut(event.instrument)?.atoms_per_tick;
        let slices = match event.hold {
            0 => Vec::new(),
            hold => self.committed(hold, event)?,
        };
        let (mut lots, mut notional) = (0, 0);
        for (at, fill) in event.fills().iter().enumerate() {
            if let Some(slice) = slices.get(at) {
                self.unreserve(slice)?;
            }
            if outcome::traded(fill.outcome) {
                let value = notional_atoms(Ticks(fill.ticks), fill.lots, unit);
                lots += fill.lots;
                notional += value;
                let maker = (fill.account, event.instrument);
                self.fill(maker, taker_side.contra(), fill.lots, value);
                self.remember(TradeView {
                    number: self.trades_total + 1,
                    instrument: event.instrument,
                    side: taker_side,
                    ticks: fill.ticks,
                    lots: fill.lots,
                    maker: fill.account,
                    taker: event.account,
                    order: fill.order,
                });
            }
            self.met(fill)?;
        }
        if lots != event.lots || notional != { event.notional_atoms } {
            return Err("fills do not add up to the trade");
        }
        if lots > 0 {
            let taker = (event.account, event.instrument);
            self.fill(taker, taker_side, lots, notional);
        }
        Ok(())
    }

    /// A hold was committed: leaves its result and returns its slices.
    fn committed(&mut self, hold: u32, event: &Traded) -> Result<Vec<HeldSlice>, &'static str> {
        let hold = self.holds.get_mut(&hold).ok_or("no such hold")?;
        let slices = core::mem::take(&mut hold.slices);
        if hold.result.is_some() || slices.len() != event.fills().len() {
            return Err("a commit of other slices than the hold's");
        }
        hold.result = Some((event.lots, event.charge_atoms));
        Ok(slices)
    }

    /// What became of an order that a taker met.
    fn met(&mut self, fill: &Fill) -> Change {
        let order = self.live(fill.order, fill.generation)?;
        if order.account != fill.account || order.ticks != fill.ticks || fill.lots > order.lots {
            return Err("a fill of another order");
        }
        let left = order.lots - fill.lots;
        let gone = match fill.outcome {
            outcome::SKIPPED => {
                self.leave_if_closing(fill.order);
                return Ok(());
            }
            outcome::DUST => true,
            outcome::PARTIAL | outcome::SELF_TRADE => left == 0,
            _ if left == 0 => true,
            _ => return Err("an order leaves with other lots than its own"),
        };
        order.lots = left;
        if gone {
            self.dequeue(fill.order);
        }
        Ok(())
    }

    fn deleveraged(&mut self, event: &Deleveraged) -> Change {
        let (lots, _) = self.position(event.account, event.instrument);
        let side = if lots > 0 { Side::Ask } else { Side::Bid };
        let (closed, value) = (event.lots, event.notional_atoms);
        self.fill((event.account, event.instrument), side, closed, value);
        let counter = (event.counter, event.instrument);
        self.fill(counter, side.contra(), closed, value);
        Ok(())
    }
}

fn side(byte: u8) -> Result<Side, &'static str> {
    Side::from_byte(byte).ok_or("no side")
}
