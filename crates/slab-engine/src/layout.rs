//! Item layouts, capacities and where each pool lies.
//!
//! Layouts are final: fields of later parts of the engine (reservations,
//! batches, liquidation) have their place already, so that a slab created
//! today never has to move.

use crate::{Result, SlabError};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::assert_layout;
use flagstone_interface::slab::{
    HEAD_BYTES, INSTRUMENTS, POOLS, PoolHeader, PoolId, Reservation, SLAB_BYTES_MAX, SlabAccount,
};
use flagstone_units::{Lots, Ppm, Side, SignedLots, SignedPpm, Slot, Ticks};

/// Heads of one side of a book. Links are 1-based; 0 is none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct BookSide {
    /// Root of the level tree, as a tagged link of [`crate::levels`].
    pub root: u32,
    /// Best level.
    pub best: u32,
    /// Levels in the tree.
    pub levels: u32,
    /// Resting orders.
    pub orders: u32,
}
assert_layout!(BookSide, 16);

/// Parameters, mark and book heads of one instrument.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Instrument {
    /// Number of the underlying in the registry.
    pub underlying_id: u64,
    /// Ticker, padded with zeroes.
    pub symbol: [u8; 16],
    /// 0 unused, 1 active.
    pub status: u32,
    /// Value of one tick on one lot, in quote atoms.
    pub atoms_per_tick: u32,
    /// Largest price.
    pub price_max: Ticks,
    /// Smallest order; smaller remainders are cancelled.
    pub order_lots_min: Lots,
    /// Largest order.
    pub order_lots_max: Lots,
    /// Largest position, worst-case open orders included.
    pub position_lots_max: Lots,
    /// Initial margin ratio.
    pub imr: Ppm,
    /// Maintenance margin ratio.
    pub mmr: Ppm,
    /// Fee of the taker on notional.
    pub taker_fee: SignedPpm,
    /// Fee of the maker on notional; negative is a rebate.
    pub maker_fee: SignedPpm,
    /// Prices further than this from the mark neither rest nor trade.
    pub band: Ppm,
    /// Most that the mark moves in one slot.
    pub mark_move_max: Ticks,
    /// Slots that an order must have rested to count for the mark.
    pub mark_age: Slot,
    /// Counted lots at which a side has a price for the mark.
    pub mark_lots_min: Lots,
    /// Mark price.
    pub mark: Ticks,
    /// Slot of the last look at the book for the mark.
    pub mark_slot: Slot,
    /// Bids and asks.
    pub books: [BookSide; 2],
    /// Heads and tails of the pending queues, per side.
    pub pending: [[u32; 2]; 2],
    /// Sum of the long positions, in lots.
    pub open_interest_lots: u64,
    /// Cumulative funding per lot, in atoms scaled by 2^16.
    pub funding_index: i64,
    /// Premium accumulated in the running funding interval.
    pub premium_sum: i64,
    /// Slots that the premium sum weighs.
    pub premium_slots: u32,
    /// Slot of the last funding accrual.
    pub funding_slot: Slot,
    /// Kill band between reserve and commit.
    pub kill_band: Ppm,
    /// Contra levels frozen while a batch runs.
    pub freeze_levels: u32,
    /// End of the freeze.
    pub freeze_until: Slot,
    /// Batch in which the book last changed.
    pub batch_epoch: u32,
    /// Fee on a hold per slot, on notional.
    pub hold_fee: Ppm,
    /// Tax on aggressor round trips, on overlap profit.
    pub round_trip_tax: Ppm,
    /// Oracle account.
    pub oracle: [u8; 32],
    /// Slot in which both sides last had a price for the mark.
    pub mark_moved: Slot,
    /// Reserved; zero.
    pub padding: u32,
    /// Reserved; zero.
    pub reserved: [u64; 35],
}
assert_layout!(Instrument, 512);

/// A price level: a queue of orders and, embedded, one inner node of the tree.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Level {
    /// Price.
    pub ticks: Ticks,
    /// Oldest order. Next free level while this one is free.
    pub head: u32,
    /// Quantity that rests here.
    pub lots: Lots,
    /// Embedded inner node: links for a 0 bit and a 1 bit.
    pub child: [u32; 2],
    /// Next worse level, 0 at the end.
    pub next: u32,
    /// Next better level, 0 at the touch.
    pub prev: u32,
    /// Embedded inner node: the bit it decides on; 0xff when it hosts none.
    pub bit: u8,
    /// Side of the book.
    pub side: u8,
    /// Instrument.
    pub instrument: u8,
    /// Reserved; zero.
    pub padding: u8,
}
assert_layout!(Level, 32);

/// An order: resting at a level, or pending until the next batch.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Order {
    /// Level that it rests at; 0 while pending.
    pub level: u32,
    /// Younger order at the level. Next free order while this one is free.
    pub next: u32,
    /// Older order at the level; the head's is the tail.
    pub prev: u32,
    /// Account that owns it.
    pub account: u16,
    /// Instrument.
    pub instrument: u8,
    /// Side (bit 0) and [`order_flags`]; 0 flags while free.
    pub side_flags: u8,
    /// Grows every time the slot is handed out; 0 is never valid.
    pub generation: u32,
    /// Quantity left.
    pub lots: Lots,
    /// Part of it that holds have reserved.
    pub reserved_lots: Lots,
    /// Next order of the account.
    pub next_in_account: u32,
    /// Previous order of the account.
    pub prev_in_account: u32,
    /// Position of the owner in the instrument.
    pub position: u32,
    /// Last slot in which it may trade; 0 is never.
    pub expiry: Slot,
    /// Slot in which it came to rest.
    pub slot: Slot,
    /// The client's own number.
    pub client_id: u64,
    /// Price.
    pub ticks: Ticks,
    /// Batch in which a pending order goes live.
    pub batch_epoch: u32,
}
assert_layout!(Order, 64);

/// Bits of [`Order::side_flags`] above the side.
pub mod order_flags {
    /// The slot holds an order.
    pub const LIVE: u8 = 2;
    /// The order waits for the next batch.
    pub const PENDING: u8 = 4;
    /// The order may only reduce a position.
    pub const REDUCE_ONLY: u8 = 8;
    /// Its owner cancelled it while reserved: it leaves when its holds end.
    pub const CLOSING: u8 = 16;
}

impl Order {
    /// Side of the order.
    #[inline(always)]
    pub const fn side(&self) -> Side {
        if self.side_flags & 1 == 0 {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    /// Whether the slot holds an order.
    #[inline(always)]
    pub const fn is_live(&self) -> bool {
        self.side_flags & order_flags::LIVE != 0
    }

    /// Whether the order may no longer trade in `slot`.
    #[inline(always)]
    pub const fn is_expired(&self, slot: Slot) -> bool {
        self.expiry.0 != 0 && self.expiry.0 < slot.0
    }
}

/// A position, and the open orders that could change it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Position {
    /// Account that holds it.
    pub account: u16,
    /// Instrument.
    pub instrument: u8,
    /// 1 while in use.
    pub used: u8,
    /// Contracts; long is positive.
    pub lots: SignedLots,
    /// What the contracts cost, in atoms: positive when long, negative when short.
    pub cost_atoms: i64,
    /// Instrument's funding index at the last settlement.
    pub funding_index: i64,
    /// Lots of resting bids.
    pub open_bid_lots: Lots,
    /// Lots of resting asks.
    pub open_ask_lots: Lots,
    /// Next position of the account. Next free position while this one is free.
    pub next_in_account: u32,
    /// Entry of the aggressor ledger, 0 when none.
    pub aggressor: u32,
}
assert_layout!(Position, 40);

/// Part of a hold: a quantity of one order at a captured price.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Slice {
    /// Order; it cannot leave while reserved.
    pub order: u32,
    /// Captured price.
    pub ticks: Ticks,
    /// Captured quantity.
    pub lots: Lots,
    /// Next slice of the hold. Next free slice while this one is free.
    pub next: u32,
}
assert_layout!(Slice, 16);

/// One entry of the ring of trades.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Trade {
    /// Number of the trade, from 1.
    pub number: u64,
    /// Slot.
    pub slot: Slot,
    /// Price.
    pub ticks: Ticks,
    /// Quantity.
    pub lots: Lots,
    /// Account of the maker.
    pub maker: u16,
    /// Account of the taker.
    pub taker: u16,
    /// Order of the maker.
    pub order: u32,
    /// Instrument.
    pub instrument: u8,
    /// Side of the taker.
    pub side: u8,
    /// Reserved; zero.
    pub padding: u16,
    /// Slot from which the print is public.
    pub reveal_slot: Slot,
    /// First bytes of the commitment that it reveals.
    pub commitment: u32,
}
assert_layout!(Trade, 40);

/// Aggressive trading of one position within the current batch.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct LedgerEntry {
    /// Batch; an entry of an earlier batch counts as empty.
    pub batch_epoch: u32,
    /// Position. Next free entry while this one is free.
    pub position: u32,
    /// Lots bought.
    pub buy_lots: u32,
    /// Lots sold.
    pub sell_lots: u32,
    /// Atoms paid.
    pub buy_atoms: u64,
    /// Atoms received.
    pub sell_atoms: u64,
    /// Tax charged so far, in atoms.
    pub tax_atoms: u64,
    /// Reserved; zero.
    pub reserved: u64,
}
assert_layout!(LedgerEntry, 48);

/// Hash of one page of accounts.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct RootPage {
    /// Hash over the page's leaves.
    pub hash: [u8; 32],
}
assert_layout!(RootPage, 32);

/// Size of one item of a pool, in bytes.
pub const fn item_bytes(pool: PoolId) -> u32 {
    (match pool {
        PoolId::Instruments => size_of::<Instrument>(),
        PoolId::Accounts => size_of::<SlabAccount>(),
        PoolId::Levels => size_of::<Level>(),
        PoolId::Orders => size_of::<Order>(),
        PoolId::Positions => size_of::<Position>(),
        PoolId::Reservations => size_of::<Reservation>(),
        PoolId::Slices => size_of::<Slice>(),
        PoolId::Trades => size_of::<Trade>(),
        PoolId::Ledger => size_of::<LedgerEntry>(),
        PoolId::RootPages => size_of::<RootPage>(),
    }) as u32
}

/// How many items each pool holds, indexed by [`PoolId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacities {
    /// Items per pool.
    pub items: [u32; POOLS],
}

/// Presets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlabSize {
    /// 256 KiB, for development and tests.
    Dev,
    /// 1 MiB.
    Small,
    /// 10 MiB, the largest account that Solana has.
    Full,
}

impl SlabSize {
    /// Capacities of the preset.
    pub const fn capacities(self) -> Capacities {
        let instruments = INSTRUMENTS as u32;
        let items = match self {
            Self::Dev => [4, 128, 256, 1_024, 1_024, 128, 512, 256, 64, 4],
            Self::Small => [8, 1_000, 1_600, 5_500, 5_500, 600, 2_400, 1_000, 400, 16],
            Self::Full => [
                instruments,
                10_000,
                16_384,
                60_000,
                60_000,
                8_000,
                32_000,
                10_000,
                4_096,
                160,
            ],
        };
        Capacities { items }
    }

    /// Data length of the account.
    pub const fn account_bytes(self) -> u64 {
        match self {
            Self::Dev => 256 * 1024,
            Self::Small => 1024 * 1024,
            Self::Full => SLAB_BYTES_MAX,
        }
    }
}

impl Capacities {
    /// Bytes from the start of the account to the end of the last pool.
    pub const fn layout_bytes(&self) -> u64 {
        let mut bytes = HEAD_BYTES as u64;
        let mut at = 0;
        while at < POOLS {
            bytes += self.items[at] as u64 * item_bytes(PoolId::ALL[at]) as u64;
            at += 1;
        }
        bytes
    }

    /// The pool directory of an empty slab.
    ///
    /// # Errors
    /// [`SlabError::BadCapacities`] when a pool is empty, is larger than its
    /// index type allows, or the layout exceeds `account_bytes` or 10 MiB.
    pub fn directory(&self, account_bytes: u64) -> Result<[PoolHeader; POOLS]> {
        let mut directory = [PoolHeader::default(); POOLS];
        let mut offset = HEAD_BYTES as u64;
        for ((entry, pool), capacity) in directory.iter_mut().zip(PoolId::ALL).zip(self.items) {
            let most = match pool {
                PoolId::Instruments => INSTRUMENTS as u32,
                PoolId::Accounts => u16::MAX as u32,
                _ => 1 << 24,
            };
            if capacity == 0 || capacity > most {
                return Err(SlabError::BadCapacities);
            }
            let item_bytes = item_bytes(pool);
            *entry = PoolHeader {
                offset: offset as u32,
                capacity,
                item_bytes,
                ..*entry
            };
            offset += u64::from(capacity) * u64::from(item_bytes);
        }
        if offset > account_bytes || offset > SLAB_BYTES_MAX {
            return Err(SlabError::BadCapacities);
        }
        Ok(directory)
    }
}

// The plan's pools fit one 10 MiB account, and every preset fits its own.
const _: () = assert!(SlabSize::Full.capacities().layout_bytes() <= SLAB_BYTES_MAX);
const _: () = assert!(SlabSize::Small.capacities().layout_bytes() <= 1024 * 1024);
const _: () = assert!(SlabSize::Dev.capacities().layout_bytes() <= 256 * 1024);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pfm3_the_plans_pools_fit_ten_mebibytes() {
        let full = SlabSize::Full.capacities();
        assert_eq!(
            full.items,
            [
                32, 10_000, 16_384, 60_000, 60_000, 8_000, 32_000, 10_000, 4_096, 160
            ]
        );
        assert!(full.layout_bytes() <= 10_485_760, "{}", full.layout_bytes());
    }

    #[test]
    fn directories_do_not_overlap_and_bad_capacities_are_refused() {
        for size in [SlabSize::Dev, SlabSize::Small, SlabSize::Full] {
            let capacities = size.capacities();
            let directory = capacities.directory(size.account_bytes()).unwrap();
            let mut end = HEAD_BYTES as u32;
            for entry in directory {
                assert_eq!(entry.offset, end);
                assert_eq!(entry.offset % 8, 0);
                end += entry.capacity * entry.item_bytes;
            }
            assert_eq!(u64::from(end), capacities.layout_bytes());
            let short = capacities.directory(capacities.layout_bytes() - 1);
            assert_eq!(short, Err(SlabError::BadCapacities));
        }
        let mut none = SlabSize::Dev.capacities();
        none.items[3] = 0;
        assert_eq!(
            none.directory(SLAB_BYTES_MAX),
            Err(SlabError::BadCapacities)
        );
        let mut huge = SlabSize::Dev.capacities();
        huge.items[1] = 70_000;
        assert_eq!(
            huge.directory(SLAB_BYTES_MAX),
            Err(SlabError::BadCapacities)
        );
    }
}
