//! Item layouts.
//!
//! Layouts are final: fields of later parts of the engine (reservations,
//! batches, liquidation) have their place already, so that a slab created
//! today never has to move.

use bytemuck::{Pod, Zeroable};
use flagstone_interface::assert_layout;
use flagstone_interface::slab::{PoolId, Reservation, SlabAccount};
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

/// Bits of [`Rules::switches`].
pub mod switches {
    /// Orders of accounts that are no designated liquidity providers wait for
    /// the next batch before they rest.
    pub const PENDING: u32 = 1;
    /// Designated liquidity providers earn no rebate on orders posted since the
    /// batch opened.
    pub const JIT_PENALTY: u32 = 2;
}

/// Terms of an instrument beyond price, size, margin and fees. All zero is an
/// instrument that is marked by its own book, without funding, batches or
/// liquidation: for tests, not for money.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Rules {
    /// Age at which the oracle's price is stale.
    pub oracle_age_max: Slot,
    /// Largest confidence interval of the oracle, on its price.
    pub oracle_confidence_max: Ppm,
    /// Furthest that the mark lies from the oracle's price.
    pub premium_max: Ppm,
    /// Slots over which the mark averages the book's premium.
    pub premium_slots: Slot,
    /// Slots of a funding interval; 0 is no funding.
    pub funding_slots: Slot,
    /// Largest funding of one interval, on the mark.
    pub funding_max: Ppm,
    /// Furthest that the shared funding rate may lie from the slab's own.
    pub funding_spread_max: Ppm,
    /// Bits of [`switches`].
    pub switches: u32,
    /// Levels of each side that a batch freezes against newcomers.
    pub freeze_levels: u32,
    /// Slots for which it does.
    pub freeze_slots: Slot,
    /// Tax on the profit of an aggressor's round trip within a batch.
    pub round_trip_tax: Ppm,
    /// Slots after which a print counts as public.
    pub reveal_slots: Slot,
    /// Smallest hold.
    pub hold_lots_min: Lots,
    /// Part of a side that holds which outlive their slot may cover; 0 is all.
    pub hold_share_max: Ppm,
    /// Fee of a liquidation on notional; 0 bars liquidation.
    pub liquidation_fee: Ppm,
    /// Keeper's part of the liquidation fee.
    pub keeper_share: Ppm,
    /// Half width of the band of a liquidation when its ticket is new.
    pub liquidation_band_min: Ppm,
    /// The same when its ticket is about to expire.
    pub liquidation_band_max: Ppm,
}
assert_layout!(Rules, 72);

/// All terms of an instrument that can change, as proposed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Terms {
    /// Smallest order.
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
    /// Half width of the price band around the mark.
    pub band: Ppm,
    /// Most that the mark moves in one slot.
    pub mark_move_max: Ticks,
    /// Slots that an order must have rested to count for the mark.
    pub mark_age: Slot,
    /// Counted lots at which a side has a price for the mark.
    pub mark_lots_min: Lots,
    /// Most that the mark may move between reserve and commit.
    pub kill_band: Ppm,
    /// Fee on a hold per slot that it stands, on notional.
    pub hold_fee: Ppm,
    /// Everything else.
    pub rules: Rules,
}
assert_layout!(Terms, 124);

/// Parameters, mark and book heads of one instrument.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Instrument {
    /// Number of the underlying in the registry.
    pub underlying_id: u64,
    /// Ticker, padded with zeroes.
    pub symbol: [u8; 16],
    /// One of [`flagstone_interface::slab::status`].
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
    /// Sum of the long positions, in lots.
    pub open_interest_lots: u64,
    /// Cumulative funding per lot, in atoms scaled by 2^16.
    pub funding_index: i64,
    /// Funding index at the start of the running interval.
    pub funding_base: i64,
    /// Funding per lot of the running interval, in atoms scaled by 2^16.
    pub funding_rate: i64,
    /// Premium of the book over the index, summed over slots of the running
    /// interval, in ticks.
    pub premium_sum: i64,
    /// Slots that the premium sum weighs.
    pub premium_weight: u32,
    /// Start of the running funding interval.
    pub funding_start: Slot,
    /// Average premium of the book over the index, in ticks scaled by 2^16.
    pub premium_average: i64,
    /// Kill band between reserve and commit.
    pub kill_band: Ppm,
    /// Fee on a hold per slot, on notional.
    pub hold_fee: Ppm,
    /// Oldest and youngest pending order, 0 when none.
    pub pending: [u32; 2],
    /// Number of the batch that is open: its slot over the slots of a batch.
    pub batch_epoch: u32,
    /// Slot in which it opened.
    pub batch_slot: Slot,
    /// Last slot of the freeze.
    pub freeze_until: Slot,
    /// Worst frozen price of each side; 0 when none is.
    pub freeze_ticks: [Ticks; 2],
    /// Pending orders.
    pub pending_count: u32,
    /// Lots that rest, per side.
    pub resting_lots: [u64; 2],
    /// Lots under holds that outlive their slot, by side of the book.
    pub held_lots: [u64; 2],
    /// Oracle account; zero when the book makes the mark.
    pub oracle: [u8; 32],
    /// Feed that the oracle account has to carry.
    pub oracle_feed: [u8; 32],
    /// Ticks per unit of the oracle's price, in millionths.
    pub oracle_scale: u64,
    /// Publish time of the last price taken, in unix seconds.
    pub index_time: i64,
    /// Last price of the oracle.
    pub index: Ticks,
    /// Slot in which it was posted.
    pub index_slot: Slot,
    /// Last slot in which the mark is fresh.
    pub fresh_until: Slot,
    /// Slot in which both sides last had a price for the mark.
    pub mark_moved: Slot,
    /// Rules in force.
    pub rules: Rules,
    /// Slot from which proposed terms may be applied; 0 when none are.
    pub proposed_slot: Slot,
    /// Proposed terms.
    pub proposed: Terms,
    /// Funding index that the root under construction describes.
    pub root_funding_index: i64,
    /// Mark that the root under construction describes.
    pub root_mark: Ticks,
    /// Slot up to which funding has accrued.
    pub funding_slot: Slot,
    /// Shared funding of one interval on the mark, as the Router published it.
    pub grid_rate: SignedPpm,
    /// Slot in which the Router computed it; 0 when there is none.
    pub grid_slot: Slot,
    /// Premium sum of the interval before the running one, in ticks.
    pub premium_before: i64,
    /// Slots that it weighs.
    pub premium_before_weight: u32,
    /// Reserved; zero.
    pub padding2: u32,
    /// Reserved; zero.
    pub reserved: [u64; 7],
}
assert_layout!(Instrument, 640);

impl Instrument {
    /// Whether an oracle, not the book, makes the mark.
    #[inline(always)]
    pub const fn has_oracle(&self) -> bool {
        self.oracle_scale != 0
    }

    /// Whether a rule of [`switches`] is on.
    #[inline(always)]
    pub const fn has(&self, switch: u32) -> bool {
        self.rules.switches & switch != 0
    }
}

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
    /// Pending: first batch in which it may rest. Resting: batch that was open
    /// when it was posted.
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

    /// Whether the order waits for a batch.
    #[inline(always)]
    pub const fn is_pending(&self) -> bool {
        self.side_flags & order_flags::PENDING != 0
    }

    /// Whether the order may only reduce a position.
    #[inline(always)]
    pub const fn is_reduce_only(&self) -> bool {
        self.side_flags & order_flags::REDUCE_ONLY != 0
    }

    /// Lots that no hold has reserved.
    #[inline(always)]
    pub const fn free_lots(&self) -> u32 {
        self.lots.0 - self.reserved_lots.0
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
    /// Batch window in which it was last used; one of an earlier window counts
    /// as empty, but for the slot after its latest aggression.
    pub batch_epoch: u32,
    /// Position that uses it, or did.
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
    /// Slot of the latest aggression.
    pub slot: Slot,
    /// Whom it is about, beyond the life of the position: account (high half),
    /// low byte of its generation, instrument (low byte).
    pub owner: u32,
}
assert_layout!(LedgerEntry, 48);

/// Hash of one page of accounts, or of one leaf that was fixed early.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct RootPage {
    /// The hash.
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
