//! Bytes as a sequence of operations on a small slab.

use crate::common::crash::Papers;
use crate::common::{Exchange, Handle, key_of, oracle};
use crate::input::Input;
use crate::setting::{self, BOOK, OPENING_ATOMS, ORACLE, trader_of};
use bytemuck::Zeroable;
use flagstone_interface::event::Traded;
use flagstone_interface::router::{Cap, FundingGrid, cap_state};
use flagstone_interface::slab::PoolId;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::cancels::{Cancelled, Which};
use flagstone_slab_engine::commits::Commit;
use flagstone_slab_engine::holds::{Reserve, Reveal};
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_slab_engine::orders::Openings;
use flagstone_slab_engine::requests::{OrderKind, Place, Take};
use flagstone_units::{Lots, Slot, Ticks};

/// Kinds of operations.
pub const OPERATIONS: usize = 34;

/// Operations of one input at most, so that none takes long.
const OPERATIONS_MAX: usize = 300;

/// Runs the operations that `data` stands for.
///
/// Each is undone when it fails, as the runtime would. In the end everybody
/// has to be able to leave: holds end, orders are cancelled, pools are empty.
///
/// Returns how often each kind succeeded, so that a test can tell whether a set
/// of inputs still reaches all of them.
///
/// # Panics
/// When an invariant breaks.
pub fn slab_operations(data: &[u8]) -> [u32; OPERATIONS] {
    let mut succeeded = [0; OPERATIONS];
    let mut input = Input(data);
    let mut run = Run {
        exchange: setting::exchange(&mut input),
        commitment: None,
    };
    for _ in 0..OPERATIONS_MAX {
        if input.is_empty() {
            break;
        }
        let kind = input.below(OPERATIONS as u32);
        if run.step(kind, &mut input).is_ok() {
            succeeded[kind as usize] += 1;
            run.exchange.audit();
            run.exchange.audit_router();
        }
    }
    run.leave();
    succeeded
}

/// A slab, and what its users know beside it.
struct Run {
    exchange: Exchange,
    /// Terms of the last hold that was committed to them.
    commitment: Option<(Lots, Ticks)>,
}

impl Run {
    fn step(&mut self, kind: u32, input: &mut Input<'_>) -> Result<(), SlabError> {
        match kind {
            0 | 1 => self.place(input),
            2 => self.take(input),
            3 => self.cancel(input),
            4 => self.cancel_all(input),
            5 => self.reduce(input),
            6 => self.replace(input),
            7 => self.batch_update(input),
            8 | 9 => self.reserve(input),
            10 | 11 => self.commit(input),
            12 => self.cancel_hold(input),
            13 => self.expire(input),
            14 => self.settle(input),
            15 => self.batch_open(input),
            16 => self.update_mark(input),
            17 => self.update_funding(input),
            18 => self.touch_mark(input),
            19 => self.release(input),
            20 => self.deposit(input),
            21 => self.publish_root(input),
            22 => self.set_dead_man(input),
            23 => self.cancel_dead_man(input),
            24 => self.expire_orders(input),
            25 => self.freeze(input),
            26 => self.exchange.try_open(OPENING_ATOMS).map(drop),
            27 | 28 => self.liquidate(input),
            29 => self.deleverage(input),
            30 => self.allocate(input),
            31 => self.cover(input),
            32 => self.crash(input),
            _ => {
                self.exchange.slot += input.slots();
                Ok(())
            }
        }
    }

    /// An account index, which may be none.
    fn account(input: &mut Input<'_>) -> u32 {
        match input.byte() {
            u8::MAX => 0,
            byte => u32::from(byte) % 6 + 1,
        }
    }

    /// An account whose escrow is bound.
    fn bound(&self, input: &mut Input<'_>) -> u32 {
        input.below(self.exchange.escrows.len() as u32) + 1
    }

    /// An instrument number, which may be none, and its mark.
    fn instrument(&mut self, input: &mut Input<'_>) -> (u8, Ticks) {
        let number = match input.byte() {
            254 => 2,
            255 => u8::MAX,
            byte => byte & 1,
        };
        let slab = self.exchange.slab();
        let mark = slab.instruments.get(usize::from(number));
        (number, mark.map_or(Ticks(1_000), |found| found.mark))
    }

    /// Handle of an order slot; stale or from nowhere now and then.
    fn order(&mut self, input: &mut Input<'_>) -> Handle {
        let byte = input.byte();
        let slab = self.exchange.slab();
        let index = u32::from(byte & 0x3f) % (slab.orders.capacity() + 2);
        let generation = slab.orders.get(index).map_or(1, |order| order.generation);
        (index, generation.wrapping_sub(u32::from(byte >> 7)))
    }

    /// Handle of a hold, likewise.
    fn hold(&mut self, input: &mut Input<'_>) -> Handle {
        let byte = input.byte();
        let slab = self.exchange.slab();
        let index = u32::from(byte & 0x3f) % (slab.reservations.capacity() + 2);
        let generation = slab
            .reservations
            .get(index)
            .map_or(1, |hold| hold.generation);
        (index, generation.wrapping_sub(u32::from(byte >> 7)))
    }

    fn new_order(&mut self, input: &mut Input<'_>) -> Place {
        let account = Self::account(input);
        let (instrument, mark) = self.instrument(input);
        let bits = input.byte();
        let expiry = match bits >> 4 {
            14 => self.exchange.slot + 4,
            15 => self.exchange.slot,
            _ => 0,
        };
        Place {
            account,
            instrument,
            side: input.side(),
            kind: OrderKind::from_byte(bits % 5).unwrap_or(OrderKind::Limit),
            self_trade: SelfTrade::from_byte(bits % 3).unwrap_or(SelfTrade::CancelResting),
            ticks: input.ticks(mark),
            lots: Lots(input.lots()),
            expiry: Slot(expiry),
            client_id: 0,
            reduce_only: bits >> 4 == 13,
        }
    }

    fn place(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let order = self.new_order(input);
        self.exchange.place(&order).map(drop)
    }

    fn take(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let order = self.new_order(input);
        let take = Take {
            account: order.account,
            instrument: order.instrument,
            side: order.side,
            self_trade: order.self_trade,
            limit: order.ticks,
            lots: order.lots,
            lots_min: Lots(input.lots().min(order.lots.0)),
            reduce_only: order.reduce_only,
        };
        self.exchange.take(&take).map(drop)
    }

    fn cancel(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let account = Self::account(input);
        let handle = self.order(input);
        self.exchange.cancel(account, handle).map(drop)
    }

    fn cancel_all(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let account = Self::account(input);
        let bits = input.byte();
        let which = Which {
            instrument: (bits & 1 != 0).then_some(bits >> 1 & 3),
            side: (bits & 8 != 0).then(|| input.side()),
            most: usize::from(bits >> 4) * 3,
        };
        let trader = trader_of(account);
        self.exchange
            .run(|slab| slab.cancel_all(&trader, account, &which, &mut Cancelled::none()))
    }

    fn reduce(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (account, (index, generation)) = (Self::account(input), self.order(input));
        let (trader, lots) = (trader_of(account), Lots(input.lots()));
        self.exchange
            .run(|slab| slab.reduce(&trader, account, index, generation, lots))
            .map(drop)
    }

    fn replace(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (handle, order) = (self.order(input), self.new_order(input));
        let (trader, slot) = (trader_of(order.account), Slot(self.exchange.slot));
        self.exchange
            .run(|slab| slab.replace(&trader, handle, &order, slot, &mut Traded::zeroed()))
            .map(drop)
    }

    /// Cancels, then places, as the instruction does.
    fn batch_update(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (first, bits) = (self.new_order(input), input.byte());
        let cancels: Vec<Handle> = (0..bits & 3).map(|_| self.order(input)).collect();
        let places: Vec<Place> = (0..bits >> 2 & 3)
            .map(|_| Place {
                account: first.account,
                instrument: first.instrument,
                ..self.new_order(input)
            })
            .collect();
        let (account, slot) = (first.account, Slot(self.exchange.slot));
        self.exchange.run(|slab| {
            slab.traded_account(account, &trader_of(account))?;
            for (index, generation) in &cancels {
                slab.cancel_next(account, *index, *generation)?;
            }
            slab.expire_next(slot)?;
            let mut openings = Openings::default();
            for order in std::iter::once(&first).chain(&places) {
                slab.place_next(order, slot, &mut Traded::zeroed(), &mut openings)?;
            }
            slab.check_openings(account, &openings, slot)
        })
    }

    fn reserve(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let account = Self::account(input);
        let (instrument, mark) = self.instrument(input);
        let side = input.side();
        let (limit, lots) = (input.ticks(mark), Lots(input.lots()));
        let bits = input.byte();
        let ttl = match bits >> 2 & 7 {
            7 => input.slots(),
            few => u32::from(few),
        };
        let commits = bits & 3 == 3;
        let reveal = reveal(lots, limit);
        let order = Reserve {
            account,
            instrument,
            side,
            limit,
            lots,
            lots_min: Lots(u32::from(bits >> 5).clamp(1, lots.0.max(1))),
            ttl: Slot(ttl),
            route_id: u64::from(bits),
            commitment: match commits {
                true => reveal.digest(u64::from(bits), instrument, side),
                false => [0; 32],
            },
        };
        self.exchange.reserve(&order)?;
        if commits {
            self.commitment = Some((lots, limit));
        }
        Ok(())
    }

    /// Mints a capability, mostly the one that the hold asks for, and commits.
    fn commit(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (hold, bits) = (self.hold(input), input.byte());
        let (slot, slab) = (self.exchange.slot, self.exchange.slab());
        let Some(record) = slab.reservations.get(hold.0).copied() else {
            return Err(SlabError::NoHold);
        };
        let account = match bits & 7 {
            7 => Self::account(input),
            _ => u32::from(record.account),
        };
        let Some(escrow) = (account as usize).checked_sub(1) else {
            return Err(SlabError::NoAccount);
        };
        let Some(escrow) = self.exchange.escrows.get(escrow).copied() else {
            return Err(SlabError::NoAccount);
        };
        let live = |cap: &&Cap| cap.state == cap_state::LIVE;
        let minted = |cap: &Cap| (cap.hold, cap.hold_generation) == hold;
        // The Router mints for holds that stand, and once for each.
        let may_mint = record.is_held()
            && record.generation == hold.1
            && escrow.caps.iter().filter(live).count() < escrow.caps.len()
            && !escrow.caps.iter().filter(live).any(minted);
        if bits & 0x80 != 0 || !may_mint {
            // A capability that is there already: the hold's, or any.
            let own = escrow.caps.iter().position(minted);
            let any = usize::from(bits >> 3 & 15);
            return self.commit_with(account, hold, own.unwrap_or(any) as u8);
        }
        let atoms = match bits >> 3 & 3 {
            3 => record.max_charge_atoms / 2,
            _ => record.max_charge_atoms,
        };
        let terms = (record.route_id, atoms, slot.max(record.expiry_slot.0));
        let cap = self.exchange.mint(account, hold, terms);
        self.commit_with(account, hold, cap)
    }

    fn commit_with(&mut self, account: u32, hold: Handle, cap: u8) -> Result<(), SlabError> {
        let escrow = self.exchange.escrows[account as usize - 1];
        let commit = Commit {
            account,
            hold: hold.0,
            generation: hold.1,
            cap,
            escrow_key: &key_of(9, account),
            escrow: &escrow,
            reveal: self.commitment.map(|(lots, limit)| reveal(lots, limit)),
        };
        let (slot, trader) = (Slot(self.exchange.slot), trader_of(account));
        self.exchange
            .run(|slab| slab.commit(&trader, &commit, slot, &mut Traded::zeroed()))
    }

    fn cancel_hold(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (account, hold) = (Self::account(input), self.hold(input));
        self.exchange.cancel_hold(account, hold).map(drop)
    }

    /// Ends one hold by name, or whatever is due.
    fn expire(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let slot = Slot(self.exchange.slot);
        match input.byte() {
            0..128 => self.exchange.run(|slab| slab.expire_next(slot)).map(drop),
            byte => self.exchange.expire_hold(u32::from(byte) % 8).map(drop),
        }
    }

    /// The Router books an account; then its records may be freed.
    fn settle(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let account = self.bound(input);
        let (hold, _) = self.hold(input);
        self.exchange.settle(account);
        self.exchange.free_hold(hold, account).map(drop)
    }

    fn batch_open(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (number, _) = self.instrument(input);
        let (most, slot) = (input.byte().into(), Slot(self.exchange.slot));
        self.exchange
            .run(|slab| slab.batch_open(number, most, slot))
            .map(drop)
    }

    fn update_mark(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let slot = self.exchange.slot;
        let near = i32::from(input.byte() as i8) * 10;
        let mut price = oracle::price(10_000u32.saturating_add_signed(near), slot);
        match input.byte() {
            250 => price.price = input.word() as i64,
            251 => price.exponent = input.word() as i32,
            252 => price.confidence = input.word(),
            253 => price.posted_slot = input.word(),
            254 => price.publish_time = input.word() as i64,
            255 => price.feed[0] ^= 1,
            _ => {}
        }
        let time = oracle::time(slot);
        let number = if input.byte() == 255 { BOOK } else { ORACLE };
        self.exchange
            .run(|slab| slab.update_mark(number, &price, Slot(slot), time))
            .map(drop)
    }

    fn update_funding(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (number, _) = self.instrument(input);
        let bits = input.byte();
        let slot = Slot(self.exchange.slot);
        let grid = FundingGrid {
            underlying_id: 1,
            rate_ppm: match bits & 6 {
                6 => input.word() as i32,
                _ => i32::from(input.byte() as i8) * 20,
            },
            interval_slots: 20,
            slot: Slot(slot.0 - u32::from(bits >> 5)),
            ..FundingGrid::zeroed()
        };
        let grid = (bits & 1 == 0).then_some(&grid);
        self.exchange
            .run(|slab| slab.update_funding(number, grid, slot))
            .map(drop)
    }

    fn touch_mark(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let number = input.byte() & 1;
        let slot = Slot(self.exchange.slot);
        self.exchange.run(|slab| {
            slab.touch_mark(number, slot);
            Ok(())
        })
    }

    fn release(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (account, atoms) = (Self::account(input), input.atoms());
        self.exchange.release(account, atoms).map(drop)
    }

    fn deposit(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (account, atoms) = (self.bound(input), u64::from(input.byte()) * 101);
        self.exchange.deposit(account, atoms).map(drop)
    }

    fn publish_root(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (pages, slot) = (input.below(3), Slot(self.exchange.slot));
        self.exchange.run(|slab| {
            slab.publish_root(pages, slot);
            Ok(())
        })
    }

    fn set_dead_man(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (account, slot) = (Self::account(input), Slot(self.exchange.slot));
        let (trader, dead_man) = (trader_of(account), Slot(slot.0 + input.slots()));
        self.exchange
            .run(|slab| slab.set_dead_man(&trader, account, dead_man, slot))
    }

    fn cancel_dead_man(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (account, slot) = (Self::account(input), Slot(self.exchange.slot));
        let most = usize::from(input.byte());
        self.exchange
            .run(|slab| slab.cancel_dead_man(account, most, slot, &mut Cancelled::none()))
    }

    fn expire_orders(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (first, count) = (input.below(20), input.byte().into());
        let slot = Slot(self.exchange.slot);
        self.exchange.run(|slab| {
            slab.expire_orders(first, count, slot, &mut Cancelled::none());
            Ok(())
        })
    }

    fn freeze(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (account, frozen) = (self.bound(input), input.byte() & 1 == 1);
        self.exchange.freeze(account, frozen);
        self.exchange
            .run(|slab| slab.cancel_frozen(account, &mut Cancelled::none()))
    }

    /// A ticket of the Router, for the account and good now, or nearly so.
    fn papers(&mut self, account: u32, input: &mut Input<'_>) -> Papers {
        let (bits, lots) = (input.byte(), input.lots());
        let mut papers = self.exchange.ticket(account, lots);
        papers.ticket.instrument = if bits & 0x1f == 0x1f { BOOK } else { ORACLE };
        papers.ticket.nonce = 1 + u32::from(bits >> 5);
        let age = input.byte();
        papers.ticket.issued_slot.0 -= u32::from(age) % 100;
        papers.ticket.expiry_slot = Slot(papers.ticket.issued_slot.0 + 75);
        if age >= 200 {
            papers.ticket.deficit_max_atoms = input.atoms();
        }
        papers
    }

    fn liquidate(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (account, keeper) = (self.bound(input), input.below(7));
        let papers = self.papers(account, input);
        let hold = self.hold(input);
        let holds = [hold, (0, 0), hold, (0, 0)];
        self.exchange
            .liquidation_call(account, keeper, holds, &papers)
            .map(drop)
    }

    fn deleverage(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let account = self.bound(input);
        let papers = self.papers(account, input);
        let first = self.bound(input);
        let counters = [first, self.bound(input)];
        self.exchange
            .deleverage(account, &counters, &papers)
            .map(drop)
    }

    fn allocate(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let account = self.bound(input);
        self.exchange.allocate(account).map(drop)
    }

    /// The Router pays part of a recognised debt from insurance.
    fn cover(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let (account, atoms) = (self.bound(input), input.atoms());
        let owner = self.exchange.slab().accounts[account];
        if !owner.is_bankrupt() {
            return Err(SlabError::NoDeficit);
        }
        self.exchange.cover(account, atoms.min(owner.debt_atoms()));
        self.exchange.sync(account).map(drop)
    }

    /// The mark of the oracle jumps further than it may: the gap against which
    /// no parameter helps, and from which bad debt comes.
    fn crash(&mut self, input: &mut Input<'_>) -> Result<(), SlabError> {
        let ticks = 10_000 + i32::from(input.byte() as i8) * 70;
        let slot = Slot(self.exchange.slot);
        self.exchange.run(|slab| {
            slab.touch_mark(ORACLE, slot);
            let instrument = &mut slab.instruments[usize::from(ORACLE)];
            (instrument.mark, instrument.index) = (Ticks(ticks as u32), Ticks(ticks as u32));
            (instrument.index_slot, instrument.mark_slot) = (slot, slot);
            instrument.fresh_until = Slot(slot.0 + 25);
            Ok(())
        })
    }

    /// Nothing that happened keeps anybody's orders or holds in the slab.
    fn leave(mut self) {
        self.exchange.slot += 1_000;
        let holds = self.exchange.slab().reservations.capacity();
        for hold in 1..=holds {
            self.exchange.expire_hold(hold).expect("a hold ends");
        }
        let accounts = self.exchange.escrows.len() as u32;
        for account in 1..=accounts {
            let (trader, which) = (
                trader_of(account),
                Which {
                    instrument: None,
                    side: None,
                    most: usize::MAX,
                },
            );
            // A bankrupt account has no orders, and nobody trades for it.
            if !self.exchange.slab().accounts[account].is_bankrupt() {
                self.exchange
                    .run(|slab| slab.cancel_all(&trader, account, &which, &mut Cancelled::none()))
                    .expect("orders are cancelled");
            }
            self.exchange.settle(account);
            for hold in 1..=holds {
                if u32::from(self.exchange.record(hold).account) == account {
                    self.exchange
                        .free_hold(hold, account)
                        .expect("a record is freed");
                }
            }
        }
        self.exchange.audit();
        self.exchange.audit_router();
        let slab = self.exchange.slab();
        for pool in [
            PoolId::Orders,
            PoolId::Levels,
            PoolId::Reservations,
            PoolId::Slices,
        ] {
            let left = slab.header.pool(pool).live;
            assert_eq!(left, 0, "{} that nobody can free", pool.name());
        }
    }
}

fn reveal(lots: Lots, limit: Ticks) -> Reveal {
    Reveal {
        lots,
        limit,
        salt: [3; 16],
        sha256: |bytes| solana_sha256_hasher::hash(bytes).to_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the fuzzer is given has to reach trades, holds and full pools.
    #[test]
    fn a_sequence_by_hand_trades_and_commits() {
        let mut input = Input(&[]);
        let mut run = Run {
            exchange: setting::exchange(&mut input),
            commitment: None,
        };
        // Account 1 offers five lots at the mark and five two ticks above.
        run.step(0, &mut Input(&[0, 0, 1, 1, 0, 5])).unwrap();
        run.step(0, &mut Input(&[0, 0, 1, 1, 2, 5])).unwrap();
        // Account 2 takes three; account 3 reserves four and commits.
        run.step(2, &mut Input(&[1, 0, 0, 0, 0, 3, 0])).unwrap();
        run.step(8, &mut Input(&[2, 0, 0, 5, 4, 0x23])).unwrap();
        run.step(10, &mut Input(&[1, 0])).unwrap();
        assert_eq!(run.exchange.position(1, BOOK).0, -7);
        assert_eq!(run.exchange.position(2, BOOK).0, 3);
        assert_eq!(run.exchange.position(3, BOOK).0, 4);
        // The oracle speaks.
        run.step(33, &mut Input(&[4])).unwrap();
        run.step(16, &mut Input(&[1, 0, 0])).unwrap();
        assert_eq!(run.exchange.slab().instruments[1].index, Ticks(10_010));
        run.leave();
    }
}
