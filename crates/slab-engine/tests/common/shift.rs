//! The Router's side of a shift: a ticket, and the records around it.

use super::crash::SLAB;
use super::{Exchange, Outcome, key_of};
use bytemuck::Zeroable;
use flagstone_interface::Key;
use flagstone_interface::router::{Escrow, Portfolio, ShiftTicket, portfolio_status};
use flagstone_slab_engine::shifts::{Shift, Shifted};
use flagstone_units::Slot;

/// Address of the portfolio, and of the escrow that lacks margin.
const PORTFOLIO: Key = [3; 32];
const TARGET: Key = [4; 32];

/// The Router's records around one shift.
#[derive(Clone, Copy)]
pub struct ShiftPapers {
    pub slab: Key,
    pub ticket: ShiftTicket,
    pub portfolio: Portfolio,
    pub portfolio_key: Key,
    pub escrow_key: Key,
    pub escrow: Escrow,
    pub target: Escrow,
    pub target_key: Key,
}

impl Exchange {
    /// A ticket for an account: its target lacks `wanted` atoms, and its owner
    /// consents to as much.
    pub fn shift_papers(&mut self, account: u32, amount: u64, wanted: u64) -> ShiftPapers {
        let slot = self.slot;
        let generation = self.slab().accounts[account].generation;
        ShiftPapers {
            slab: SLAB,
            ticket: ShiftTicket {
                slab: SLAB,
                escrow: key_of(9, account),
                target: TARGET,
                portfolio: PORTFOLIO,
                account,
                generation,
                episode: 4,
                nonce: 7,
                issued_slot: Slot(slot),
                expiry_slot: Slot(slot + 25),
                amount_max_atoms: amount,
                enough_total_atoms: 1_000 + wanted,
                ..ShiftTicket::zeroed()
            },
            portfolio: Portfolio {
                status: portfolio_status::LIQUIDATING,
                episode: 4,
                ticket_nonce: 7,
                shift_nonce: 7,
                ..Portfolio::zeroed()
            },
            portfolio_key: PORTFOLIO,
            escrow_key: key_of(9, account),
            escrow: self.escrows[account as usize - 1],
            target: Escrow {
                frozen: 1,
                deposited_total_atoms: 1_000,
                liability_max_atoms: wanted,
                ..Escrow::zeroed()
            },
            target_key: TARGET,
        }
    }

    /// Releases on a shift ticket.
    pub fn release_shift(&mut self, papers: &ShiftPapers) -> Outcome<Shifted> {
        let slot = Slot(self.slot);
        let shift = Shift {
            slab: &papers.slab,
            ticket: &papers.ticket,
            portfolio_key: &papers.portfolio_key,
            portfolio: &papers.portfolio,
            escrow_key: &papers.escrow_key,
            escrow: &papers.escrow,
            target_key: &papers.target_key,
            target: &papers.target,
        };
        self.run(|slab| slab.release_shift(&shift, slot))
    }
}
