//! Events of the Slab.
//!
//! Every one carries the slab's sequence number; a gap tells a reader that a
//! record was cut from the log and has to be healed from the account.

use super::events;
pub use super::met::*;
use crate::Key;

events! {
    /// A decoded event of the Slab.
    Event of {
        /// Sequence number within the slab, from 1.
        seq: u64,
    }
    fixed {
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
    elsewhere {}
    listed { Traded, Held }
}

impl Event {
    /// Sequence number of the event.
    pub fn seq(&self) -> u64 {
        // It comes right after the tag in every one of them.
        let bytes = self.as_bytes().get(1..9);
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
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
