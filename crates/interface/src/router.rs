//! The Router's records.
//!
//! All are program-derived accounts of the Router, written by it alone. The
//! Slab reads [`Escrow`]; everything else is here for the SDK.
//!
//! | record | seeds |
//! |---|---|
//! | [`RouterConfig`] | `"config"` |
//! | [`Vault`] | `"vault"`, mint |
//! | [`Portfolio`] | `"portfolio"`, owner |
//! | [`SlabEntry`] | `"slab"`, slab |
//! | [`SlabLedger`] | `"ledger"`, slab, mint |
//! | [`Escrow`] | `"pledge"`, slab, owner, mint |
//! | [`InstrumentEntry`] | `"instrument"`, slab, number (one byte) |
//! | [`Ticket`] | `"ticket"`, escrow |
//! | [`ShiftTicket`] | `"shift"`, escrow that gives |
//! | [`FundingGrid`] | the head of a [`Grid`](crate::grid::Grid) |
//! | [`Exposure`](crate::grid::Exposure) | `"exposure"`, escrow |
//! | [`Proposal`](crate::governance::Proposal) | `"proposal"`, id (eight bytes) |
//! | [`ProgramHash`](crate::governance::ProgramHash) | `"hash"`, program data |
//!
//! The records of collateral are in [`crate::collateral`].
//!
//! Vault tokens lie in a token account at `"tokens"`, mint, whose authority is
//! the address at `"authority"`.

use crate::limits::{OutflowLimit, RecentDeposits};
use crate::{Key, Record, assert_layout, key_eq};
use bytemuck::{Pod, Zeroable};
use flagstone_units::Slot;

pub use crate::escrow::{CAP_SLOTS_MAX, CAPS_PER_ESCROW, Cap, Escrow, cap_state, escrow_state};
pub use crate::grid::FundingGrid;
pub use crate::liquidation::{ShiftTicket, Ticket};

/// Seed prefixes of the Router's derived addresses.
pub mod seeds {
    /// [`super::RouterConfig`].
    pub const CONFIG: &[u8] = b"config";
    /// Authority of every vault token account.
    pub const AUTHORITY: &[u8] = b"authority";
    /// [`super::Vault`].
    pub const VAULT: &[u8] = b"vault";
    /// Token account of a vault.
    pub const TOKENS: &[u8] = b"tokens";
    /// [`super::Portfolio`].
    pub const PORTFOLIO: &[u8] = b"portfolio";
    /// [`super::SlabEntry`].
    pub const SLAB: &[u8] = b"slab";
    /// [`super::SlabLedger`].
    pub const LEDGER: &[u8] = b"ledger";
    /// [`super::Escrow`].
    pub const PLEDGE: &[u8] = b"pledge";
    /// [`super::InstrumentEntry`].
    pub const INSTRUMENT: &[u8] = b"instrument";
    /// [`super::Ticket`].
    pub const TICKET: &[u8] = b"ticket";
    /// [`super::ShiftTicket`].
    pub const SHIFT: &[u8] = b"shift";
    /// [`crate::grid::Grid`].
    pub const GRID: &[u8] = b"grid";
    /// [`crate::governance::Proposal`].
    pub const PROPOSAL: &[u8] = b"proposal";
    /// [`crate::governance::ProgramHash`].
    pub const HASH: &[u8] = b"hash";
}

/// Deployment-wide settings.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct RouterConfig {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// Bump of the vault authority.
    pub authority_bump: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// Who may register slabs.
    pub admin: Key,
    /// Quote mint of the deployment.
    pub quote_mint: Key,
    /// Slabs ever registered.
    pub slabs_total: u64,
    /// Slots between registering an instrument and its entry counting.
    pub instrument_delay_slots: u32,
    /// Least delay of new terms that a slab has to have to be registered, in slots.
    pub terms_delay_slots_min: u32,
    /// Proposals ever made: the id of the last one.
    pub proposals_total: u64,
    /// Administrator named and not in office yet; zero for none.
    pub admin_pending: Key,
    /// Who may cancel proposals and pause; zero for nobody.
    pub guardian: Key,
    /// Slots between a proposal and its execution. 0 while a deployment is set
    /// up: the administrator registers directly.
    pub proposal_delay_slots: u32,
    /// Slots in which a proposal may be executed after that; 0 for a week.
    pub proposal_life_slots: u32,
    /// First slot after the pause.
    pub paused_until: Slot,
    /// First slot in which the guardian may pause again.
    pub pause_again_slot: Slot,
    /// Reserved; zero.
    pub reserved: [u64; 9],
}
assert_layout!(RouterConfig, 256);

impl RouterConfig {
    /// Whether new risk is paused.
    #[inline(always)]
    pub fn is_paused(&self, now: Slot) -> bool {
        now < self.paused_until
    }

    /// Whether liquidation may run: neither during a pause nor for a grace after
    /// it, in which users could not and then can act.
    #[inline(always)]
    pub fn may_liquidate(&self, now: Slot) -> bool {
        let grace = crate::governance::PAUSE_GRACE_SLOTS;
        self.paused_until == Slot::ZERO || now.0 >= self.paused_until.0.saturating_add(grace)
    }
}

impl Record for RouterConfig {
    const DISCRIMINATOR: [u8; 8] = [0x93, 0x14, 0x51, 0x87, 0x2e, 0xfb, 0x2e, 0x8b];
    const VERSION: u32 = 1;
}

/// Custody of the quote mint. Invariant V: tokens held >= booked.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Vault {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// Bump of the token account.
    pub tokens_bump: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// Mint held.
    pub mint: Key,
    /// Token account that holds it.
    pub tokens: Key,
    /// Sum of portfolio cash and claims, escrow balances, backings and insurance,
    /// in atoms.
    pub booked_atoms: u64,
    /// Limit on withdrawals.
    pub outflow: OutflowLimit,
    /// Sum of the claims that wait, in atoms.
    pub claims_atoms: u64,
    /// Claims ever made: the serial number of the last one.
    pub claims_total: u64,
    /// Claims ever paid or passed over: the next one comes first.
    pub claims_done: u64,
    /// Reserved; zero.
    pub reserved: [u64; 15],
}
assert_layout!(Vault, 256, booked_atoms @ 80);

impl Record for Vault {
    const DISCRIMINATOR: [u8; 8] = [0xd3, 0x08, 0xe8, 0x2b, 0x02, 0x98, 0x75, 0x77];
    const VERSION: u32 = 1;
}

/// A user's cash with the Router.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Portfolio {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// One of [`portfolio_status`].
    pub status: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// Wallet that owns it.
    pub owner: Key,
    /// Key that may trade and fund but never withdraw; zero for none.
    pub delegate: Key,
    /// Free cash of the quote mint, in atoms.
    pub cash_atoms: u64,
    /// Deposits ever made, in atoms.
    pub deposited_total_atoms: u64,
    /// Withdrawals ever made, in atoms.
    pub withdrawn_total_atoms: u64,
    /// Escrows ever opened.
    pub escrows_total: u64,
    /// Liquidation episodes so far; the running one while liquidating.
    pub episode: u32,
    /// Slot from which slabs may be swept in this episode.
    pub grace_until: Slot,
    /// Serial number of the last ticket, of either kind; never reset.
    pub ticket_nonce: u32,
    /// Escrows that are frozen: the liquidation ends with the last of them.
    pub frozen_count: u32,
    /// Own deposits of late: they may leave uncounted.
    pub recent: RecentDeposits,
    /// What the delegate may move to slabs.
    pub allowance: OutflowLimit,
    /// Waits to be withdrawn, in atoms; no longer part of the cash.
    pub claim_atoms: u64,
    /// Serial number of that claim within the vault; 0 for none.
    pub claim_serial: u64,
    /// Token account that the claim is paid to.
    pub claim_destination: Key,
    /// How much worse than the mark the delegate may trade, in ppm of it.
    pub delegate_band_ppm: u32,
    /// Collateral mints of which the portfolio holds some.
    pub collateral_count: u32,
    /// Serial number of the shift ticket that is out; 0 once what was released
    /// under it is booked.
    pub shift_nonce: u32,
    /// Last slot of that ticket.
    pub shift_until: Slot,
    /// Escrow that gives under that ticket: its slab alone can end it.
    pub shift_escrow: Key,
    /// Reserved; zero.
    pub reserved: [u64; 30],
    /// Escrows that are bound to a slab account, in no order; zero is none.
    pub escrows: [Key; PORTFOLIO_SLABS_MAX],
}
assert_layout!(Portfolio, 1024, owner @ 16, cash_atoms @ 80, episode @ 112, escrows @ 512);

/// Slab accounts of one portfolio (rule LQ1).
pub const PORTFOLIO_SLABS_MAX: usize = 16;

impl Portfolio {
    /// Whether slabs may be swept, or are about to be.
    #[inline(always)]
    pub const fn is_liquidating(&self) -> bool {
        self.status == portfolio_status::LIQUIDATING
    }

    /// Whether a shift ticket may be used, or was and is not booked.
    #[inline(always)]
    pub fn is_shift_out(&self, now: Slot) -> bool {
        self.shift_nonce != 0 && now <= self.shift_until
    }

    /// Place of an escrow in the table; of none for the zero key.
    pub fn place_of(&self, escrow: &Key) -> Option<usize> {
        self.escrows.iter().position(|one| key_eq(one, escrow))
    }
}

/// Values of [`Portfolio::status`].
pub mod portfolio_status {
    /// Open.
    pub const OPEN: u8 = 0;
    /// Under liquidation: tickets may be issued.
    pub const LIQUIDATING: u8 = 1;
    /// Closed by its owner.
    pub const CLOSED: u8 = 2;
}

impl Record for Portfolio {
    const DISCRIMINATOR: [u8; 8] = [0x5e, 0x9e, 0x47, 0xf5, 0x7a, 0x66, 0x6e, 0xe1];
    const VERSION: u32 = 2;
}

/// Registry entry of a slab.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SlabEntry {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// One of [`slab_status`].
    pub status: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// The slab account.
    pub slab: Key,
    /// Program that owns it.
    pub program_id: Key,
    /// Hash of that program's code ([`ProgramHash`](crate::governance::ProgramHash)):
    /// as it was proposed, accepted or confirmed; zero when the administrator
    /// attested the deployment and nobody has confirmed a hash since.
    pub program_hash: [u8; 32],
    /// Program data account.
    pub program_data: Key,
    /// Upgrade authority at the last attestation.
    pub upgrade_authority: Key,
    /// Slot in which the program was last deployed.
    pub deploy_slot: u64,
    /// Largest equity that one account of this slab may ever count for elsewhere
    /// (E_max of rule N5), in atoms.
    pub equity_max_atoms: u64,
    /// 1 when the slab may take part in netting and votes in the funding grid.
    /// There is no netting yet, so every slab adds exactly nothing to credit.
    pub netting: u32,
    /// Reserved; zero.
    pub padding2: u32,
    /// Reserved; zero.
    pub reserved: [u64; 39],
}
assert_layout!(SlabEntry, 512, slab @ 16, program_id @ 48);

impl Record for SlabEntry {
    const DISCRIMINATOR: [u8; 8] = [0x10, 0x0f, 0xf5, 0x04, 0xb9, 0xd0, 0xfa, 0x44];
    const VERSION: u32 = 1;
}

/// Values of [`SlabEntry::status`].
pub mod slab_status {
    /// Routes and funding are allowed.
    pub const ACTIVE: u8 = 1;
    /// The program changed; reversible.
    pub const SUSPENDED: u8 = 2;
    /// The slab's counters proved it bad, or its program changed after it was
    /// declared dead; terminal.
    pub const QUARANTINED: u8 = 3;
    /// Winding down: it takes no new money and pays what it owes. While its
    /// program is the attested one, users leave by settling.
    pub const DEAD: u8 = 4;
}

/// What the Router holds for one slab in one mint.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SlabLedger {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
    /// The slab account.
    pub slab: Key,
    /// The mint.
    pub mint: Key,
    /// Atoms that back the slab's cash.
    pub backing_atoms: u64,
    /// Atoms of the slab's insurance.
    pub insurance_atoms: u64,
    /// Copy of the slab's fee total up to which fees are booked.
    pub fees_seen: crate::slab::WideTotal,
    /// Copy of the slab's insurance-due total up to which it is booked.
    pub insurance_due_seen: crate::slab::WideTotal,
    /// Atoms of insurance ever paid into backing.
    pub covered_total: crate::slab::WideTotal,
    /// Fees of the slab's LP, collected and not withdrawn yet, in atoms.
    pub fees_atoms: u64,
    /// Fees ever withdrawn, in atoms.
    pub fees_withdrawn_total_atoms: u64,
    /// Tokens that anyone ever added to the insurance, in atoms.
    pub insurance_funded_total_atoms: u64,
    /// Insurance paid on the day `cover_day`, in atoms.
    pub cover_day_atoms: u64,
    /// Day of the last payment, in days of slots.
    pub cover_day: u32,
    /// Part of the day's insurance that one event may take, in basis points; 0
    /// for the default.
    pub cover_event_bps: u16,
    /// Part of it that all events of the day may take, in basis points; 0 for
    /// the default.
    pub cover_day_bps: u16,
    /// Reserved; zero.
    pub reserved: [u64; 41],
    /// Limit on releases.
    pub outflow: OutflowLimit,
    /// Releases ever paid, in atoms.
    pub released_total_atoms: u64,
    /// Sum of the escrows' principals, in atoms.
    pub principal_total_atoms: u64,
    /// Roots copied from the slab: one that counts once it is old enough, and
    /// the one before.
    pub roots: [CopiedRoot; 2],
    /// How users leave a slab that is closed to them.
    pub exit: ExitTerms,
    /// Releases that wait for the limit, the oldest first.
    pub waiting: [Waiting; RELEASES_WAITING_MAX],
    /// Entries of `waiting` in use.
    pub waiting_count: u32,
    /// Reserved; zero.
    pub padding3: u32,
    /// Reserved; zero.
    pub reserved2: [u64; 3],
}
assert_layout!(SlabLedger, 1024, backing_atoms @ 80, outflow @ 512);

/// Releases of one slab that may wait for the limit.
pub const RELEASES_WAITING_MAX: usize = 16;

/// Claims on the vault that may wait for the limit.
pub const CLAIMS_WAITING_MAX: u64 = 256;

/// A release that waits for the slab's limit.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Waiting {
    /// Index of the slab account.
    pub account: u32,
    /// Generation of that index.
    pub generation: u32,
    /// What is left to pay before the next one's turn, in atoms.
    pub atoms: u64,
}
assert_layout!(Waiting, 16);

/// Slots for which a copied root has to lie with the Router before it counts:
/// an hour.
pub const ROOT_AGE_SLOTS: u32 = 9_000;

/// A root that the Router copied while the slab's program was the attested one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct CopiedRoot {
    /// The root.
    pub root: [u8; 32],
    /// Sum of the leaves' equity above zero, in atoms.
    pub sum_atoms: i64,
    /// Slot that it describes.
    pub slot: Slot,
    /// Slot in which it was copied; 0 for none.
    pub copied_slot: Slot,
    /// `released_total_atoms` of the ledger at that slot.
    pub released_total_atoms: u64,
}
assert_layout!(CopiedRoot, 56);

/// Values of [`ExitTerms::mode`].
pub mod exit_mode {
    /// The slab is not closed.
    pub const NONE: u32 = 0;
    /// By proof under `ExitTerms::root`.
    pub const ROOT: u32 = 1;
    /// By what the Router knows that the user paid in and did not get back.
    pub const PRINCIPAL: u32 = 2;
}

/// How users leave, frozen when the slab was quarantined: each gets
/// claim x numerator / denominator.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ExitTerms {
    /// The backing, in atoms.
    pub numerator_atoms: u64,
    /// The most that all claims come to, in atoms; not below the numerator.
    pub denominator_atoms: u64,
    /// One of [`exit_mode`].
    pub mode: u32,
    /// Slot of the quarantine.
    pub slot: Slot,
    /// Slot that the root describes.
    pub root_slot: Slot,
    /// Reserved; zero.
    pub padding: u32,
    /// Sum that the root commits to, in atoms.
    pub root_sum_atoms: i64,
    /// The root.
    pub root: [u8; 32],
}
assert_layout!(ExitTerms, 72);

impl Record for SlabLedger {
    const DISCRIMINATOR: [u8; 8] = [0x3c, 0xa7, 0x1a, 0xf2, 0xbd, 0x02, 0xcf, 0x23];
    const VERSION: u32 = 1;
}

/// What governance allows one instrument of one slab to be. The only source of
/// these facts for the slab and the Router alike.
///
/// Registering again replaces the entry and starts its delay anew. Until that
/// has passed the entry allows nothing: the instrument trades on, under the
/// terms that it has.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct InstrumentEntry {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Bump of this address.
    pub bump: u8,
    /// Number of the instrument in its slab.
    pub instrument: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// The slab account.
    pub slab: Key,
    /// Number of the underlying.
    pub underlying_id: u64,
    /// Value of one tick on one lot, in quote atoms: the multiplier.
    pub atoms_per_tick: u32,
    /// Slot from which the entry counts.
    pub active_slot: Slot,
    /// Oracle account; zero when the book may make the mark.
    pub oracle: Key,
    /// Feed that the oracle account has to carry.
    pub oracle_feed: Key,
    /// Ticks per unit of the oracle's price, in millionths.
    pub oracle_scale: u64,
    /// Least initial margin ratio, in ppm.
    pub imr_min_ppm: u32,
    /// Least maintenance margin ratio, in ppm.
    pub mmr_min_ppm: u32,
    /// Most that the mark may move in one slot, in ticks.
    pub mark_move_ticks_max: u32,
    /// Largest fee of a taker, in ppm.
    pub taker_fee_max_ppm: u32,
    /// Largest fee of a maker, in ppm.
    pub maker_fee_max_ppm: u32,
    /// Largest fee of a liquidation, in ppm.
    pub liquidation_fee_max_ppm: u32,
    /// Reserved; zero.
    pub reserved: [u64; 12],
}
assert_layout!(InstrumentEntry, 256, slab @ 16);

impl InstrumentEntry {
    /// Whether the entry's delay has passed.
    #[inline(always)]
    pub fn is_active(&self, slot: Slot) -> bool {
        self.active_slot <= slot
    }
}

impl Record for InstrumentEntry {
    const DISCRIMINATOR: [u8; 8] = [0x6d, 0xac, 0x46, 0xb8, 0x48, 0x21, 0x5c, 0x12];
    const VERSION: u32 = 1;
}
