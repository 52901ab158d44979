//! Where an account under liquidation can get margin from: the other accounts
//! of its portfolio, at other slabs.

use crate::chain::{Chain, record};
use crate::snapshot::Snapshot;
use flagstone_sdk::interface::router::{Escrow, Portfolio, SlabLedger};
use flagstone_sdk::margin::shift;
use flagstone_sdk::units::Slot;
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;

/// An account that has margin to spare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its slab.
    pub slab: Address,
    /// Its escrow.
    pub escrow: Address,
    /// Index of the account.
    pub account: u16,
    /// What it can give now, in atoms.
    pub spare_atoms: u64,
}

impl Source {
    /// The account of `portfolio` that can give most to the escrow `target`;
    /// `None` when none can give anything.
    pub fn richest<C: Chain>(
        chain: &C,
        portfolio: &Portfolio,
        target: &Address,
        mint: &Address,
    ) -> Option<Self> {
        let others = portfolio.escrows.iter().map(|key| Address::from(*key));
        others
            .filter(|key| key != target && *key != Address::default())
            .filter_map(|escrow| Self::at(chain, &escrow, mint))
            .max_by_key(|source| source.spare_atoms)
    }

    /// What the account bound to an escrow can give; `None` for nothing.
    fn at<C: Chain>(chain: &C, key: &Address, mint: &Address) -> Option<Self> {
        let escrow: Escrow = record(chain, key)?;
        let at = Address::from(escrow.slab);
        let ledger: SlabLedger = record(chain, &address::slab_ledger(&at, mint))?;
        let snapshot = chain.data(&at).as_deref().and_then(Snapshot::of)?;
        let account = snapshot.account(escrow.bound_account)?;
        let slot = Slot::from_clock(chain.slot());
        let bound = account.is_bound(escrow.bound_account, &key.to_bytes(), &escrow);
        if !bound || shift::is_owed(account, &escrow) {
            return None;
        }
        let spare = shift::spare_atoms(snapshot.bytes(), account, &escrow, slot).ok()?;
        let spare_atoms = spare.min(shift::payable_atoms(&escrow, &ledger, slot));
        (spare_atoms > 0).then_some(Self {
            slab: at,
            escrow: *key,
            account: escrow.bound_account as u16,
            spare_atoms,
        })
    }

    /// Brings margin from here to the account at escrow `target` of slab `to`,
    /// in one transaction.
    pub fn instructions(
        &self,
        payer: &Address,
        owner: &Address,
        (to, target): (&Address, &Address),
        mint: &Address,
    ) -> Vec<Instruction> {
        let portfolio = address::portfolio(owner);
        vec![
            slab::sync(&self.slab, &self.escrow, self.account),
            router::issue_shift(payer, owner, &self.slab, to, mint),
            slab::release_shift(&self.slab, &portfolio, &self.escrow, target),
            router::settle(owner, &self.slab, mint),
            router::shift_margin(owner, to, mint),
        ]
    }
}
