//! Books to measure on: filled by the host's engine, then loaded.
//!
//! The engine is the same code on both sides; a test of the end-to-end suite
//! shows that host and SVM leave the same bytes.

use anyhow::{Context, Result};
use flagstone_sdk::engine::Slab;
use flagstone_sdk::engine::book::Evictions;
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::matching::SelfTrade;
use flagstone_sdk::engine::requests::{OrderKind, Place};
use flagstone_sdk::interface::Key;
use flagstone_sdk::interface::event::Traded;
use flagstone_sdk::interface::router::Escrow;
use flagstone_sdk::interface::slab::PoolId;
use flagstone_sdk::units::{Lots, Ppm, Side, SignedPpm, Slot, Ticks};

/// Mark of the measured instrument.
pub(crate) const MARK: u32 = 1_000_000;
/// Distance of the best prices from the mark.
pub(crate) const TOUCH: u32 = 100;
/// Makers that share the book.
const MAKERS: u32 = 400;
/// Levels of one side; the pool holds 16,384 for all books.
const LEVELS: u32 = 6_000;
/// Best levels of a side that hold one order each.
const SINGLE_LEVELS: u32 = 16;
/// Lots of every resting order.
pub(crate) const LOTS: u32 = 10;

/// A deep instrument: wide price range, so that a full book has many levels.
pub(crate) fn instrument() -> InstrumentParams {
    InstrumentParams {
        underlying_id: 1,
        symbol: *b"BENCH-PERP\0\0\0\0\0\0",
        atoms_per_tick: 100,
        price_max: Ticks(4_000_000),
        order_lots_min: Lots(1),
        order_lots_max: Lots(1_000_000),
        position_lots_max: Lots(10_000_000),
        imr: Ppm(100_000),
        mmr: Ppm(50_000),
        taker_fee: SignedPpm(500),
        maker_fee: SignedPpm(-100),
        band: Ppm(90_000),
        mark: Ticks(MARK),
        mark_move_max: Ticks(1_000),
        mark_age: Slot(4),
        mark_lots_min: Lots(1),
        kill_band: Ppm(10_000),
        hold_fee: Ppm(1),
        oracle: [0; 32],
        oracle_feed: [0; 32],
        oracle_scale: 0,
        rules: Default::default(),
    }
}

/// Rests `orders` orders, half on each side, best prices first. Every maker
/// ends up with a position record, orders and margin of its own.
pub(crate) fn fill(slab: &mut Slab<'_>, orders: u32, slot: Slot) -> Result<()> {
    let first = open_makers(slab, slot)?;
    let levels = LEVELS.min(orders / 4).max(1);
    for number in 0..orders {
        let side = if number.is_multiple_of(2) {
            Side::Bid
        } else {
            Side::Ask
        };
        let level = level_of(number / 2, levels);
        let distance = TOUCH + level * 7;
        let ticks = match side {
            Side::Bid => MARK - distance,
            Side::Ask => MARK + distance,
        };
        let maker = first + (number / 2) % MAKERS;
        rest(slab, maker, side, ticks, slot)
            .with_context(|| format!("order {number} of the book does not rest"))?;
    }
    Ok(())
}

/// The best levels hold one order each, so that a take of n levels is n fills;
/// the others share the rest.
fn level_of(number: u32, levels: u32) -> u32 {
    if number < SINGLE_LEVELS {
        number
    } else {
        SINGLE_LEVELS + (number - SINGLE_LEVELS) % levels
    }
}

fn rest(slab: &mut Slab<'_>, maker: u32, side: Side, ticks: u32, slot: Slot) -> Result<()> {
    let order = Place {
        account: maker,
        instrument: 0,
        side,
        kind: OrderKind::PostOnly,
        self_trade: SelfTrade::CancelResting,
        ticks: Ticks(ticks),
        lots: Lots(LOTS),
        expiry: Slot::ZERO,
        client_id: 0,
        reduce_only: false,
    };
    let trader: Key = slab.accounts[maker].trader;
    let mut traded: Traded = bytemuck::Zeroable::zeroed();
    let placed = slab.place(&trader, &order, slot, &mut traded)?;
    let Evictions { count, .. } = placed.evicted;
    anyhow::ensure!(count == 0, "the pool is full");
    Ok(())
}

/// Opens the makers' accounts with ample cash; returns the first one's index.
fn open_makers(slab: &mut Slab<'_>, slot: Slot) -> Result<u32> {
    let mut first = 0;
    for maker in 0..MAKERS {
        let next = slab
            .header
            .pool(PoolId::Accounts)
            .next_index()
            .context("no free account")?;
        let mut address = [7; 32];
        address[..4].copy_from_slice(&maker.to_le_bytes());
        let mut escrow: Escrow = bytemuck::Zeroable::zeroed();
        escrow.trader = address;
        escrow.bound_account = next;
        escrow.bound_generation = slab.accounts[next].generation + 1;
        escrow.deposited_total_atoms = 1 << 50;
        slab.open_account(&address, &escrow, slot)?;
        slab.sync(next, &address, &escrow, slot)?;
        if maker == 0 {
            first = next;
        }
    }
    Ok(first)
}
