//! A replica read from the account: where to start, and what heals a gap.

use super::{
    AccountView, DeficitView, HoldView, InstrumentView, OrderView, Replica, TRADES_KEPT, TradeView,
};
use flagstone_interface::event::HeldSlice;
use flagstone_interface::slab::{PoolId, Reservation, account_flags};
use flagstone_slab_engine::layout::{Order, order_flags};
use flagstone_slab_engine::{Slab, SlabError};
use flagstone_units::Side;

impl Replica {
    /// The slab as its account says, after its last event.
    ///
    /// To heal a gap, read the account, and go on with the events that come
    /// after [`Replica::seq`]; those before are refused as old.
    pub fn from_slab(slab: &Slab<'_>) -> Self {
        let header = &slab.header;
        let mut replica = Self {
            seq: header.event_seq,
            authority: header.authority,
            trades_total: header.trades_total,
            status: header.status,
            deficits: DeficitView {
                haircut_index: header.haircut_index,
                ..DeficitView::default()
            },
            ..Self::default()
        };
        replica.read_accounts(slab);
        for number in 0..header.pool(PoolId::Instruments).live {
            replica.read_instrument(slab, number as u8);
        }
        replica.read_holds(slab);
        replica.read_trades(slab);
        replica
    }

    /// The same from the bytes of an account, at whatever alignment.
    ///
    /// # Errors
    /// [`SlabError::NotASlab`].
    pub fn from_account(data: &[u8]) -> Result<Self, SlabError> {
        let mut words = vec![0u64; data.len().div_ceil(8)];
        let bytes = &mut bytemuck::cast_slice_mut(&mut words)[..data.len()];
        bytes.copy_from_slice(data);
        Ok(Self::from_slab(&Slab::open(bytes)?))
    }

    fn read_accounts(&mut self, slab: &Slab<'_>) {
        for (index, account) in slab.accounts.iter() {
            let has = |flag: u16| account.flags & flag != 0;
            if !has(account_flags::OPEN) && !has(account_flags::CLOSED) {
                continue;
            }
            let view = AccountView {
                generation: account.generation,
                escrow: account.escrow,
                trader: account.trader,
                cash_atoms: account.cash_atoms,
                frozen: has(account_flags::FROZEN),
                designated: has(account_flags::DLP),
                closed: has(account_flags::CLOSED),
                dead_man_slot: account.dead_man_slot.0,
            };
            self.accounts.insert(index as u16, view);
        }
        for (_, position) in slab.positions.iter() {
            if position.lots.0 != 0 {
                let holder = (position.account, position.instrument);
                let held = (position.lots.0, position.cost_atoms);
                self.positions.insert(holder, held);
            }
        }
    }

    fn read_instrument(&mut self, slab: &Slab<'_>, number: u8) {
        let instrument = &slab.instruments[number as usize];
        let view = InstrumentView {
            atoms_per_tick: instrument.atoms_per_tick,
            mark_ticks: instrument.mark.0,
            index_ticks: instrument.index.0,
            batch_epoch: instrument.batch_epoch,
            funding_rate: instrument.funding_rate,
            funding_index: instrument.funding_base,
            status: instrument.status,
        };
        self.instruments.insert(number, view);
        for side in [Side::Bid, Side::Ask] {
            let mut level = instrument.books[side.index()].best;
            while level != 0 {
                self.read_queue(slab, slab.levels[level].head);
                level = slab.levels[level].next;
            }
        }
        self.read_queue(slab, instrument.pending[0]);
    }

    fn read_queue(&mut self, slab: &Slab<'_>, head: u32) {
        let mut index = head;
        while index != 0 {
            let order = &slab.orders[index];
            self.enqueue(index, OrderView::of(order));
            index = order.next;
        }
    }

    fn read_holds(&mut self, slab: &Slab<'_>) {
        for (index, hold) in slab.reservations.iter() {
            if hold.is_held() || hold.is_committed() {
                self.holds.insert(index, read_hold(slab, hold));
            }
        }
    }

    fn read_trades(&mut self, slab: &Slab<'_>) {
        let ring = slab.trades.iter().filter(|trade| trade.number != 0);
        let mut trades: Vec<TradeView> = ring
            .map(|trade| TradeView {
                number: trade.number,
                instrument: trade.instrument,
                side: side(trade.side),
                ticks: trade.ticks.0,
                lots: trade.lots.0,
                maker: trade.maker,
                taker: trade.taker,
                order: trade.order,
            })
            .collect();
        trades.sort_by_key(|trade| trade.number);
        let old = trades.len().saturating_sub(TRADES_KEPT);
        self.trades = trades.drain(old..).collect();
    }
}

impl OrderView {
    fn of(order: &Order) -> Self {
        Self {
            generation: order.generation,
            account: order.account,
            instrument: order.instrument,
            side: order.side(),
            ticks: order.ticks.0,
            lots: order.lots.0,
            reserved_lots: order.reserved_lots.0,
            expiry_slot: order.expiry.0,
            client_id: order.client_id,
            reduce_only: order.is_reduce_only(),
            closing: order.side_flags & order_flags::CLOSING != 0,
            waits_for: order.is_pending().then_some(order.batch_epoch),
        }
    }
}

fn read_hold(slab: &Slab<'_>, hold: &Reservation) -> HoldView {
    let mut slices = Vec::new();
    let mut index = if hold.is_held() { hold.slices_head } else { 0 };
    while index != 0 {
        let slice = &slab.slices[index];
        slices.push(HeldSlice {
            order: slice.order,
            ticks: slice.ticks.0,
            lots: slice.lots.0,
        });
        index = slice.next;
    }
    let result = hold.result();
    HoldView {
        generation: hold.generation,
        account: hold.account,
        instrument: hold.instrument,
        side: side(hold.side_state & 1),
        route_id: hold.route_id,
        lots: hold.lots,
        notional_atoms: hold.notional_atoms,
        max_charge_atoms: hold.max_charge_atoms,
        expiry_slot: hold.expiry_slot.0,
        slices,
        result: result.map(|result| (hold.filled_lots, result.charge_atoms)),
    }
}

/// The side that a byte of the slab's own names.
fn side(byte: u8) -> Side {
    if byte == 0 { Side::Bid } else { Side::Ask }
}
