//! Health of a portfolio, from what its accounts hold and the marks.
//!
//! ```text
//! equity      = cash + sum over accounts (cash + sum (lots * mark - cost - funding))
//! initial     = sum over accounts of their own initial margins
//! maintenance = sum over accounts of their own maintenance margins
//! ```
//! Every account is isolated (property P8): a long position at one slab and a
//! short one of the same underlying at another each need their full margin, and
//! no gain anywhere lowers a requirement. Equity is cash and unrealised profit,
//! nothing else (property P9).
//!
//! Netting will subtract credit from `initial`: of a slab whose registry entry
//! does not say `netting`, exactly nothing (rule N5). There is no netting yet, so
//! nothing is subtracted at all, and `SlabEntry::equity_max_atoms` bounds nothing.
//!
//! Prices come from whoever marks, by (slab, instrument): the slab's own mark
//! for what is isolated. No instruction carries one.

use crate::reading::{Unreadable, bounded};
use flagstone_interface::grid::{ExposedPosition, Exposure};
use flagstone_interface::slab::{PoolId, item_at};
use flagstone_slab_engine::layout::Instrument;
use flagstone_slab_engine::risk::Health;
use flagstone_units::{NOTIONAL_ATOMS_MAX, PPM_ONE, Slot, Ticks, mul_ppm_ceil};

/// A price, and whether it is one of the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The price.
    pub ticks: Ticks,
    /// Whether it is fresh.
    pub is_fresh: bool,
}

/// The mark of an instrument as its slab has it; `None` when there is none.
pub fn mark_in(data: &[u8], instrument: u8, slot: Slot) -> Option<Mark> {
    let number = u32::from(instrument) + 1;
    let found: &Instrument = item_at(data, PoolId::Instruments, number)?;
    Some(Mark {
        ticks: found.mark,
        is_fresh: found.is_fresh(slot),
    })
}

/// One account at the marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountHealth {
    /// Equity and margins; the initial margin counts open orders at their worst.
    pub health: Health,
    /// Whether the marks of all positions are fresh.
    pub is_fresh: bool,
}

impl AccountHealth {
    /// Marks what an account holds; `mark_of` gives the price of an instrument
    /// of that account's slab.
    ///
    /// # Errors
    /// [`Unreadable`] when a price is missing or an amount out of bounds.
    pub fn of(
        exposure: &Exposure,
        mark_of: impl Fn(u8) -> Option<Mark>,
    ) -> Result<Self, Unreadable> {
        let mut found = Self {
            health: Health {
                equity_atoms: bounded(Some(exposure.cash_atoms))?,
                ..Health::default()
            },
            is_fresh: true,
        };
        for position in exposure.held() {
            let mark = mark_of(position.instrument).ok_or(Unreadable)?;
            let value = value_atoms(position, position.lots.unsigned_abs(), mark.ticks)?;
            let at_risk = value_atoms(position, position.worst_lots, mark.ticks)?;
            let signed = if position.lots < 0 {
                -(value as i64)
            } else {
                value as i64
            };
            let health = &mut found.health;
            let equity = signed
                .checked_sub(position.cost_atoms)
                .and_then(|profit| profit.checked_sub(position.funding_atoms))
                .and_then(|change| health.equity_atoms.checked_add(change));
            health.equity_atoms = bounded(equity)?;
            // Each at most 2^53, of 32 positions.
            health.initial_atoms += mul_ppm_ceil(at_risk, ratio(position.imr_ppm)?);
            health.maintenance_atoms += mul_ppm_ceil(value, ratio(position.mmr_ppm)?);
            found.is_fresh &= position.lots == 0 || mark.is_fresh;
        }
        Ok(found)
    }
}

/// A portfolio at the marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortfolioHealth {
    /// Accounts counted.
    pub accounts: u32,
    /// Of these, accounts with a stale mark.
    pub stale: u32,
    /// Accounts that could not be read; they count as nothing.
    pub unread: u32,
    /// Cash that no slab holds, in atoms.
    pub cash_atoms: i64,
    /// Cash and unrealised profit of everything, in atoms.
    pub equity_atoms: i64,
    /// Sum of the accounts' initial margins, in atoms.
    pub initial_atoms: u64,
    /// Sum of their maintenance margins, in atoms.
    pub maintenance_atoms: u64,
}

impl PortfolioHealth {
    /// Adds cash that no slab holds, in atoms.
    pub fn add_cash(&mut self, atoms: i64) {
        self.cash_atoms = self.cash_atoms.saturating_add(atoms);
        self.equity_atoms = self.equity_atoms.saturating_add(atoms);
    }

    /// Adds an account.
    pub fn add(&mut self, account: &Result<AccountHealth, Unreadable>) {
        let Ok(account) = account else {
            self.unread += 1;
            return;
        };
        let health = &account.health;
        self.accounts += 1;
        self.stale += u32::from(!account.is_fresh);
        self.equity_atoms = self.equity_atoms.saturating_add(health.equity_atoms);
        self.initial_atoms = self.initial_atoms.saturating_add(health.initial_atoms);
        self.maintenance_atoms = self
            .maintenance_atoms
            .saturating_add(health.maintenance_atoms);
    }
}

/// The first price at which the account falls below its maintenance margin when
/// only this instrument moves: the highest such price of a long position, the
/// lowest of a short one. `None` without the position, or when no price does.
///
/// # Errors
/// As [`AccountHealth::of`].
pub fn liquidation_ticks(
    exposure: &Exposure,
    mark_of: impl Fn(u8) -> Option<Mark>,
    instrument: u8,
) -> Result<Option<Ticks>, Unreadable> {
    let whole = AccountHealth::of(exposure, &mark_of)?.health;
    let mut held = exposure.held().iter();
    let position = held.find(|one| one.instrument == instrument && one.lots != 0);
    let Some(position) = position else {
        return Ok(None);
    };
    let mark = mark_of(instrument).ok_or(Unreadable)?.ticks;
    // Equity less maintenance margin at a price; it rises with the price when
    // long and falls when short, since no margin is above the whole value.
    let own = |ticks: Ticks| {
        let lot = u128::from(position.atoms_per_tick) * u128::from(ticks.0);
        let value = lot * u128::from(position.lots.unsigned_abs());
        let margin = (value * u128::from(position.mmr_ppm)).div_ceil(u128::from(PPM_ONE));
        let (value, margin) = (value as i128, margin as i128);
        if position.lots > 0 {
            value - margin
        } else {
            -value - margin
        }
    };
    let spare = i128::from(whole.equity_atoms) - i128::from(whole.maintenance_atoms);
    let rest = spare - own(mark);
    let falls = |ticks: u32| rest + own(Ticks(ticks)) < 0;
    let (lowest, highest) = (1, u32::MAX);
    Ok(if position.lots > 0 {
        falls(lowest).then(|| Ticks(border(lowest, highest, falls)))
    } else {
        falls(highest).then(|| Ticks(border(highest, lowest, falls)))
    })
}

/// The last number on the way from one where `holds` is true to `other` where it
/// still is.
fn border(start: u32, other: u32, holds: impl Fn(u32) -> bool) -> u32 {
    if holds(other) {
        return other;
    }
    let (mut yes, mut no) = (start, other);
    while yes.abs_diff(no) > 1 {
        let middle = yes.min(no) + yes.abs_diff(no) / 2;
        if holds(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    yes
}

fn ratio(ppm: u32) -> Result<u32, Unreadable> {
    if u64::from(ppm) <= PPM_ONE {
        Ok(ppm)
    } else {
        Err(Unreadable)
    }
}

/// Value of lots at a price, within the engine's bound.
fn value_atoms(position: &ExposedPosition, lots: u32, ticks: Ticks) -> Result<u64, Unreadable> {
    // Two words of 32 bits.
    let product = u64::from(ticks.0) * u64::from(lots);
    match product.checked_mul(u64::from(position.atoms_per_tick)) {
        Some(value) if value < NOTIONAL_ATOMS_MAX => Ok(value),
        _ => Err(Unreadable),
    }
}
