//! The Slab's account: header, pool directory and the two records that other
//! programs read, [`SlabAccount`] and [`Reservation`].
//!
//! ```text
//! | header 944 | places 80 | wheel of holds 2,048 | instruments 32 x 640 | accounts
//! | levels | orders | positions
//! | reservations | slices | trades | ledger | root pages |
//! ```
//! Everything after the header lies where the pool directory says. An index
//! into a pool is 1-based; 0 means none, so that zeroed memory is a valid,
//! empty slab and creating one never walks it.

use crate::router::Escrow;
use crate::{Key, Record, assert_layout, key_eq};
use bytemuck::{Pod, Zeroable};
use flagstone_units::{Ppm, Slot};

/// Largest data length of a Solana account: 10 MiB.
pub const SLAB_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// Instruments of a slab.
pub const INSTRUMENTS: usize = 32;

/// Accounts hashed into one leaf page of the published Merkle root.
pub const ROOT_PAGE_ACCOUNTS: u32 = 64;

/// The pools of a slab, in the order in which they lie in the account.
#[repr(usize)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolId {
    /// Instruments: parameters, mark and book heads.
    Instruments = 0,
    /// Trading accounts.
    Accounts = 1,
    /// Price levels of all books.
    Levels = 2,
    /// Resting and pending orders.
    Orders = 3,
    /// Positions.
    Positions = 4,
    /// Holds on resting quantity.
    Reservations = 5,
    /// Parts of holds, one per order touched.
    Slices = 6,
    /// Ring of the latest trades.
    Trades = 7,
    /// Aggressor ledger of the current batch.
    Ledger = 8,
    /// Merkle root under construction: page hashes, then leaves fixed early.
    RootPages = 9,
}

/// Number of pools.
pub const POOLS: usize = 10;

impl PoolId {
    /// Every pool in the order of the layout.
    pub const ALL: [Self; POOLS] = [
        Self::Instruments,
        Self::Accounts,
        Self::Levels,
        Self::Orders,
        Self::Positions,
        Self::Reservations,
        Self::Slices,
        Self::Trades,
        Self::Ledger,
        Self::RootPages,
    ];

    /// Name as printed by the layout command.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Instruments => "instruments",
            Self::Accounts => "accounts",
            Self::Levels => "levels",
            Self::Orders => "orders",
            Self::Positions => "positions",
            Self::Reservations => "reservations",
            Self::Slices => "slices",
            Self::Trades => "trades",
            Self::Ledger => "ledger",
            Self::RootPages => "root_pages",
        }
    }
}

/// Directory entry of one pool.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PoolHeader {
    /// First byte of the pool within the account.
    pub offset: u32,
    /// Items that fit.
    pub capacity: u32,
    /// Items ever handed out; items above it have never been touched.
    pub high_water: u32,
    /// Head of the list of freed items, 0 when empty.
    pub free_head: u32,
    /// Items in use.
    pub live: u32,
    /// Size of one item.
    pub item_bytes: u32,
}
assert_layout!(PoolHeader, 24);

impl PoolHeader {
    /// Index that the next allocation returns, or `None` when the pool is full.
    #[inline(always)]
    pub const fn next_index(&self) -> Option<u32> {
        if self.free_head != 0 {
            Some(self.free_head)
        } else if self.high_water < self.capacity {
            Some(self.high_water + 1)
        } else {
            None
        }
    }
}

/// A total that may outgrow one word: low word first.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct WideTotal {
    /// Low and high word.
    pub words: [u64; 2],
}

impl WideTotal {
    /// Adds `amount`; 2^128 is beyond every sum of 64-bit amounts that can occur.
    #[inline(always)]
    pub fn add(&mut self, amount: u64) {
        let (low, carry) = self.words[0].overflowing_add(amount);
        self.words = [low, self.words[1].wrapping_add(carry as u64)];
    }

    /// The total as one number.
    pub const fn get(self) -> u128 {
        self.words[0] as u128 | (self.words[1] as u128) << 64
    }
}

/// Where a pool lies: the part of the directory that never changes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Place {
    /// First byte of the pool within the account.
    pub offset: u32,
    /// Items that fit.
    pub capacity: u32,
}
assert_layout!(Place, 8);

/// Bytes of the places of all pools.
pub const PLACES_BYTES: usize = POOLS * size_of::<Place>();

/// Buckets of the wheel that live holds hang on, by expiry slot: more than the
/// longest life of a hold.
pub const HOLD_BUCKETS: usize = 512;

/// Bytes before the first pool: header, places of the pools, wheel of holds.
pub const HEAD_BYTES: usize = size_of::<SlabHeader>() + PLACES_BYTES + HOLD_BUCKETS * 4;
const _: () = assert!(HEAD_BYTES == 3072);

/// First 944 bytes of a slab. The [`Place`] of every pool follows, 80 bytes
/// that `initialize` writes once, so that the pools can be found without
/// touching what changes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SlabHeader {
    /// [`SlabHeader::DISCRIMINATOR`].
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// One of [`status`].
    pub status: u32,
    /// Bytes of the layout; the account is at least this long.
    pub layout_bytes: u64,
    /// The only program whose escrows and capabilities this slab honours.
    pub router_program: Key,
    /// Who may add instruments and set parameters.
    pub authority: Key,
    /// Quote mint; cash is counted in its atoms.
    pub quote_mint: Key,
    /// Next authority, proposed and not yet accepted.
    pub authority_pending: Key,
    /// Pool directory, indexed by [`PoolId`].
    pub pools: [PoolHeader; POOLS],
    /// Sequence number of the last event.
    pub event_seq: u64,
    /// Trades ever executed; the ring holds the latest.
    pub trades_total: u64,
    /// Atoms credited from escrows.
    pub deposits_total: WideTotal,
    /// Atoms charged by commits.
    pub debits_total: WideTotal,
    /// Atoms released to escrows.
    pub released_total: WideTotal,
    /// Atoms of bad debt covered from insurance.
    pub covered_total: WideTotal,
    /// Fees kept for the slab's LP, in atoms.
    pub fees_out_total: WideTotal,
    /// Fees due to insurance, in atoms.
    pub insurance_due_total: WideTotal,
    /// Least deposit that opens an account, in atoms.
    pub account_deposit_min_atoms: u64,
    /// Haircut index of the slab's profits: how often all of it was lost in the
    /// high word, parts per 2^32 lost since in the low word.
    pub haircut_index: u64,
    /// What the profits of all accounts, cash above principal, come to after
    /// every haircut, in atoms; never below what they really add up to.
    pub profit_total_atoms: u64,
    /// Collected by haircuts less what they paid for, in atoms. Negative until
    /// the accounts are touched.
    pub haircut_pool_atoms: i64,
    /// Recognised and unallocated deficit, in atoms; bars releases.
    pub deficit_atoms: u64,
    /// Funding paid less funding received so far, in atoms.
    pub funding_pool_atoms: i64,
    /// Slots of a batch; 0 while the slab runs none.
    pub batch_slots: u32,
    /// Share of the fees kept that goes to insurance.
    pub insurance_share: Ppm,
    /// Slots between proposing new terms and applying them.
    pub terms_delay_slots: u32,
    /// Next page of the Merkle root under construction, from 1; 0 while none is.
    pub root_page_next: u32,
    /// Last complete Merkle root.
    pub root: [u8; 32],
    /// Sum of the leaves' equity under that root, in atoms.
    pub root_sum_atoms: i64,
    /// The same, of the pages hashed so far of the root under construction.
    pub root_sum_next_atoms: i64,
    /// Slot that the last complete root describes.
    pub root_slot: Slot,
    /// Slot that the root under construction describes.
    pub root_slot_next: Slot,
    /// Leaves fixed early in the root under construction.
    pub root_leaves: u32,
    /// Open orders that one account may rest; the largest there is until an
    /// instruction sets it.
    pub orders_per_account_max: u32,
    /// Holds that expired before this slot have ended.
    pub wheel_slot: Slot,
    /// Roots completed so far.
    pub roots_total: u32,
    /// Next entry of the aggressor ledger to hand out, from 0.
    pub ledger_next: u32,
    /// Pages of the Merkle root under construction.
    pub root_pages_next: u32,
    /// Haircut index that the root under construction describes.
    pub root_haircut_index: u64,
    /// What the slab was given and had not kept for itself at the slot that the
    /// root under construction describes, in atoms.
    pub root_given_atoms: i64,
    /// What haircuts took beyond what they paid for, through rounding, in atoms;
    /// pays for the next deficit before any profit does.
    pub haircut_spare_atoms: u64,
    /// Slot from which batches have the length that they have now.
    pub batch_start: Slot,
    /// Number of the window that began then; numbers only ever grow.
    pub batch_base: u32,
    /// Reserved; zero.
    pub reserved: [u64; 33],
}
assert_layout!(SlabHeader, 944, version @ 8, router_program @ 24, pools @ 152, event_seq @ 392);

impl Record for SlabHeader {
    const DISCRIMINATOR: [u8; 8] = [0x5e, 0xcf, 0x7b, 0xfb, 0x97, 0x38, 0x5b, 0xd8];
    const VERSION: u32 = 1;
}

impl SlabHeader {
    /// Keeps the sum of profits when a profit changes. The account has seen
    /// every haircut, so the sum is not below `before`.
    #[inline(always)]
    pub const fn note_profit(&mut self, before: u64, after: u64) {
        if before != after {
            let others = self.profit_total_atoms.wrapping_sub(before);
            self.profit_total_atoms = others.wrapping_add(after);
        }
    }

    /// Most that the slab's profits can pay of a deficit, in atoms.
    #[inline(always)]
    pub const fn haircut_base_atoms(&self) -> u64 {
        self.profit_total_atoms
            .saturating_add(self.haircut_spare_atoms)
    }

    /// Directory entry of a pool.
    #[inline(always)]
    pub const fn pool(&self, id: PoolId) -> &PoolHeader {
        &self.pools[id as usize]
    }

    /// Number of the batch window that a slot lies in; `None` while the slab
    /// runs no batches.
    #[inline(always)]
    pub fn batch_window(&self, slot: Slot) -> Option<u32> {
        let passed = slot.saturating_sub(self.batch_start).0;
        let windows = passed.checked_div(self.batch_slots)?;
        Some(self.batch_base.saturating_add(windows))
    }
}

/// One trading account of a slab.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SlabAccount {
    /// Router escrow that this account is bound to; zero when free.
    pub escrow: Key,
    /// Session key that trades; owns nothing.
    pub trader: Key,
    /// Settled cash, in atoms. Negative only between a loss and its cover.
    pub cash_atoms: i64,
    /// Copy of `Escrow.deposited_total` up to which deposits are credited.
    pub deposited_seen_atoms: u64,
    /// Atoms charged to the escrow's capabilities by commits; only grows.
    pub debited_total_atoms: u64,
    /// Atoms released to the escrow; only grows.
    pub released_total_atoms: u64,
    /// Copy of the Router's covered total up to which cover is credited.
    pub covered_seen_atoms: u64,
    /// Haircut index at the last touch.
    pub haircut_index: u64,
    /// Cash locked as bonds of live holds, in atoms.
    pub bond_atoms: u64,
    /// Slot at which the profit was made, weighted by amount.
    pub warmup_slot: Slot,
    /// Serial number of the last ticket of the Router that was used, of either kind.
    pub ticket_nonce: u32,
    /// First position, 0 when none. Next free account while this one is free.
    pub positions_head: u32,
    /// First resting order, 0 when none.
    pub orders_head: u32,
    /// Resting orders.
    pub orders_count: u16,
    /// Live holds.
    pub holds_count: u16,
    /// Positions with lots or open orders.
    pub positions_count: u16,
    /// Bits of [`account_flags`].
    pub flags: u16,
    /// Grows every time the slot is handed out; 0 is never valid.
    pub generation: u32,
    /// Slot after which anyone may cancel this account's orders; 0 is off.
    pub dead_man_slot: Slot,
    /// Lots closed under the current ticket.
    pub ticket_lots_used: u32,
    /// Slot of the last change, for leaf hashing.
    pub touched_slot: Slot,
    /// What came in, or matured, and neither left nor was lost, in atoms; cash
    /// above it is profit that has to mature.
    pub principal_atoms: u64,
}
assert_layout!(SlabAccount, 168, trader @ 32, cash_atoms @ 64, debited_total_atoms @ 80, generation @ 144);

/// Generation that a slot of a pool is handed out with next; 0 is never valid.
#[inline(always)]
pub const fn next_generation(generation: u32) -> u32 {
    match generation.wrapping_add(1) {
        0 => 1,
        next => next,
    }
}

impl SlabAccount {
    /// Cash above principal, in atoms: what a haircut may cut.
    #[inline(always)]
    pub const fn profit_atoms(&self) -> u64 {
        if self.cash_atoms > 0 {
            (self.cash_atoms as u64).saturating_sub(self.principal_atoms)
        } else {
            0
        }
    }

    /// What the account owes beyond what it has, in atoms.
    #[inline(always)]
    pub const fn debt_atoms(&self) -> u64 {
        if self.cash_atoms < 0 {
            self.cash_atoms.unsigned_abs()
        } else {
            0
        }
    }

    /// Whether its negative cash is part of the recognised deficit.
    #[inline(always)]
    pub const fn is_bankrupt(&self) -> bool {
        self.flags & account_flags::BANKRUPT != 0
    }

    /// Whether this account, at `index`, and the escrow at `key` name each other.
    #[inline(always)]
    pub fn is_bound(&self, index: u32, key: &Key, escrow: &Escrow) -> bool {
        escrow.bound_account == index
            && escrow.bound_generation == self.generation
            && key_eq(&self.escrow, key)
    }

    /// Whether the account holds nothing and owes nothing.
    pub const fn is_empty(&self) -> bool {
        self.cash_atoms == 0
            && self.bond_atoms == 0
            && self.positions_count == 0
            && self.orders_count == 0
            && self.holds_count == 0
            && self.flags & account_flags::BANKRUPT == 0
    }

    /// Whether nothing is on its way between this account and its escrow:
    /// all counters are equal and no capability waits for its refund.
    pub fn is_settled_with(&self, escrow: &Escrow) -> bool {
        self.deposited_seen_atoms == escrow.deposited_total_atoms
            && self.debited_total_atoms == escrow.debited_seen_atoms
            && self.released_total_atoms == escrow.released_seen_atoms
            && self.covered_seen_atoms == escrow.covered_total_atoms
            && escrow.balance_atoms == 0
            && !escrow.has_live_cap()
    }
}

/// Values of [`SlabHeader::status`] and of an instrument's status. None bars
/// cancelling, reducing, syncing, releasing, liquidating or publishing a root.
pub mod status {
    /// No such instrument; of a header: trading.
    pub const NONE: u32 = 0;
    /// Trading.
    pub const ACTIVE: u32 = 1;
    /// Positions may only be reduced.
    pub const REDUCE_ONLY: u32 = 2;
}

/// Bits of [`SlabAccount::flags`]. The nine high bits number the leaf that was
/// fixed early for the root under construction, 0 for none.
pub mod account_flags {
    /// The account is open.
    pub const OPEN: u16 = 1;
    /// Designated liquidity provider: orders are live at once.
    pub const DLP: u16 = 2;
    /// The Router froze the escrow: only reductions are allowed.
    pub const FROZEN: u16 = 4;
    /// Closed and waiting for the Router to unbind its escrow.
    pub const CLOSED: u16 = 8;
    /// Its negative cash is part of the recognised deficit.
    pub const BANKRUPT: u16 = 16;
    /// Lowest bit of the number of the leaf that was fixed early.
    pub const LEAF_SHIFT: u16 = 7;
    /// Bits of the number of the leaf that was fixed early.
    pub const LEAF: u16 = !((1 << LEAF_SHIFT) - 1);
}

/// A hold on resting quantity: made by reserve, consumed by commit.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Reservation {
    /// Route that this hold is a leg of, chosen by the client.
    pub route_id: u64,
    /// Notional at the captured prices, in atoms.
    pub notional_atoms: u64,
    /// Most that commit may charge, in atoms.
    pub max_charge_atoms: u64,
    /// Bond locked for the hold, in atoms.
    pub bond_atoms: u64,
    /// Account's debited total after commit: the Router has booked this hold
    /// once it has seen that much. While held: the neighbours on the wheel.
    pub debited_after_atoms: u64,
    /// Commitment to the hidden terms; after commit, a [`HoldResult`].
    pub commitment: [u8; 32],
    /// Grows every time the slot is handed out; 0 is never valid.
    pub generation: u32,
    /// Account that reserved.
    pub account: u16,
    /// Instrument.
    pub instrument: u8,
    /// Side (bit 0) and one of [`hold_state`].
    pub side_state: u8,
    /// Lots held.
    pub lots: u32,
    /// Least lots that commit must fill; after commit, the lots filled.
    pub filled_lots: u32,
    /// First slice. Next free reservation while this one is free.
    pub slices_head: u32,
    /// Worst captured price.
    pub worst_ticks: u32,
    /// Mark at reserve, for the kill band.
    pub mark_ticks: u32,
    /// Slot of reserve.
    pub slot: Slot,
    /// Last slot in which commit is legal.
    pub expiry_slot: Slot,
    /// Low word of the event sequence number at reserve.
    pub event_seq: u32,
}
assert_layout!(Reservation, 112, generation @ 72);

impl Reservation {
    /// Whether the hold can be committed, cancelled or expired.
    #[inline(always)]
    pub const fn is_held(&self) -> bool {
        self.side_state & !1 == hold_state::HELD
    }

    /// Whether the hold was committed and carries its result.
    #[inline(always)]
    pub const fn is_committed(&self) -> bool {
        self.side_state & !1 == hold_state::COMMITTED
    }

    /// The result of a committed hold.
    #[inline(always)]
    pub fn result(&self) -> Option<HoldResult> {
        self.is_committed()
            .then(|| bytemuck::pod_read_unaligned(&self.commitment))
    }
}

/// Values of [`Reservation::side_state`] above the side.
pub mod hold_state {
    /// Quantity is locked.
    pub const HELD: u8 = 2;
    /// Traded; the record waits for the Router.
    pub const COMMITTED: u8 = 4;
}

/// What a commit did, left in the hold for the Router.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct HoldResult {
    /// Charged to the capability, in atoms.
    pub charge_atoms: u64,
    /// Value traded, in atoms.
    pub notional_atoms: u64,
    /// Fee of the taker, in atoms.
    pub fee_atoms: i64,
    /// Reserved; zero.
    pub reserved: u64,
}
assert_layout!(HoldResult, 32);

/// One item of a pool in the bytes of a slab, for readers of other programs.
///
/// `None` when the bytes are no slab or the index is 0 or beyond the pool.
#[inline(always)]
pub fn item_at<T: Pod>(data: &[u8], pool: PoolId, index: u32) -> Option<&T> {
    let header = SlabHeader::read(data)?;
    let pool = header.pool(pool);
    if index == 0 || index > pool.capacity || pool.item_bytes as usize != size_of::<T>() {
        return None;
    }
    let start = pool.offset as usize + (index as usize - 1) * size_of::<T>();
    bytemuck::try_from_bytes(data.get(start..start.checked_add(size_of::<T>())?)?).ok()
}
