//! A slab in memory, and shorthands to trade on it.
//!
//! Every operation that changes the slab runs as an instruction would: when it
//! returns an error, all of it is undone. Tests reach the engine's memory
//! through [`Exchange::slab`].
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test crate uses a part of it"
)]

pub mod crash;
pub mod ends;
pub mod oracle;
pub mod registry;
pub mod roots;
pub mod router;
pub mod shift;

use bytemuck::Zeroable;
use flagstone_interface::Key;
use flagstone_interface::event::{OrderCancelled, Traded};
use flagstone_interface::router::Escrow;
use flagstone_interface::slab::{PoolId, account_flags};
use flagstone_slab_engine::batches::Batch;
use flagstone_slab_engine::cancels::{Cancelled, Reduced, Which};
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_slab_engine::requests::{OrderKind, Place, Placed, Take};
use flagstone_slab_engine::{Capacities, Slab, SlabError};
use flagstone_units::{Lots, Ppm, Side, SignedPpm, Slot, Ticks};

/// Result of an operation.
pub type Outcome<T> = Result<T, SlabError>;

/// Handle of a resting order: index and generation.
pub type Handle = (u32, u32);

/// Capacities of a slab that holds all that a small test needs.
pub fn small() -> [u32; 10] {
    [4, 32, 64, 256, 96, 48, 200, 32, 1, 1]
}

/// Parameters that most tests start from: mark 1,000, 10 % initial margin, 5 %
/// maintenance, a band of 9 %, no fees and a mark that hardly moves.
pub fn params() -> InstrumentParams {
    InstrumentParams {
        underlying_id: 1,
        symbol: *b"TEST-PERP\0\0\0\0\0\0\0",
        atoms_per_tick: 1,
        price_max: Ticks(1_000_000),
        order_lots_min: Lots(1),
        order_lots_max: Lots(1_000_000),
        position_lots_max: Lots(1_000_000),
        imr: Ppm(100_000),
        mmr: Ppm(50_000),
        taker_fee: SignedPpm(0),
        maker_fee: SignedPpm(0),
        band: Ppm(90_000),
        mark: Ticks(1_000),
        mark_move_max: Ticks(1),
        mark_age: Slot(1_000_000),
        mark_lots_min: Lots(1),
        kill_band: Ppm(10_000),
        hold_fee: Ppm(1),
        oracle: [0; 32],
        oracle_feed: [0; 32],
        oracle_scale: 0,
        rules: Default::default(),
    }
}

/// Escrow address, or trader key, of an account.
pub fn key_of(kind: u8, account: u32) -> Key {
    let mut key = [kind; 32];
    key[..4].copy_from_slice(&account.to_le_bytes());
    key
}

/// A slab, the escrows of its accounts, and the clock.
pub struct Exchange {
    /// The account's data; whole words, so that it is 8-aligned.
    words: Vec<u64>,
    /// Copy to go back to after an error.
    undo: Vec<u64>,
    /// Escrow of account `at + 1`.
    pub escrows: Vec<Escrow>,
    /// What the Router holds for the slab, in atoms.
    pub backing_atoms: i128,
    /// Current slot.
    pub slot: u32,
}

impl Exchange {
    /// An empty slab with these capacities.
    pub fn with(items: [u32; 10]) -> Self {
        let capacities = Capacities { items };
        let words = vec![0u64; capacities.layout_bytes().div_ceil(8) as usize];
        let mut exchange = Self {
            undo: words.clone(),
            words,
            escrows: Vec::new(),
            backing_atoms: 0,
            slot: 100,
        };
        Slab::initialize(exchange.bytes(), &capacities).unwrap();
        exchange
    }

    /// A small slab with one instrument and `accounts` accounts of a billion atoms.
    pub fn new(params: &InstrumentParams, accounts: u32) -> Self {
        let mut exchange = Self::with(small());
        exchange.slab().add_instrument(params, Slot(100)).unwrap();
        for _ in 0..accounts {
            exchange.open(1_000_000_000);
        }
        exchange
    }

    /// The raw data.
    pub fn bytes(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.words)
    }

    /// The slab as the engine sees it.
    pub fn slab(&mut self) -> Slab<'_> {
        Slab::open(bytemuck::cast_slice_mut(&mut self.words)).unwrap()
    }

    /// Runs one instruction: an error undoes it.
    pub fn run<T>(&mut self, change: impl FnOnce(&mut Slab<'_>) -> Outcome<T>) -> Outcome<T> {
        self.undo.copy_from_slice(&self.words);
        let result = change(&mut self.slab());
        if result.is_err() {
            self.words.copy_from_slice(&self.undo);
        }
        result
    }

    /// Binds an escrow to the next account, opens it and credits `atoms`.
    pub fn open(&mut self, atoms: u64) -> u32 {
        self.try_open(atoms).unwrap()
    }

    /// As [`Exchange::open`], which expects it to work.
    pub fn try_open(&mut self, atoms: u64) -> Outcome<u32> {
        let slab = self.slab();
        let pool = slab.header.pool(PoolId::Accounts);
        let next = pool.next_index().ok_or(SlabError::AccountsFull)?;
        let escrow = Escrow {
            trader: key_of(7, next),
            bound_account: next,
            bound_generation: slab.accounts[next].generation + 1,
            deposited_total_atoms: atoms,
            ..Escrow::zeroed()
        };
        let slot = Slot(self.slot);
        let address = key_of(9, next);
        let account = self.run(|slab| slab.open_account(&address, &escrow, slot))?;
        self.escrows.push(escrow);
        self.backing_atoms += i128::from(atoms);
        self.sync(account).unwrap();
        Ok(account)
    }

    /// Copies the account's escrow into the slab; returns the atoms credited.
    pub fn sync(&mut self, account: u32) -> Outcome<u64> {
        let (escrow, slot) = (self.escrows[account as usize - 1], Slot(self.slot));
        let synced = self.run(|slab| slab.sync(account, &key_of(9, account), &escrow, slot))?;
        Ok(synced.credited_atoms)
    }

    /// Funds the account's escrow and credits it.
    pub fn deposit(&mut self, account: u32, atoms: u64) -> Outcome<u64> {
        self.escrows[account as usize - 1].deposited_total_atoms += atoms;
        self.backing_atoms += i128::from(atoms);
        self.sync(account)
    }

    /// Has the Router freeze the account.
    pub fn freeze(&mut self, account: u32, frozen: bool) {
        self.escrows[account as usize - 1].frozen = frozen.into();
        self.sync(account).unwrap();
    }

    /// Places an order, signed by its account's trader.
    pub fn place(&mut self, order: &Place) -> Outcome<(Placed, Traded)> {
        let (slot, mut traded) = (Slot(self.slot), Traded::zeroed());
        let trader = key_of(7, order.account);
        let placed = self.run(|slab| slab.place(&trader, order, slot, &mut traded))?;
        Ok((placed, traded))
    }

    /// Posts an order that rests; returns its handle.
    pub fn post(&mut self, account: u32, side: Side, ticks: u32, lots: u32) -> Outcome<Handle> {
        let (placed, _) = self.place(&post_only(account, side, ticks, lots))?;
        let rested = placed.rested.expect("a post-only order rests");
        Ok((rested.order, rested.generation))
    }

    /// Trades at once, signed by its account's trader.
    pub fn take(&mut self, take: &Take) -> Outcome<Traded> {
        let (slot, mut traded) = (Slot(self.slot), Traded::zeroed());
        let trader = key_of(7, take.account);
        self.run(|slab| slab.take(&trader, take, slot, &mut traded))?;
        Ok(traded)
    }

    /// Immediate-or-cancel; returns the lots traded.
    pub fn ioc(&mut self, account: u32, side: Side, limit: u32, lots: u32) -> Outcome<u32> {
        Ok(self.take(&ioc(account, side, limit, lots))?.lots)
    }

    /// Cancels an order, signed by its account's trader.
    pub fn cancel(&mut self, account: u32, handle: Handle) -> Outcome<Option<OrderCancelled>> {
        let trader = key_of(7, account);
        self.run(|slab| slab.cancel(&trader, account, handle.0, handle.1))
    }

    /// Cancels orders of an account, signed by its trader.
    pub fn cancel_all(&mut self, account: u32, which: &Which) -> Outcome<Cancelled> {
        let (trader, mut cancelled) = (key_of(7, account), Cancelled::none());
        self.run(|slab| slab.cancel_all(&trader, account, which, &mut cancelled))?;
        Ok(cancelled)
    }

    /// Takes lots off an order, signed by its account's trader.
    pub fn reduce(&mut self, account: u32, order: Handle, lots: u32) -> Outcome<Reduced> {
        let trader = key_of(7, account);
        self.run(|slab| slab.reduce(&trader, account, order.0, order.1, Lots(lots)))
    }

    /// Replaces an order by another, signed by the account's trader.
    pub fn replace(
        &mut self,
        old: Handle,
        order: &Place,
    ) -> Outcome<(OrderCancelled, Placed, Traded)> {
        let (slot, trader) = (Slot(self.slot), key_of(7, order.account));
        let mut traded = Traded::zeroed();
        let (gone, placed) =
            self.run(|slab| slab.replace(&trader, old, order, slot, &mut traded))?;
        Ok((gone, placed, traded))
    }

    /// Sets the account's dead-man slot, signed by its trader.
    pub fn set_dead_man(&mut self, account: u32, at: u32) -> Outcome<()> {
        let (slot, trader) = (Slot(self.slot), key_of(7, account));
        self.run(|slab| slab.set_dead_man(&trader, account, Slot(at), slot))
    }

    /// Cancels orders of an account whose dead-man slot has passed.
    pub fn cancel_dead_man(&mut self, account: u32, most: usize) -> Outcome<Cancelled> {
        let (slot, mut cancelled) = (Slot(self.slot), Cancelled::none());
        self.run(|slab| slab.cancel_dead_man(account, most, slot, &mut cancelled))?;
        Ok(cancelled)
    }

    /// Removes expired orders among some records.
    pub fn expire_orders(&mut self, first: u32, count: u16) -> Cancelled {
        let (slot, mut cancelled) = (Slot(self.slot), Cancelled::none());
        self.slab()
            .expire_orders(first, count, slot, &mut cancelled);
        cancelled
    }

    /// Opens the batch of an instrument, or goes on with it.
    pub fn batch_open(&mut self, instrument: u8, most: usize) -> Outcome<Batch> {
        let slot = Slot(self.slot);
        self.run(|slab| slab.batch_open(instrument, most, slot))
    }

    /// Makes an account a designated liquidity provider, or an ordinary one.
    pub fn designate(&mut self, account: u32, designated: bool) {
        let mut slab = self.slab();
        let flags = &mut slab.accounts[account].flags;
        *flags &= !account_flags::DLP;
        *flags |= account_flags::DLP * u16::from(designated);
    }

    /// Settled cash of an account.
    pub fn cash(&mut self, account: u32) -> i64 {
        self.slab().accounts[account].cash_atoms
    }

    /// Lots and cost of an account's position in an instrument.
    pub fn position(&mut self, account: u32, instrument: u8) -> (i32, i64) {
        let slab = self.slab();
        let mut index = slab.accounts[account].positions_head;
        while index != 0 {
            let position = &slab.positions[index];
            if position.instrument == instrument {
                return (position.lots.0, position.cost_atoms);
            }
            index = position.next_in_account;
        }
        (0, 0)
    }

    /// Price and quantity of every level, best first.
    pub fn depth(&mut self, instrument: u8, side: Side) -> Vec<(u32, u32)> {
        let slab = self.slab();
        let mut depth = Vec::new();
        let mut index = slab.instruments[instrument as usize].books[side.index()].best;
        while index != 0 {
            let level = &slab.levels[index];
            depth.push((level.ticks.0, level.lots.0));
            index = level.next;
        }
        depth
    }

    /// Panics when an invariant of the slab is broken.
    pub fn audit(&mut self) {
        self.slab().audit().unwrap();
    }
}

/// A limit order in instrument 0 that cancels own resting orders.
pub fn limit(account: u32, side: Side, ticks: u32, lots: u32) -> Place {
    Place {
        account,
        instrument: 0,
        side,
        kind: OrderKind::Limit,
        self_trade: SelfTrade::CancelResting,
        ticks: Ticks(ticks),
        lots: Lots(lots),
        expiry: Slot(0),
        client_id: 0,
        reduce_only: false,
    }
}

/// A post-only order in instrument 0.
pub fn post_only(account: u32, side: Side, ticks: u32, lots: u32) -> Place {
    Place {
        kind: OrderKind::PostOnly,
        ..limit(account, side, ticks, lots)
    }
}

/// An immediate-or-cancel order in instrument 0.
pub fn ioc(account: u32, side: Side, limit: u32, lots: u32) -> Take {
    Take {
        account,
        instrument: 0,
        side,
        self_trade: SelfTrade::CancelResting,
        limit: Ticks(limit),
        lots: Lots(lots),
        lots_min: Lots(0),
        reduce_only: false,
    }
}

/// Small seeded generator (splitmix64), so that a run is one number to repeat.
pub struct Rng(pub u64);

impl Rng {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Shuffles in place.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}
