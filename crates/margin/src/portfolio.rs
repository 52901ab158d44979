//! A user's slab accounts together.
//!
//! Every account is isolated: what one has too much covers nothing that another
//! lacks, and each is liquidated by itself (rule LQ1). The sums are what a user
//! and a keeper want to see.

use crate::reading::{Reading, Unreadable};

/// The set of a portfolio's slab accounts, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Accounts counted.
    pub accounts: u32,
    /// Accounts below their own maintenance margin.
    pub liquidatable: u32,
    /// Accounts with a stale mark, or that could not be read.
    pub stale: u32,
    /// Equity, in atoms; of a stale account only what is below zero.
    pub equity_atoms: i64,
    /// Initial margin, in atoms.
    pub initial_atoms: u64,
    /// Maintenance margin, in atoms.
    pub maintenance_atoms: u64,
    /// What brings every account that lacks some back to initial margin, in atoms.
    pub missing_atoms: u64,
}

impl Standing {
    /// Counts an account. One that cannot be read counts as nothing.
    pub fn add(&mut self, reading: &Result<Reading, Unreadable>) {
        self.accounts += 1;
        let Ok(reading) = reading else {
            self.stale += 1;
            return;
        };
        let health = &reading.health;
        let mut equity = health.equity_atoms;
        if !reading.is_fresh {
            self.stale += 1;
            equity = equity.min(0);
        }
        self.liquidatable += u32::from(reading.is_liquidatable());
        self.equity_atoms = self.equity_atoms.saturating_add(equity);
        self.initial_atoms = self.initial_atoms.saturating_add(health.initial_atoms);
        self.maintenance_atoms = self
            .maintenance_atoms
            .saturating_add(health.maintenance_atoms);
        self.missing_atoms = self.missing_atoms.saturating_add(reading.missing_atoms());
    }
}
