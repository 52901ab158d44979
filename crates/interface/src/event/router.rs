//! Events of the Router: one per instruction, that says what it did.
//!
//! The tag of an instruction's event is [`FIRST_TAG`] and the instruction's
//! number. Amounts are what this instruction moved, totals are as they stand
//! after it. An instruction that finds nothing to do and succeeds says so with
//! amounts of zero.
//!
//! [`SlabSuspended`] and [`SlabQuarantined`] tell that a slab lost its standing:
//! `settle` writes one of them in place of [`Settled`], for it books nothing
//! then; `execute` writes the latter beside [`ProposalExecuted`].
//!
//! They carry no sequence number. A slab is 10 MiB of state that only its
//! events tell cheaply, so a reader has to know that none is missing; what the
//! Router knows lies in small accounts, each of which is read in one go. A
//! number for all of them would be one account that every deposit, route and
//! settlement writes, and users would wait for one another.
//!
//! | event names | whose |
//! |---|---|
//! | a portfolio | [`Portfolio`](crate::router::Portfolio): cash is its `cash_atoms` |
//! | an escrow | [`Escrow`](crate::router::Escrow): one owner at one slab |
//! | a slab | the slab account, whose [`SlabLedger`](crate::router::SlabLedger) has backing, insurance and fees |

use super::events;
pub use super::registry::*;
use crate::Key;
use bytemuck::{Pod, Zeroable};

/// Tag of the event of instruction 0.
pub const FIRST_TAG: u8 = 128;

/// What an instruction booked of what a slab account owed and was owed, in
/// atoms (rules X1 to X4).
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Booked {
    /// Charges: from escrows to backing.
    pub charged_atoms: u64,
    /// What spent capabilities had left: from escrows to cash.
    pub returned_atoms: u64,
    /// Releases: from backing to cash.
    pub released_atoms: u64,
}

impl Booked {
    /// Adds what else was booked.
    #[inline(always)]
    pub fn add(&mut self, other: Self) {
        // Totals in events only tell; what is booked was added with checks.
        self.charged_atoms = self.charged_atoms.wrapping_add(other.charged_atoms);
        self.returned_atoms = self.returned_atoms.wrapping_add(other.returned_atoms);
        self.released_atoms = self.released_atoms.wrapping_add(other.released_atoms);
    }
}

events! {
    /// A decoded event of the Router.
    RouterEvent of {}
    fixed {
        /// `open_portfolio`: a portfolio was opened.
        PortfolioOpened = 130 {
            /// The portfolio.
            portfolio: Key,
            /// Its owner.
            owner: Key,
        }
        /// `deposit`: tokens arrived in the vault.
        Deposited = 131 {
            /// The portfolio.
            portfolio: Key,
            /// What arrived and was credited, in atoms.
            amount_atoms: u64,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
            /// What the vault owes to all afterwards, in atoms.
            booked_atoms: u64,
        }
        /// `open_escrow`: an escrow was opened.
        EscrowOpened = 132 {
            /// The escrow.
            escrow: Key,
            /// Its slab.
            slab: Key,
            /// Its owner.
            owner: Key,
            /// Session key that trades.
            trader: Key,
        }
        /// `bind_escrow`: an escrow was bound to the slab account that opens next.
        EscrowBound = 133 {
            /// The escrow.
            escrow: Key,
            /// Index of the slab account.
            account: u32,
            /// Generation of that index.
            generation: u32,
        }
        /// `fund_slab`: cash became standing margin.
        SlabFunded = 134 {
            /// The escrow.
            escrow: Key,
            /// What moved from cash to backing, in atoms.
            amount_atoms: u64,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
            /// Deposits of the escrow afterwards, in atoms.
            deposited_total_atoms: u64,
            /// Backing of the slab afterwards, in atoms.
            backing_atoms: u64,
        }
        /// `withdraw`: tokens left the vault.
        Withdrawn = 135 {
            /// The portfolio.
            portfolio: Key,
            /// What left, in atoms.
            amount_atoms: u64,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
            /// What the vault owes to all afterwards, in atoms.
            booked_atoms: u64,
        }
        /// `set_trader`: the session key of an escrow changed.
        TraderSet = 136 {
            /// The escrow.
            escrow: Key,
            /// Session key that trades from the next sync on.
            trader: Key,
        }
        /// `open_route`: capabilities were minted for the holds of a route.
        RouteOpened = 137 {
            /// The portfolio.
            portfolio: Key,
            /// Number of the route.
            route_id: u64,
            /// 0 buy, 1 sell.
            side: u8,
            /// Legs.
            legs: u8,
            /// Least lots that all commits together will trade.
            lots: u64,
            /// Value of all that was captured, in atoms.
            notional_atoms: u64,
            /// What moved from cash to escrows, in atoms.
            pledged_atoms: u64,
            /// What was booked before.
            booked: Booked,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
        }
        /// `settle_route`: a route's charges were booked and the rest returned.
        RouteSettled = 138 {
            /// The portfolio.
            portfolio: Key,
            /// Number of the route.
            route_id: u64,
            /// Legs.
            legs: u8,
            /// What was booked.
            booked: Booked,
            /// What expired capabilities had left: from escrows to cash, in atoms.
            expired_atoms: u64,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
        }
        /// `settle`: what a slab account owed and was owed was booked.
        Settled = 139 {
            /// The escrow.
            escrow: Key,
            /// What was booked.
            booked: Booked,
            /// Releases that stay owed: above the slab's limit or its backing, in atoms.
            owed_atoms: u64,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
            /// Backing of the slab afterwards, in atoms.
            backing_atoms: u64,
        }
        /// `refund`: an expired capability ended.
        Refunded = 140 {
            /// The escrow.
            escrow: Key,
            /// Number of the capability record.
            cap: u8,
            /// What it had left: from the escrow to cash, in atoms; 0 when it was
            /// charged in time.
            refunded_atoms: u64,
            /// What was booked before.
            booked: Booked,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
        }
        /// `unbind_escrow`: an escrow was unbound from an account that closed.
        EscrowUnbound = 143 {
            /// The escrow.
            escrow: Key,
            /// Index of the slab account.
            account: u32,
            /// Generation of that index.
            generation: u32,
        }
        /// `begin_liquidation`: an account was found below maintenance margin and
        /// frozen.
        LiquidationBegun = 144 {
            /// The escrow.
            escrow: Key,
            /// The slab.
            slab: Key,
            /// Episode of the portfolio.
            episode: u32,
            /// Slot from which tickets may be issued.
            grace_until: u32,
            /// Equity of the account, in atoms.
            equity_atoms: i64,
            /// Its maintenance margin, in atoms.
            maintenance_atoms: u64,
            /// What was booked before.
            booked: Booked,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
        }
        /// `issue_ticket`: part of a frozen account may be closed.
        TicketIssued = 145 {
            /// The escrow.
            escrow: Key,
            /// The slab.
            slab: Key,
            /// Episode of the portfolio.
            episode: u32,
            /// Serial number of the ticket.
            nonce: u32,
            /// Instrument number.
            instrument: u8,
            /// Most lots that may be closed.
            lots_max: u32,
            /// Widest band around the mark, in ppm.
            band_max_ppm: u32,
            /// Most that the sweep may leave the account in debt, in atoms.
            deficit_max_atoms: u64,
            /// Last slot in which it may sweep.
            expiry_slot: u32,
            /// What was booked before.
            booked: Booked,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
        }
        /// `end_liquidation`: margin was found restored and the escrow unfrozen.
        LiquidationEnded = 146 {
            /// The escrow.
            escrow: Key,
            /// The slab.
            slab: Key,
            /// Episode of the portfolio.
            episode: u32,
            /// Escrows of the portfolio that stay frozen.
            frozen_count: u32,
            /// Equity of the account, in atoms.
            equity_atoms: i64,
            /// What was booked before.
            booked: Booked,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
        }
        /// `shift_margin`: free cash came to an account under liquidation.
        MarginShifted = 147 {
            /// The escrow.
            escrow: Key,
            /// The slab.
            slab: Key,
            /// What moved from cash to backing, in atoms.
            amount_atoms: u64,
            /// What was booked before.
            booked: Booked,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
            /// Moved under the owner's consent afterwards, in atoms.
            shifted_atoms: u64,
            /// Deposits of the escrow afterwards, in atoms.
            deposited_total_atoms: u64,
        }
        /// `set_liability_max`: an owner's consent to shifts was replaced.
        LiabilityMaxSet = 148 {
            /// The escrow.
            escrow: Key,
            /// Most that may be shifted, in atoms.
            amount_atoms: u64,
        }
        /// `cover_bad_debt`: insurance paid a debt.
        DebtCovered = 149 {
            /// The escrow.
            escrow: Key,
            /// The slab.
            slab: Key,
            /// What moved from insurance to backing, in atoms.
            amount_atoms: u64,
            /// The debt before it, in atoms.
            debt_atoms: u64,
            /// Insurance of the slab afterwards, in atoms.
            insurance_atoms: u64,
            /// Backing of the slab afterwards, in atoms.
            backing_atoms: u64,
            /// What was booked before.
            booked: Booked,
            /// Cash of the portfolio afterwards, in atoms.
            cash_atoms: u64,
        }
        /// `issue_shift`: margin may be released at one slab for an account under
        /// liquidation at another.
        ShiftIssued = 153 {
            /// Escrow whose account may release.
            escrow: Key,
            /// Escrow of the account under liquidation.
            target: Key,
            /// Serial number of the ticket.
            nonce: u32,
            /// Most that may be released, in atoms.
            amount_max_atoms: u64,
            /// Last slot in which it may be used.
            expiry_slot: u32,
            /// What was booked of the releasing account before.
            booked: Booked,
            /// What was booked of the account under liquidation before.
            target_booked: Booked,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
        }
        /// `refresh_exposure`: what an account holds at its slab was recorded.
        ExposureRefreshed = 154 {
            /// The escrow.
            escrow: Key,
            /// The slab.
            slab: Key,
            /// Positions recorded.
            positions: u8,
            /// Cash that the slab account may count on, in atoms.
            account_cash_atoms: i64,
            /// What was booked before.
            booked: Booked,
            /// Cash of the portfolio afterwards, in atoms.
            cash_atoms: u64,
        }
        /// `claim_withdrawal`: a withdrawal above the limit was queued.
        ClaimQueued = 158 {
            /// The portfolio.
            portfolio: Key,
            /// Serial number of the claim.
            serial: u64,
            /// What left the cash, in atoms.
            amount_atoms: u64,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
            /// All claims that wait afterwards, in atoms.
            claims_atoms: u64,
        }
        /// `pay_claim`: the next claim was paid as far as the limit allowed, or
        /// became cash again because its token account cannot receive.
        ClaimPaid = 159 {
            /// The portfolio.
            portfolio: Key,
            /// Serial number of the claim.
            serial: u64,
            /// What left the vault, in atoms.
            amount_atoms: u64,
            /// What became cash again, in atoms.
            returned_atoms: u64,
            /// What is left of the claim, in atoms; with nothing left its turn is
            /// over.
            left_atoms: u64,
            /// All claims that wait afterwards, in atoms.
            claims_atoms: u64,
            /// What the vault owes to all afterwards, in atoms.
            booked_atoms: u64,
        }
        /// `cancel_claim`: a claim became cash again.
        ClaimCancelled = 160 {
            /// The portfolio.
            portfolio: Key,
            /// Serial number of the claim.
            serial: u64,
            /// What became cash again, in atoms.
            amount_atoms: u64,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
            /// All claims that wait afterwards, in atoms.
            claims_atoms: u64,
        }
        /// `exit_by_proof`: an escrow left a quarantined slab for good.
        ExitedByProof = 170 {
            /// The escrow.
            escrow: Key,
            /// The slab.
            slab: Key,
            /// What the escrow could claim, in atoms.
            claim_atoms: u64,
            /// What it was paid: from backing to cash, in atoms.
            paid_atoms: u64,
            /// What live capabilities had left: from the escrow to cash, in atoms.
            returned_atoms: u64,
            /// Cash afterwards, in atoms.
            cash_atoms: u64,
            /// Backing of the slab afterwards, in atoms.
            backing_atoms: u64,
        }
        /// `set_delegate`: a delegate was named, or with the zero key dismissed.
        DelegateSet = 171 {
            /// The portfolio.
            portfolio: Key,
            /// The delegate.
            delegate: Key,
            /// What it may move in a day, in atoms.
            allowance_atoms: u64,
            /// How much worse than the mark it may trade, in ppm.
            band_ppm: u32,
        }
        /// `close_portfolio`: an empty portfolio was closed.
        PortfolioClosed = 172 {
            /// The portfolio.
            portfolio: Key,
        }
        /// `deposit_collateral`: collateral arrived in its vault.
        CollateralDeposited = 173 {
            /// The portfolio.
            portfolio: Key,
            /// The mint.
            mint: Key,
            /// What arrived, in atoms of the mint.
            amount_atoms: u64,
            /// What the portfolio has of it afterwards, in atoms of the mint.
            balance_atoms: u64,
        }
        /// `withdraw_collateral`: collateral left its vault.
        CollateralWithdrawn = 174 {
            /// The portfolio.
            portfolio: Key,
            /// The mint.
            mint: Key,
            /// What left, in atoms of the mint.
            amount_atoms: u64,
            /// What the portfolio has of it afterwards, in atoms of the mint.
            balance_atoms: u64,
        }
        /// `liquidate_collateral`: collateral was sold for quote, or with amounts of
        /// zero an auction began.
        CollateralSold = 175 {
            /// The portfolio.
            portfolio: Key,
            /// Escrow of the account that lacks margin.
            escrow: Key,
            /// The mint.
            mint: Key,
            /// Who bought it.
            buyer: Key,
            /// What was sold, in atoms of the mint.
            amount_atoms: u64,
            /// What was paid for it, in quote atoms.
            paid_atoms: u64,
            /// What the portfolio has of it afterwards, in atoms of the mint.
            balance_atoms: u64,
            /// Slot in which the auction began.
            auction_slot: u32,
            /// What was booked before.
            booked: Booked,
            /// Cash afterwards, in quote atoms.
            cash_atoms: u64,
            /// What the quote vault owes to all afterwards, in quote atoms.
            booked_atoms: u64,
        }
    }
    elsewhere {
        RouterInitialized, SlabRegistered, SlabAttested, InstrumentRegistered, FeesCollected,
        FeesWithdrawn, InsuranceFunded, GridMemberSet, GridUpdated, SurplusSkimmed, Proposed, ProposalExecuted,
        ProposalCancelled, Paused, Unpaused, AdminChanged, ProgramHashed, ProgramConfirmed,
        RootCopied, SlabSuspended, SlabQuarantined
    }
    listed {}
}
