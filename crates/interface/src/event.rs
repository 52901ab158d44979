//! Events, in borsh layout.
//!
//! An event is a tag byte and then its fields in little-endian order without
//! padding, which is also their borsh encoding. One or more of them, one after
//! the other, are written with `sol_log_data` as one byte string. Every event carries the slab's sequence number; a gap tells
//! a reader that a record was cut from the log and has to be healed from the
//! account. The slot is the one of the transaction and is not repeated.

use crate::Key;
use bytemuck::{Pod, Zeroable};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $tag:literal { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[repr(C, packed)]
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
            pub struct $name {
                /// Kind of event.
                pub tag: u8,
                /// Sequence number within the slab, from 1.
                pub seq: u64,
                $($(#[$fdoc])* pub $field: $type,)*
            }

            impl $name {
                /// Kind of event.
                pub const TAG: u8 = $tag;
            }
        )*
    };
}

events! {
    /// A slab was created.
    SlabInitialized = 1 {
        /// Who may administer it.
        authority: Key,
    }
    /// An instrument was added.
    InstrumentAdded = 2 {
        /// Instrument number.
        instrument: u8,
        /// Mark that it starts from, in ticks.
        mark_ticks: u32,
        /// Value of one tick on one lot, in quote atoms.
        atoms_per_tick: u32,
    }
    /// An account was opened.
    AccountOpened = 3 {
        /// Account index.
        account: u16,
        /// Generation of that index.
        generation: u32,
        /// Escrow that it is bound to.
        escrow: Key,
        /// Session key that trades.
        trader: Key,
    }
    /// Deposits or cover were credited, and the escrow's session key and freeze
    /// copied.
    AccountSynced = 4 {
        /// Account index.
        account: u16,
        /// Deposits credited now, in atoms.
        credited_atoms: u64,
        /// Insurance credited now, in atoms.
        covered_atoms: u64,
        /// Cash afterwards, in atoms.
        cash_atoms: i64,
        /// Session key that trades from now on.
        trader: Key,
        /// 1 while the Router has frozen the escrow, else 0.
        frozen: u8,
    }
    /// An order came to rest.
    OrderPlaced = 5 {
        /// Instrument number.
        instrument: u8,
        /// 0 bid, 1 ask.
        side: u8,
        /// Account index.
        account: u16,
        /// Order index.
        order: u32,
        /// Generation of that index.
        generation: u32,
        /// Price.
        ticks: u32,
        /// Quantity that rests.
        lots: u32,
        /// Last slot in which it may trade; 0 is never.
        expiry_slot: u32,
        /// The client's own number.
        client_id: u64,
        /// 1 when it may only reduce its owner's position, else 0.
        reduce_only: u8,
    }
    /// A resting order left the book without a trade.
    OrderCancelled = 6 {
        /// Instrument number.
        instrument: u8,
        /// 0 bid, 1 ask.
        side: u8,
        /// Account index.
        account: u16,
        /// Order index.
        order: u32,
        /// Generation of that index.
        generation: u32,
        /// Quantity that rested.
        lots: u32,
        /// One of [`cancel_reason`].
        reason: u8,
    }
}

events! {
    /// A hold ended without a trade.
    HoldEnded = 9 {
        /// Account that held.
        account: u16,
        /// Hold index.
        hold: u32,
        /// Generation of that index.
        generation: u32,
        /// Fee that the hold paid, in atoms.
        fee_atoms: u64,
    }
    /// The record of a committed hold was freed.
    HoldFreed = 10 {
        /// Hold index.
        hold: u32,
    }
    /// A resting order lost lots and kept its place.
    OrderReduced = 12 {
        /// Account index.
        account: u16,
        /// Order index.
        order: u32,
        /// Generation of that index.
        generation: u32,
        /// Lots taken off.
        lots: u32,
    }
    /// An order waits for a batch.
    OrderPending = 13 {
        /// Instrument number.
        instrument: u8,
        /// 0 bid, 1 ask.
        side: u8,
        /// Account index.
        account: u16,
        /// Order index.
        order: u32,
        /// Generation of that index.
        generation: u32,
        /// Price.
        ticks: u32,
        /// Quantity.
        lots: u32,
        /// Last slot in which it may trade; 0 is never.
        expiry_slot: u32,
        /// The client's own number.
        client_id: u64,
        /// First batch in which it may rest.
        batch_epoch: u32,
        /// 1 when it may only reduce its owner's position, else 0.
        reduce_only: u8,
    }
    /// A pending order came to rest.
    OrderPromoted = 14 {
        /// Order index.
        order: u32,
        /// Generation of that index.
        generation: u32,
        /// Price that it rests at: its own, or the nearest that does not cross.
        ticks: u32,
    }
    /// A batch opened, or went on promoting.
    BatchOpened = 15 {
        /// Instrument number.
        instrument: u8,
        /// Number of the batch.
        batch_epoch: u32,
        /// Orders that still wait.
        pending_count: u32,
    }
    /// The oracle's price was taken.
    MarkUpdated = 16 {
        /// Instrument number.
        instrument: u8,
        /// Price of the oracle, in ticks.
        index_ticks: u32,
        /// Mark afterwards, in ticks.
        mark_ticks: u32,
    }
    /// A funding interval began.
    FundingUpdated = 17 {
        /// Instrument number.
        instrument: u8,
        /// Funding per lot of the interval, in atoms scaled by 2^16.
        funding_rate: i64,
        /// Cumulative funding per lot at its start, in the same unit.
        funding_index: i64,
    }
    /// An account was liquidated in part; the trade event before it has the fills.
    Liquidated = 18 {
        /// Account index.
        account: u16,
        /// Instrument number.
        instrument: u8,
        /// Serial number of the ticket.
        nonce: u32,
        /// Lots closed.
        lots: u32,
        /// Fee collected, in atoms.
        fee_atoms: u64,
        /// Part of it credited to the keeper, in atoms.
        reward_atoms: u64,
        /// Cash afterwards, in atoms.
        cash_atoms: i64,
    }
    /// A bankrupt position was closed against an opposite one.
    Deleveraged = 19 {
        /// Instrument number.
        instrument: u8,
        /// Account of the bankrupt.
        account: u16,
        /// Account of the opposite position.
        counter: u16,
        /// Lots closed.
        lots: u32,
        /// Their value at the bankruptcy price, in atoms.
        notional_atoms: u64,
    }
    /// An account without positions owes more than it has.
    DeficitRecognised = 20 {
        /// Account index.
        account: u16,
        /// Amount, in atoms.
        deficit_atoms: u64,
    }
    /// A deficit was allocated to the slab's profits.
    DeficitAllocated = 21 {
        /// Account whose debt it was.
        account: u16,
        /// Amount, in atoms.
        deficit_atoms: u64,
        /// Haircut index afterwards.
        haircut_index: u64,
    }
    /// A Merkle root was completed.
    RootPublished = 22 {
        /// Slot that it describes.
        slot: u32,
        /// The root.
        root: [u8; 32],
        /// Sum of the leaves' equity above zero, in atoms.
        sum_atoms: i64,
    }
    /// A Merkle root was complete and refused; the next one starts anew.
    RootRefused = 32 {
        /// Slot that it described.
        slot: u32,
        /// Why: number of the error.
        error: u32,
        /// Sum of the leaves' equity above zero, in atoms.
        sum_atoms: i64,
        /// What the slab was given and had not kept for itself, in atoms.
        given_atoms: i64,
    }
    /// Terms were proposed.
    TermsProposed = 23 {
        /// Instrument number.
        instrument: u8,
        /// Slot from which they may be applied.
        due_slot: u32,
    }
    /// Proposed terms came into force.
    TermsApplied = 24 {
        /// Instrument number.
        instrument: u8,
    }
    /// The status of the slab (instrument 255) or an instrument was set.
    StatusSet = 25 {
        /// Instrument number, 255 for the slab.
        instrument: u8,
        /// The status.
        status: u32,
    }
    /// A designated liquidity provider was named or dismissed.
    DlpSet = 26 {
        /// Account index.
        account: u16,
        /// 1 named, 0 dismissed.
        on: u8,
    }
    /// The slab's own limits were set.
    LimitsSet = 27 {
        /// Orders that one account may rest.
        orders_per_account_max: u32,
        /// Slots of a batch.
        batch_slots: u32,
        /// Share of the fees kept that goes to insurance, in ppm.
        insurance_share_ppm: u32,
    }
    /// An account was closed.
    AccountClosed = 28 {
        /// Account index.
        account: u16,
    }
    /// A closed account's slot was freed.
    AccountFreed = 29 {
        /// Account index.
        account: u16,
    }
    /// A dead-man slot was set.
    DeadManSet = 30 {
        /// Account index.
        account: u16,
        /// Slot after which anyone may cancel the account's orders; 0 is off.
        slot: u32,
    }
    /// The next authority was named (not yet in force) or took over.
    AuthoritySet = 31 {
        /// The authority.
        authority: Key,
        /// 0 named, 1 in force.
        in_force: u8,
    }
    /// Cash was released to the escrow.
    Released = 11 {
        /// Account index.
        account: u16,
        /// Atoms released.
        amount_atoms: u64,
        /// Cash afterwards, in atoms.
        cash_atoms: i64,
    }
}

/// Slices of one hold.
pub const SLICES_PER_HOLD_MAX: usize = 32;

/// Part of a resting order that a hold captured.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct HeldSlice {
    /// Order index.
    pub order: u32,
    /// Captured price.
    pub ticks: u32,
    /// Captured quantity.
    pub lots: u32,
}

/// A hold was made. Borsh layout with a vector of slices at the end.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Held {
    /// Kind of event.
    pub tag: u8,
    /// Sequence number within the slab.
    pub seq: u64,
    /// Instrument number.
    pub instrument: u8,
    /// Side of the hold: 0 bid, 1 ask.
    pub side: u8,
    /// Account that holds.
    pub account: u16,
    /// Hold index.
    pub hold: u32,
    /// Generation of that index.
    pub generation: u32,
    /// Route that the hold is a leg of.
    pub route_id: u64,
    /// Lots captured.
    pub lots: u32,
    /// Their value, in atoms.
    pub notional_atoms: u64,
    /// Most that commit may charge, in atoms.
    pub max_charge_atoms: u64,
    /// Last slot in which commit is legal.
    pub expiry_slot: u32,
    /// Number of entries of `slices` that are in use.
    pub slices_count: u32,
    /// One entry per order touched, in order.
    pub slices: [HeldSlice; SLICES_PER_HOLD_MAX],
}

impl Held {
    /// Kind of event.
    pub const TAG: u8 = 8;

    /// The entries in use.
    pub fn slices(&self) -> &[HeldSlice] {
        &self.slices[..(self.slices_count as usize).min(SLICES_PER_HOLD_MAX)]
    }

    /// The encoded event: everything up to the last entry in use.
    #[inline(always)]
    pub fn as_bytes(&self) -> &[u8] {
        let used = (self.slices_count as usize).min(SLICES_PER_HOLD_MAX);
        let unused = (SLICES_PER_HOLD_MAX - used) * core::mem::size_of::<HeldSlice>();
        let bytes = bytemuck::bytes_of(self);
        &bytes[..bytes.len() - unused]
    }
}

/// Values of [`OrderCancelled::reason`].
pub mod cancel_reason {
    /// Its owner cancelled it.
    pub const OWNER: u8 = 0;
    /// A full pool made room for a better price.
    pub const EVICTED: u8 = 1;
    /// Its expiry slot has passed.
    pub const EXPIRED: u8 = 2;
    /// Its owner's dead-man slot has passed.
    pub const DEAD_MAN: u8 = 3;
    /// Its owner was frozen by the Router.
    pub const FROZEN: u8 = 4;
    /// Its owner was liquidated.
    pub const LIQUIDATED: u8 = 5;
    /// Its batch came and its price lies outside the band around the mark.
    pub const OUTSIDE_BAND: u8 = 6;
    /// Its batch came and there was no room for it.
    pub const NO_ROOM: u8 = 7;
    /// Another order took its place.
    pub const REPLACED: u8 = 8;
}

/// What happened to one resting order that a taker met.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Fill {
    /// Account of the maker.
    pub account: u16,
    /// Order index.
    pub order: u32,
    /// Generation of that index.
    pub generation: u32,
    /// Price.
    pub ticks: u32,
    /// Lots traded, or lots removed when the outcome is a removal.
    pub lots: u32,
    /// One of [`outcome`].
    pub outcome: u8,
}

/// Values of [`Fill::outcome`].
pub mod outcome {
    /// Traded; part of the order still rests.
    pub const PARTIAL: u8 = 0;
    /// Traded; the order is gone.
    pub const FULL: u8 = 1;
    /// Traded; a remainder below the smallest order was cancelled.
    pub const DUST: u8 = 2;
    /// Removed: its expiry slot has passed.
    pub const EXPIRED: u8 = 3;
    /// Removed or reduced: it belongs to the taker.
    pub const SELF_TRADE: u8 = 4;
    /// Removed: its owner could not carry the margin.
    pub const MARGIN: u8 = 5;
    /// Removed: its price lies outside the band around the mark.
    pub const OUTSIDE_BAND: u8 = 6;
    /// Skipped by a commit and no longer reserved: margin or band forbade the trade.
    pub const SKIPPED: u8 = 7;
    /// Removed: it may only reduce a position that is gone.
    pub const NOT_REDUCING: u8 = 8;

    /// Whether lots changed hands.
    pub const fn traded(outcome: u8) -> bool {
        outcome <= DUST
    }
}

/// Resting orders that one instruction may meet.
pub const FILLS_MAX: usize = 48;

/// A taker met the book. Borsh layout with a vector of fills at the end.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Traded {
    /// Kind of event.
    pub tag: u8,
    /// Sequence number within the slab.
    pub seq: u64,
    /// Instrument number.
    pub instrument: u8,
    /// Side of the taker: 0 bid, 1 ask.
    pub side: u8,
    /// Account of the taker.
    pub account: u16,
    /// Lots traded.
    pub lots: u32,
    /// Their value, in atoms.
    pub notional_atoms: u64,
    /// Fee charged to the taker, tax included, in atoms.
    pub fee_atoms: i64,
    /// Tax on the profit of an aggressive round trip, in atoms.
    pub tax_atoms: u64,
    /// Hold that was committed, 0 for a take.
    pub hold: u32,
    /// Charged to the escrow's capability, in atoms.
    pub charge_atoms: u64,
    /// Number of entries of `fills` that are in use.
    pub fills_count: u32,
    /// One entry per resting order met, in order.
    pub fills: [Fill; FILLS_MAX],
}

impl Traded {
    /// Kind of event.
    pub const TAG: u8 = 7;

    /// The entries in use.
    pub fn fills(&self) -> &[Fill] {
        let used = (self.fills_count as usize).min(FILLS_MAX);
        // A reference into the packed array is fine: `Fill` has alignment 1.
        &self.fills[..used]
    }

    /// Adds an entry; `false` when there is no room.
    #[inline(always)]
    pub fn push(&mut self, fill: Fill) -> bool {
        let at = self.fills_count as usize;
        if at >= FILLS_MAX {
            return false;
        }
        self.fills[at] = fill;
        self.fills_count = at as u32 + 1;
        true
    }

    /// The encoded event: everything up to the last entry in use.
    #[inline(always)]
    pub fn as_bytes(&self) -> &[u8] {
        let used = (self.fills_count as usize).min(FILLS_MAX);
        let unused = (FILLS_MAX - used) * core::mem::size_of::<Fill>();
        let bytes = bytemuck::bytes_of(self);
        &bytes[..bytes.len() - unused]
    }
}

/// A decoded event.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant, reason = "decoded one at a time on hosts")]
pub enum Event {
    /// [`SlabInitialized`].
    SlabInitialized(SlabInitialized),
    /// [`InstrumentAdded`].
    InstrumentAdded(InstrumentAdded),
    /// [`AccountOpened`].
    AccountOpened(AccountOpened),
    /// [`AccountSynced`].
    AccountSynced(AccountSynced),
    /// [`OrderPlaced`].
    OrderPlaced(OrderPlaced),
    /// [`OrderCancelled`].
    OrderCancelled(OrderCancelled),
    /// [`Traded`].
    Traded(Traded),
    /// [`Held`].
    Held(Held),
    /// [`HoldEnded`].
    HoldEnded(HoldEnded),
    /// [`HoldFreed`].
    HoldFreed(HoldFreed),
    /// [`Released`].
    Released(Released),
    /// [`OrderReduced`].
    OrderReduced(OrderReduced),
    /// [`OrderPending`].
    OrderPending(OrderPending),
    /// [`OrderPromoted`].
    OrderPromoted(OrderPromoted),
    /// [`BatchOpened`].
    BatchOpened(BatchOpened),
    /// [`MarkUpdated`].
    MarkUpdated(MarkUpdated),
    /// [`FundingUpdated`].
    FundingUpdated(FundingUpdated),
    /// [`Liquidated`].
    Liquidated(Liquidated),
    /// [`Deleveraged`].
    Deleveraged(Deleveraged),
    /// [`DeficitRecognised`].
    DeficitRecognised(DeficitRecognised),
    /// [`DeficitAllocated`].
    DeficitAllocated(DeficitAllocated),
    /// [`RootPublished`].
    RootPublished(RootPublished),
    /// [`RootRefused`].
    RootRefused(RootRefused),
    /// [`TermsProposed`].
    TermsProposed(TermsProposed),
    /// [`TermsApplied`].
    TermsApplied(TermsApplied),
    /// [`StatusSet`].
    StatusSet(StatusSet),
    /// [`DlpSet`].
    DlpSet(DlpSet),
    /// [`LimitsSet`].
    LimitsSet(LimitsSet),
    /// [`AccountClosed`].
    AccountClosed(AccountClosed),
    /// [`AccountFreed`].
    AccountFreed(AccountFreed),
    /// [`DeadManSet`].
    DeadManSet(DeadManSet),
    /// [`AuthoritySet`].
    AuthoritySet(AuthoritySet),
}

/// The encoded length of an event of variable length whose bytes start here.
fn whole_length<T: Pod>(bytes: &[u8], encoded: fn(&T) -> usize) -> usize {
    let mut event = T::zeroed();
    let room = bytemuck::bytes_of_mut(&mut event);
    let some = room.len().min(bytes.len());
    room[..some].copy_from_slice(&bytes[..some]);
    encoded(&event)
}

/// The encoded length of the event whose bytes start here.
fn length(bytes: &[u8]) -> Option<usize> {
    use core::mem::size_of;
    Some(match *bytes.first()? {
        SlabInitialized::TAG => size_of::<SlabInitialized>(),
        InstrumentAdded::TAG => size_of::<InstrumentAdded>(),
        AccountOpened::TAG => size_of::<AccountOpened>(),
        AccountSynced::TAG => size_of::<AccountSynced>(),
        OrderPlaced::TAG => size_of::<OrderPlaced>(),
        OrderCancelled::TAG => size_of::<OrderCancelled>(),
        HoldEnded::TAG => size_of::<HoldEnded>(),
        HoldFreed::TAG => size_of::<HoldFreed>(),
        Released::TAG => size_of::<Released>(),
        OrderReduced::TAG => size_of::<OrderReduced>(),
        OrderPending::TAG => size_of::<OrderPending>(),
        OrderPromoted::TAG => size_of::<OrderPromoted>(),
        BatchOpened::TAG => size_of::<BatchOpened>(),
        MarkUpdated::TAG => size_of::<MarkUpdated>(),
        FundingUpdated::TAG => size_of::<FundingUpdated>(),
        Liquidated::TAG => size_of::<Liquidated>(),
        Deleveraged::TAG => size_of::<Deleveraged>(),
        DeficitRecognised::TAG => size_of::<DeficitRecognised>(),
        DeficitAllocated::TAG => size_of::<DeficitAllocated>(),
        RootPublished::TAG => size_of::<RootPublished>(),
        RootRefused::TAG => size_of::<RootRefused>(),
        TermsProposed::TAG => size_of::<TermsProposed>(),
        TermsApplied::TAG => size_of::<TermsApplied>(),
        StatusSet::TAG => size_of::<StatusSet>(),
        DlpSet::TAG => size_of::<DlpSet>(),
        LimitsSet::TAG => size_of::<LimitsSet>(),
        AccountClosed::TAG => size_of::<AccountClosed>(),
        AccountFreed::TAG => size_of::<AccountFreed>(),
        DeadManSet::TAG => size_of::<DeadManSet>(),
        AuthoritySet::TAG => size_of::<AuthoritySet>(),
        Held::TAG => whole_length(bytes, |held: &Held| held.as_bytes().len()),
        Traded::TAG => whole_length(bytes, |traded: &Traded| traded.as_bytes().len()),
        _ => return None,
    })
}

/// The events of one log record, in order. Ends early at bytes that are no
/// event of ours.
pub fn decode_all(record: &[u8]) -> impl Iterator<Item = Event> + '_ {
    let mut rest = record;
    core::iter::from_fn(move || {
        let (event, after) = rest.split_at_checked(length(rest)?)?;
        rest = after;
        Event::decode(event)
    })
}

impl Event {
    /// Decodes one event; `None` when it is none of ours or is cut short.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        fn exact<T: Pod>(bytes: &[u8]) -> Option<T> {
            bytemuck::try_pod_read_unaligned(bytes).ok()
        }
        Some(match *bytes.first()? {
            SlabInitialized::TAG => Self::SlabInitialized(exact(bytes)?),
            InstrumentAdded::TAG => Self::InstrumentAdded(exact(bytes)?),
            AccountOpened::TAG => Self::AccountOpened(exact(bytes)?),
            AccountSynced::TAG => Self::AccountSynced(exact(bytes)?),
            OrderPlaced::TAG => Self::OrderPlaced(exact(bytes)?),
            OrderCancelled::TAG => Self::OrderCancelled(exact(bytes)?),
            HoldEnded::TAG => Self::HoldEnded(exact(bytes)?),
            HoldFreed::TAG => Self::HoldFreed(exact(bytes)?),
            Released::TAG => Self::Released(exact(bytes)?),
            OrderReduced::TAG => Self::OrderReduced(exact(bytes)?),
            OrderPending::TAG => Self::OrderPending(exact(bytes)?),
            OrderPromoted::TAG => Self::OrderPromoted(exact(bytes)?),
            BatchOpened::TAG => Self::BatchOpened(exact(bytes)?),
            MarkUpdated::TAG => Self::MarkUpdated(exact(bytes)?),
            FundingUpdated::TAG => Self::FundingUpdated(exact(bytes)?),
            Liquidated::TAG => Self::Liquidated(exact(bytes)?),
            Deleveraged::TAG => Self::Deleveraged(exact(bytes)?),
            DeficitRecognised::TAG => Self::DeficitRecognised(exact(bytes)?),
            DeficitAllocated::TAG => Self::DeficitAllocated(exact(bytes)?),
            RootPublished::TAG => Self::RootPublished(exact(bytes)?),
            RootRefused::TAG => Self::RootRefused(exact(bytes)?),
            TermsProposed::TAG => Self::TermsProposed(exact(bytes)?),
            TermsApplied::TAG => Self::TermsApplied(exact(bytes)?),
            StatusSet::TAG => Self::StatusSet(exact(bytes)?),
            DlpSet::TAG => Self::DlpSet(exact(bytes)?),
            LimitsSet::TAG => Self::LimitsSet(exact(bytes)?),
            AccountClosed::TAG => Self::AccountClosed(exact(bytes)?),
            AccountFreed::TAG => Self::AccountFreed(exact(bytes)?),
            DeadManSet::TAG => Self::DeadManSet(exact(bytes)?),
            AuthoritySet::TAG => Self::AuthoritySet(exact(bytes)?),
            Held::TAG => {
                let mut held = Held::zeroed();
                let room = bytemuck::bytes_of_mut(&mut held);
                room.get_mut(..bytes.len())?.copy_from_slice(bytes);
                let whole = held.slices_count as usize <= SLICES_PER_HOLD_MAX
                    && held.as_bytes().len() == bytes.len();
                whole.then_some(Self::Held(held))?
            }
            Traded::TAG => {
                let mut traded = Traded::zeroed();
                let room = bytemuck::bytes_of_mut(&mut traded);
                room.get_mut(..bytes.len())?.copy_from_slice(bytes);
                let whole = traded.fills_count as usize <= FILLS_MAX
                    && traded.as_bytes().len() == bytes.len();
                whole.then_some(Self::Traded(traded))?
            }
            _ => return None,
        })
    }

    /// Sequence number of the event.
    pub fn seq(&self) -> u64 {
        match self {
            Self::SlabInitialized(event) => event.seq,
            Self::InstrumentAdded(event) => event.seq,
            Self::AccountOpened(event) => event.seq,
            Self::AccountSynced(event) => event.seq,
            Self::OrderPlaced(event) => event.seq,
            Self::OrderCancelled(event) => event.seq,
            Self::Traded(event) => event.seq,
            Self::Held(event) => event.seq,
            Self::HoldEnded(event) => event.seq,
            Self::HoldFreed(event) => event.seq,
            Self::Released(event) => event.seq,
            Self::OrderReduced(event) => event.seq,
            Self::OrderPending(event) => event.seq,
            Self::OrderPromoted(event) => event.seq,
            Self::BatchOpened(event) => event.seq,
            Self::MarkUpdated(event) => event.seq,
            Self::FundingUpdated(event) => event.seq,
            Self::Liquidated(event) => event.seq,
            Self::Deleveraged(event) => event.seq,
            Self::DeficitRecognised(event) => event.seq,
            Self::DeficitAllocated(event) => event.seq,
            Self::RootPublished(event) => event.seq,
            Self::RootRefused(event) => event.seq,
            Self::TermsProposed(event) => event.seq,
            Self::TermsApplied(event) => event.seq,
            Self::StatusSet(event) => event.seq,
            Self::DlpSet(event) => event.seq,
            Self::LimitsSet(event) => event.seq,
            Self::AccountClosed(event) => event.seq,
            Self::AccountFreed(event) => event.seq,
            Self::DeadManSet(event) => event.seq,
            Self::AuthoritySet(event) => event.seq,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_trade_survives_encoding_and_a_cut_one_is_refused() {
        let mut traded = Traded::zeroed();
        traded.tag = Traded::TAG;
        traded.seq = 9;
        for order in 1..=3 {
            assert!(traded.push(Fill {
                order,
                ..Fill::zeroed()
            }));
        }
        let bytes = traded.as_bytes();
        let Some(Event::Traded(back)) = Event::decode(bytes) else {
            panic!("not decoded")
        };
        assert_eq!(back.fills(), traded.fills());
        assert!(Event::decode(&bytes[..bytes.len() - 1]).is_none());
        assert!(Event::decode(&[]).is_none());
        assert!(Event::decode(&[99; 40]).is_none());
    }

    #[test]
    fn a_record_of_several_events_is_read_in_order() {
        let freed = HoldFreed {
            tag: HoldFreed::TAG,
            seq: 1,
            hold: 4,
        };
        let mut traded = Traded::zeroed();
        (traded.tag, traded.seq) = (Traded::TAG, 2);
        assert!(traded.push(Fill::zeroed()));
        let last = OrderReduced {
            tag: OrderReduced::TAG,
            seq: 3,
            ..OrderReduced::zeroed()
        };
        let mut record = bytemuck::bytes_of(&freed).to_vec();
        record.extend(traded.as_bytes());
        record.extend(bytemuck::bytes_of(&last));
        let seqs = |bytes: &[u8]| {
            decode_all(bytes)
                .map(|event| event.seq())
                .collect::<Vec<_>>()
        };
        assert_eq!(seqs(&record), [1, 2, 3]);
        assert_eq!(seqs(&record[..record.len() - 1]), [1, 2]);
        record.push(99);
        assert_eq!(seqs(&record), [1, 2, 3]);
    }

    #[test]
    fn fills_beyond_the_bound_are_refused() {
        let mut traded = Traded::zeroed();
        for _ in 0..FILLS_MAX {
            assert!(traded.push(Fill::zeroed()));
        }
        assert!(!traded.push(Fill::zeroed()));
        assert_eq!(traded.as_bytes().len(), core::mem::size_of::<Traded>());
    }
}
